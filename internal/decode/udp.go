package decode

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"slices"
	"time"
)

// flowKey tells flows of UDP apart.
type flowKey struct {
	from, to netip.AddrPort
	iface    string
}

func (d *decoder) id() int {
	d.nextID++
	return d.nextID
}

// udp takes a datagram.
func (d *decoder) udp(p datagram, k packet, iface string) {
	b := p.payload
	if len(b) < 8 {
		return
	}
	be := binary.BigEndian
	key := flowKey{netip.AddrPortFrom(p.src, be.Uint16(b)), netip.AddrPortFrom(p.dst, be.Uint16(b[2:])), iface}
	b = b[8:]
	f := d.flow(key, b, k.at)
	if f == nil {
		return
	}
	if p.missing > 0 { // the snap length cut it: its headers may be whole
		f.short += p.missing
	}
	if f.Kind == "other" && f.Packets < 8 {
		f.Kind = mediaKind(b)
	}
	f.observe(b, k.at, d.seed)
}

// flow finds the flow of a datagram, or makes one if it may be media.
func (d *decoder) flow(key flowKey, b []byte, at time.Time) *Flow {
	f := d.flows[key]
	media, way := d.match(key)
	if media != nil && f == nil && media.Stopped != nil && at.Sub(*media.Stopped) > forgotten {
		media = nil // another user of the port
	}
	if f != nil && (media == nil || f.media == media) {
		return f
	}
	if f != nil && f.media == nil && f.Packets < 4 { // it came before the answer that negotiated it
		d.join(f, media, way)
		return f
	}
	kind := mediaKind(b)
	if f == nil && media == nil && (kind == "other" && !d.called(key) || !plausible(key)) {
		return nil
	}
	if len(d.all) >= d.lim.Flows {
		d.left.flows++
		return nil
	}
	f = &Flow{From: key.from, To: key.to, Interface: key.iface, Kind: kind, ID: d.id()}
	if media != nil {
		d.join(f, media, way)
	}
	d.flows[key] = f
	d.all = append(d.all, f)
	return f
}

// called says that a client sends to where its media is to come from, whatever it sends: to open a NAT, players send random bytes.
func (d *decoder) called(key flowKey) bool {
	return slices.ContainsFunc(d.offered[key.to], func(m *Media) bool { return m.Client == key.from.Addr() })
}

// forgotten is how long after its end a media still claims what comes to its port.
const forgotten = time.Minute

// plausible leaves out what looks like media now and then and is none: name service, time, and the like.
func plausible(key flowKey) bool {
	for _, p := range []uint16{key.from.Port(), key.to.Port()} {
		switch p {
		case 53, 67, 68, 123, 137, 138, 161, 443, 500, 514, 1900, 4500, 5353:
			return false
		}
	}
	return true
}

// match finds the media for which a flow was negotiated by one end at least; way is how it belongs to it.
func (d *decoder) match(key flowKey) (m *Media, way string) {
	back := d.wanted[key.from]
	if back != nil && key.to.Addr() == back.Server && slices.Contains(back.From, key.to.Port()) {
		return back, "to server"
	}
	if m = d.wanted[key.to]; m != nil {
		return m, m.way(key.from, m.Server, m.From)
	}
	if back != nil && key.to.Addr() == back.Server {
		return back, "to server"
	}
	return nil, ""
}

// way says whether what comes to the negotiated port of a client comes from where it was negotiated.
func (m *Media) way(from netip.AddrPort, server netip.Addr, ports []uint16) string {
	switch {
	case m.Client.IsMulticast():
		return "negotiated"
	case from.Addr() != server:
		return "from another address"
	case len(ports) > 0 && !slices.Contains(ports, from.Port()):
		return "from another port"
	}
	return "negotiated"
}

// join gives a flow to its media.
func (d *decoder) join(f *Flow, m *Media, way string) {
	f.media, f.Joined = m, way
	f.toServer = way == "to server" || way == "client from another port"
	if len(m.Flows) < 64 {
		m.Flows = append(m.Flows, f)
	}
}

// icmp takes an error of ICMP (RFC 792; RFC 4443, section 3.1) for a flow that is known.
func (d *decoder) icmp(p datagram) {
	b := p.payload
	if len(b) < 8 {
		return
	}
	what := ""
	switch {
	case p.proto == protoICMP && b[0] == 3:
		what = map[byte]string{0: "network unreachable", 1: "host unreachable", 2: "protocol unreachable", 3: "port unreachable",
			4: "too large for the way", 9: "prohibited", 10: "prohibited", 13: "prohibited"}[b[1]]
	case p.proto == protoICMP6 && b[0] == 1:
		what = map[byte]string{0: "network unreachable", 1: "prohibited", 3: "host unreachable", 4: "port unreachable"}[b[1]]
	case p.proto == protoICMP6 && b[0] == 2:
		what = "too large for the way"
	default:
		return
	}
	if what == "" {
		what = fmt.Sprintf("unreachable (code %d)", b[1])
	}
	inner, ok := parseIP(b[8:], len(b)-8)
	if !ok || inner.proto != protoUDP || len(inner.payload) < 4 || inner.offset > 0 {
		return
	}
	be := binary.BigEndian
	from := netip.AddrPortFrom(inner.src, be.Uint16(inner.payload))
	to := netip.AddrPortFrom(inner.dst, be.Uint16(inner.payload[2:]))
	for _, f := range d.all {
		if f.From == from && f.To == to && d.current(f) {
			if f.Unreachable == nil {
				f.Unreachable = map[string]int{}
			}
			f.Unreachable[what]++
			f.icmpBy = p.src
		}
	}
}

// current reports whether a flow is the one that its addresses have now.
func (d *decoder) current(f *Flow) bool { return d.flows[flowKey{f.From, f.To, f.Interface}] == f }
