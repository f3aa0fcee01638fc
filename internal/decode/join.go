package decode

import (
	"net/netip"
	"slices"
	"strings"
	"time"

	"mediagate/rtsp/rtspwire"
)

const maxMedia = 256 // of a conversation

// negotiated makes the media of a SETUP from what the server granted and what the client wanted.
func (d *decoder) negotiated(c *Conversation, got, wanted *rtspwire.TransportSpec) *Media {
	m := &Media{Transport: "udp", Client: c.Client.Addr(), Server: c.Server.Addr(), Flows: []*Flow{}}
	if got.Lower() == rtspwire.LowerTCP {
		m.Transport = "interleaved"
		if lo, hi, ok := got.Channels(); ok {
			m.Channels = []uint8{lo, hi}
		}
	}
	param := func(name string) string {
		if v, ok := got.Param(name); ok {
			return v
		}
		if wanted != nil {
			v, _ := wanted.Param(name)
			return v
		}
		return ""
	}
	m.Ports = portsOf(got, wanted, "client_port")
	if got.Multicast() {
		m.Ports = portsOf(got, wanted, "port")
	}
	m.From = portsOf(got, nil, "server_port")
	if a, err := netip.ParseAddr(param("destination")); err == nil {
		m.Client = a.Unmap()
	}
	if a, err := netip.ParseAddr(param("source")); err == nil {
		m.Server = a.Unmap()
	}
	mode := strings.ToLower(param("mode"))
	m.Published = mode == "record" || mode == "receive"
	d.addMedia(c, m)
	return m
}

func portsOf(got, wanted *rtspwire.TransportSpec, name string) []uint16 {
	r, ok := got.Ports(name)
	if !ok && wanted != nil {
		r, ok = wanted.Ports(name)
	}
	switch {
	case !ok || r.Lo == 0:
		return nil
	case r.Pair && r.Hi != r.Lo:
		return []uint16{r.Lo, r.Hi}
	}
	return []uint16{r.Lo}
}

func (d *decoder) addMedia(c *Conversation, m *Media) {
	m.conv = c
	if len(c.Media) < maxMedia {
		c.Media = append(c.Media, m)
	}
}

// expect looks out for the datagrams of a media.
func (d *decoder) expect(m *Media) {
	if m.Transport != "udp" {
		return
	}
	for _, p := range m.Ports {
		if len(d.wanted) < d.lim.Flows {
			d.wanted[netip.AddrPortFrom(m.Client, p)] = m
		}
	}
	for _, p := range m.From {
		at := netip.AddrPortFrom(m.Server, p)
		if list := d.offered[at]; len(d.offered) < d.lim.Flows && len(list) < 1024 {
			d.offered[at] = append(list, m)
		}
	}
}

// strays joins what no negotiated port of a client claimed: media that goes to another port than the one negotiated, and
// clients that send from another port, as when there is a NAT on the way. What is left belongs to nobody.
func (d *decoder) strays() {
	for _, f := range d.all {
		if f.media == nil {
			if m, way := d.near(f); m != nil {
				d.join(f, m, way)
			}
		}
	}
	for _, f := range d.all {
		if f.media == nil && f.isMedia() {
			d.rep.Strays = append(d.rep.Strays, f)
		}
	}
}

// isMedia leaves out what looked like media once: a few datagrams of many sources are something else.
func (f *Flow) isMedia() bool {
	switch f.Kind {
	case "rtp":
		return f.Packets >= 4 && len(f.Sources) <= 4
	case "mms":
		return f.Packets >= 4
	case "resend":
		return true
	}
	return false
}

// near finds the media that a flow belongs to by one end, or by both addresses and the time.
func (d *decoder) near(f *Flow) (*Media, string) {
	for _, m := range d.offered[f.From] {
		if m.alive(f) && f.To.Addr() == m.Client {
			return m, "to another port"
		}
	}
	for _, m := range d.offered[f.To] {
		if m.alive(f) && f.From.Addr() == m.Client {
			return m, "client from another port"
		}
	}
	for _, m := range d.offered[f.From] {
		if m.alive(f) && len(d.offered[f.From]) == 1 {
			return m, "to another address"
		}
	}
	return d.sameHosts(f)
}

// sameHosts finds a media between the same two hosts: a resend request, or media of which neither port was negotiated.
func (d *decoder) sameHosts(f *Flow) (*Media, string) {
	for _, c := range d.rep.Conversations {
		for _, m := range c.Media {
			switch {
			case m.Transport != "udp" || !m.alive(f):
			case f.From.Addr() == m.Client && f.To.Addr() == m.Server && (f.Kind == "resend" || f.To.Port() == c.Server.Port()):
				return m, "to server"
			case f.From.Addr() == m.Server && f.To.Addr() == m.Client && f.isMedia() && !m.heard():
				return m, "to another port"
			}
		}
	}
	return nil, ""
}

// heard reports whether media came to where it was negotiated.
func (m *Media) heard() bool {
	return slices.ContainsFunc(m.Flows, func(f *Flow) bool { return f.Joined == "negotiated" && (f.Kind == "rtp" || f.Kind == "mms") })
}

// alive reports whether a flow began while a conversation went on, give or take a moment.
func (m *Media) alive(f *Flow) bool {
	const moment = 2 * time.Second
	return !f.First.Before(m.conv.Start) && !f.First.After(m.conv.endAt.Add(moment))
}

// print is a packet by which a flow is known again on another leg.
type print struct {
	hash uint64
	at   time.Time
	flow *Flow
}

const (
	samePackets = 3           // alike, or all if there are fewer
	crossing    = time.Second // the longest time from one leg to the next
)

// legs finds flows that carry the same packets: the two legs of a gateway, or one way seen on two interfaces. The one
// that was seen first comes first.
func (d *decoder) legs(all []*Flow) {
	seen := map[uint64]print{}
	slices.SortStableFunc(all, func(a, b *Flow) int { return a.First.Compare(b.First) })
	for _, f := range all {
		votes := map[*Flow]int{}
		for _, p := range f.prints {
			if g, ok := seen[p.hash]; ok && g.flow.leads(f) && p.at.Sub(g.at).Abs() <= crossing {
				votes[g.flow]++
			}
		}
		for _, p := range f.prints {
			seen[p.hash] = print{p.hash, p.at, f}
		}
		var best *Flow
		for g, n := range votes {
			if n >= min(samePackets, len(f.prints)) && n > 1 && (best == nil || n > votes[best] || n == votes[best] && g.ID < best.ID) {
				best = g
			}
		}
		if best == nil {
			continue
		}
		f.Leg = best.ID
		if f.media != nil && best.media != nil && f.media.conv != best.media.conv && f.media.conv.Leg == 0 {
			f.media.conv.Leg = best.media.conv.ID
		}
	}
}

// leads reports whether a flow may be the leg before another: two players of one server are not.
func (f *Flow) leads(g *Flow) bool {
	return f != g && (f.From.Addr() != g.From.Addr() || f.From == g.From && f.To == g.To && f.Interface != g.Interface)
}
