package decode

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// judgeMedia says what is wrong with one media.
func (d *decoder) judgeMedia(c *Conversation, m *Media) {
	var packets uint64
	var last time.Time
	d.judgeWays(c, m)
	for _, f := range m.Flows {
		d.judgeUnreachable(c, f)
		if f.isPayload() {
			packets += f.Packets
			if f.Last.After(last) {
				last = f.Last
			}
			d.judgeLoss(c, f)
		}
		d.judgeReports(c, f)
	}
	d.judgeUnheard(c, m)
	if packets == 0 && d.rep.File.Kind == kindTrace {
		return // it has no media
	}
	if packets == 0 {
		d.judgeNoMedia(c, m)
		return
	}
	d.judgeSilence(c, m, last)
}

// isPayload leaves out reports and requests, and the packets by which players open a NAT: empty ones, or whatever goes to a
// server that sends.
func (f *Flow) isPayload() bool {
	if f.media != nil && f.toServer != f.media.Published {
		return false
	}
	return (f.Kind == "rtp" || f.Kind == "mms") && f.Bytes > f.Packets*rtpHeader
}

// where names a media for a person.
func (m *Media) where() string {
	switch {
	case m.Transport != "udp" && m.URL != "":
		return m.URL
	case m.Transport != "udp":
		return "the stream"
	case len(m.Ports) == 0:
		return "a media over UDP without a port"
	case m.Published:
		return fmt.Sprintf("the media that the client sends from port %s", portList(m.Ports))
	}
	return fmt.Sprintf("the media for %s, port %s", m.Client, portList(m.Ports[:1]))
}

func portList(ports []uint16) string {
	var words []string
	for _, p := range ports {
		words = append(words, fmt.Sprint(p))
	}
	return strings.Join(words, "-")
}

// judgeNoMedia speaks of a media that was agreed on and never came.
func (d *decoder) judgeNoMedia(c *Conversation, m *Media) {
	since, agreed := m.Played, "the server agreed to play"
	if since == nil {
		since, agreed = m.awaited, "the server agreed to send the header"
	}
	if since == nil || m.resends || m.Shares != "" {
		return
	}
	until := c.endAt
	if m.Stopped != nil {
		until = *m.Stopped
	}
	waited := until.Sub(*since)
	if waited < settles {
		return
	}
	if m.Transport == "udp" {
		d.find(levelError, "no-media", c.ID, "%s, and in %s not one packet of %s was seen: UDP is blocked between the server and the place of this capture, or the server sent nothing",
			agreed, Seconds(waited), m.where())
		return
	}
	d.find(levelError, "no-media", c.ID, "%s, and in %s sent nothing of %s", agreed, Seconds(waited), m.where())
}

// judgeSilence speaks of media that stopped coming before anybody stopped it.
func (d *decoder) judgeSilence(c *Conversation, m *Media, last time.Time) {
	until := c.endAt
	if m.Stopped != nil {
		until = *m.Stopped
	}
	silent := until.Sub(last)
	if m.Played == nil || silent < quiet || m.resends || m.Shares != "" {
		return
	}
	d.find(levelWarning, "silence", c.ID, "%s: nothing came in the last %s before %s", m.where(), Seconds(silent), endWords(m))
}

func endWords(m *Media) string {
	if m.Stopped != nil {
		return "it was stopped"
	}
	return "the conversation ended"
}

// judgeWays speaks of each wrong way once, with the flow that has the most packets.
func (d *decoder) judgeWays(c *Conversation, m *Media) {
	most := map[string]*Flow{}
	for _, f := range m.Flows {
		if best := most[f.Joined]; best == nil || f.Packets > best.Packets {
			most[f.Joined] = f
		}
	}
	for _, f := range m.Flows {
		if most[f.Joined] == f {
			d.judgeWay(c, m, f)
		}
	}
}

// judgeWay speaks of media that goes, or comes from, where nobody said that it would.
func (d *decoder) judgeWay(c *Conversation, m *Media, f *Flow) {
	what := fmt.Sprintf("%s (%s) from %s to %s", plural(f.Packets, "packet"), kindName(f.Kind), f.From, f.To)
	switch f.Joined {
	case "from another port":
		d.find(levelError, "unnegotiated-port", c.ID, "%s: port %s of the server was negotiated. Players and firewalls that check the source drop it", what, portList(m.From))
	case "from another address":
		d.find(levelError, "unnegotiated-address", c.ID, "%s: the media was to come from %s. Players and firewalls that check the source drop it", what, m.Server)
	case "to another port":
		d.find(levelWarning, "nat-mapped", c.ID, "%s: port %s of the client was negotiated. A NAT between here and the client maps it, or the server answers where it was called from", what, portList(m.Ports))
	case "client from another port":
		d.find(levelWarning, "nat-client", c.ID, "%s: the client had announced port %s. There is a NAT on the way, and what the server sends to the port it was told will not come through", what, portList(m.Ports))
	case "to another address":
		d.find(levelWarning, "third-address", c.ID, "%s: the conversation is with %s", what, m.Client)
	case "channel not negotiated":
		d.find(levelWarning, "unnegotiated-channel", c.ID, "%s on channel %d, which was not negotiated", plural(f.Packets, "packet"), *f.Channel)
	}
}

func kindName(kind string) string {
	switch kind {
	case "rtp", "rtcp":
		return strings.ToUpper(kind)
	case "mms":
		return "MMS data"
	case "resend":
		return "resend requests"
	}
	return "unknown"
}

// judgeUnreachable speaks of ICMP errors for a flow.
func (d *decoder) judgeUnreachable(c *Conversation, f *Flow) {
	for _, what := range sortedKeys(f.Unreachable) {
		n := f.Unreachable[what]
		why := "something on the way does not let it through"
		switch what {
		case "port unreachable":
			why = "nothing listens on that port there, or a NAT has no place for it"
			if f.icmpBy != f.To.Addr() {
				why = "a firewall or NAT on the way refuses it"
			}
		case "prohibited":
			why = "a firewall on the way refuses it"
		}
		level := levelError
		if !f.isPayload() || n <= 2 && uint64(n)*20 < f.Packets { // the last packets come when the player has left
			level = levelNote
		}
		d.find(level, "icmp", c.ID, "ICMP %s, %d times, by %s, for %s from %s to %s: %s", what, n, f.icmpBy, kindName(f.Kind), f.From, f.To, why)
	}
}

// judgeLoss says how much was lost and where. What another leg lacks as well was lost before it.
func (d *decoder) judgeLoss(c *Conversation, f *Flow) {
	lost, late := f.lost(), uint64(0)
	for _, s := range f.Sources {
		late += s.Late
	}
	before := d.byID(f.Leg)
	if f.media != nil && f.media.Transport != "udp" && lost > 0 { // TCP loses nothing
		d.find(levelNote, "skipped", c.ID, "the sender left out %s of %s: %s", group(uint64(lost)), plural(f.Packets+uint64(lost), "packet"), legName(f))
		lost = 0
	}
	if before != nil {
		came := before.lost()
		switch {
		case lost > came:
			d.find(levelWarning, "lost-between", c.ID, "%s of %s were seen %s: lost in between", group(uint64(lost-came)),
				plural(f.Packets+uint64(lost), "packet"), legsText(before, f))
			lost = 0
		case lost > 0:
			d.find(levelNote, "lost-before", c.ID, "%s lacks the %s that were lost before, see %s", legName(f), plural(lost, "packet"), legName(before))
			lost = 0
		}
	}
	if lost > 0 {
		d.find(levelWarning, "lost", c.ID, "%s of %s lost before they came here (%.2f %%), the longest row %s: %s", group(uint64(lost)), plural(f.Packets+uint64(lost), "packet"),
			100*float64(lost)/float64(f.Packets+uint64(lost)), plural(f.longest(), "packet"), legName(f))
	}
	if late > 0 {
		d.find(levelNote, "late", c.ID, "%s came after packets with a higher number, out of order or sent again: %s", plural(late, "packet"), legName(f))
	}
	if f.short > 0 {
		d.find(levelNote, "snapped", c.ID, "datagrams of %s were captured in part only: %s", legName(f), size(uint64(f.short)))
	}
}

func (f *Flow) longest() int64 {
	var n int64
	for _, s := range f.Sources {
		n = max(n, s.Longest)
	}
	return n
}

func legName(f *Flow) string {
	text := fmt.Sprintf("%s to %s", f.From, f.To)
	if f.Interface != "" {
		text += " on " + f.Interface
	}
	return text
}

// legsText names two legs, the second of which lacks something.
func legsText(a, b *Flow) string {
	if a.From == b.From && a.To == b.To {
		return fmt.Sprintf("on %s and not on %s (%s to %s)", a.Interface, b.Interface, a.From, a.To)
	}
	return fmt.Sprintf("from %s, and not from %s", legName(a), legName(b))
}

// judgeReports says what the receiver reported, and what it asked for again.
func (d *decoder) judgeReports(c *Conversation, f *Flow) {
	if r := f.Reports; r != nil && f.toServer {
		if r.Lost > 0 {
			d.find(levelWarning, "reported-loss", c.ID, "the client reports %s lost, %.1f %% at worst: see whether they were lost before this place or behind it", plural(r.Lost, "packet"), 100*r.Fraction)
		}
		if r.Nacked > 0 {
			d.find(levelNote, "resend", c.ID, "the client asked for %s again", plural(r.Nacked, "packet"))
		}
	}
	if r := f.Resend; r != nil {
		d.find(levelNote, "resend", c.ID, "the client asked for %s again, in %s", plural(r.Packets, "packet"), plural(r.Requests, "request"))
	}
}

func (d *decoder) byID(id int) *Flow {
	if id == 0 {
		return nil
	}
	for _, c := range d.rep.Conversations {
		for _, m := range c.Media {
			for _, f := range m.Flows {
				if f.ID == id {
					return f
				}
			}
		}
	}
	for _, f := range d.rep.Strays {
		if f.ID == id {
			return f
		}
	}
	return nil
}

func sortedKeys(m map[string]int) []string {
	var keys []string
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
