package decode

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// deadConn is a connection to a port of ours that never spoke.
type deadConn struct {
	client, server netip.AddrPort
	refused        bool
	tries          int
	answered       bool
	said           string // what it spoke, if it is none of ours
}

const maxDead = 256

// unheard notes a connection that ended before it spoke, if it went to a port where players call.
func (d *decoder) unheard(c *conn) {
	if !c.syn || c.ignored || len(d.dead) >= maxDead {
		return
	}
	switch c.ends[1].Port() {
	case 554, 1755, 8554, 80, 8080, 322:
		d.dead = append(d.dead, deadConn{client: c.ends[0], server: c.ends[1], refused: c.reset == 2 && !c.answer, tries: c.tries, answered: c.answer})
	}
}

// unreadable notes a connection that spoke something else to a port where players call.
func (d *decoder) unreadable(c *conn, b []byte) {
	said := "neither RTSP, MMS nor HTTP"
	if len(b) >= 3 && b[0] == 22 && b[1] == 3 { // RFC 8446, section 5.1: a handshake
		said = "TLS, which cannot be read"
	}
	switch c.ends[1].Port() {
	case 554, 1755, 8554, 322:
		if len(d.dead) < maxDead {
			d.dead = append(d.dead, deadConn{client: c.ends[0], server: c.ends[1], said: said})
		}
	}
}

// ended notes how a connection of a conversation ended.
func (d *decoder) ended(c *conn) {
	conv := talkConv(c.talk)
	if conv == nil || conv.closed {
		return
	}
	conv.closed = true
	conv.endAt = c.last
	who := func(end int) string { return sideName(c.side(end - 1)) }
	switch {
	case c.firstFIN > 0:
		conv.Ended = "closed by the " + who(c.firstFIN)
		conv.closedBy, conv.closedAt = who(c.firstFIN), c.finAt
	case c.reset > 0:
		conv.Ended = "reset by the " + who(c.reset)
		conv.resetBy = who(c.reset)
	default:
		conv.Ended = "still open when the capture ends"
	}
}

// talkConv is the conversation of a connection, nil for the half of a tunnel by which the client speaks: it may come and
// go.
func talkConv(t talk) *Conversation {
	switch t := t.(type) {
	case *rtspTalk:
		return t.conv
	case *mmsTalk:
		return t.conv
	case *httpTalk:
		if !t.post {
			return t.conv
		}
	}
	return nil
}

// finish ends what goes on when the file ends, and judges.
func (d *decoder) finish() {
	list := make([]*conn, 0, len(d.conns))
	for _, c := range d.conns {
		list = append(list, c)
	}
	slices.SortFunc(list, func(a, b *conn) int {
		if n := a.begin.Compare(b.begin); n != 0 {
			return n
		}
		return strings.Compare(a.ends[0].String()+a.ends[1].String(), b.ends[0].String()+b.ends[1].String())
	})
	for _, c := range list {
		d.endConn(c, d.end)
	}
	d.rep.File.Duration = Seconds(d.end.Sub(d.rep.File.Start))
	for _, c := range d.rep.Conversations {
		if c.Ended == "" {
			c.Ended, c.endAt = "still open when the capture ends", d.end
		}
		d.tidy(c)
	}
	d.strays()
	var all []*Flow
	for _, c := range d.rep.Conversations {
		for _, m := range c.Media {
			all = append(all, m.Flows...)
		}
	}
	d.legs(append(all, d.rep.Strays...))
	for _, c := range d.rep.Conversations {
		d.firstMedia(c)
	}
	d.judge()
	d.notes()
}

// tidy puts the lines of a conversation in the order of time and gives the runs their words.
func (d *decoder) tidy(c *Conversation) {
	for i := range c.Events {
		e := &c.Events[i]
		if e.Run != nil {
			e.Line = runText(e.Run)
		}
		if e.Time.Before(c.Start) {
			c.Start = e.Time
		}
	}
	slices.SortStableFunc(c.Events, func(a, b Event) int { return a.Time.Compare(b.Time) })
	for i := range c.Events {
		c.Events[i].Offset = Seconds(c.Events[i].Time.Sub(c.Start))
	}
	c.Duration = Seconds(max(0, c.endAt.Sub(c.Start)))
}

func runText(r *Run) string {
	text := fmt.Sprintf("%s of media, %s", plural(r.Packets, "packet"), size(r.Bytes))
	if r.Lost > 0 {
		text += fmt.Sprintf(", %s lost", group(uint64(r.Lost)))
	}
	if r.Duration > 0 {
		text += ", in " + r.Duration.String()
	}
	return text
}

// firstMedia adds lines that say when the first datagram of each flow came, once for each way.
func (d *decoder) firstMedia(c *Conversation) {
	type way struct{ from, to netip.AddrPort }
	for _, m := range c.Media {
		flows := slices.Clone(m.Flows)
		slices.SortStableFunc(flows, func(a, b *Flow) int { return a.First.Compare(b.First) })
		told := map[way]bool{}
		for _, f := range flows {
			if m.Transport != "udp" || f.Packets == 0 || told[way{f.From, f.To}] {
				continue
			}
			told[way{f.From, f.To}] = true
			from := "server"
			if f.toServer {
				from = "client"
			}
			line := fmt.Sprintf("first %s over UDP, %s to %s", kindText(f.Kind), f.From, f.To)
			d.event(c, Event{Time: f.First, Offset: Seconds(f.First.Sub(c.Start)), From: from, Kind: "media", Line: line})
		}
	}
	slices.SortStableFunc(c.Events, func(a, b Event) int { return a.Time.Compare(b.Time) })
}

func kindText(kind string) string {
	switch kind {
	case "rtp":
		return "RTP packet"
	case "rtcp":
		return "RTCP packet"
	case "mms":
		return "Data packet"
	case "resend":
		return "resend request"
	}
	return "datagram"
}

// notes says what was passed over, and what limits left out.
func (d *decoder) notes() {
	note := func(n int, format string, args ...any) {
		if n > 0 {
			d.rep.File.Notes = append(d.rep.File.Notes, fmt.Sprintf(format, args...))
		}
	}
	links := make([]uint32, 0, len(d.unknown))
	for link := range d.unknown {
		links = append(links, link)
	}
	slices.Sort(links)
	for _, link := range links {
		note(1, "%s of %s not read: not a link type that is known here", plural(d.unknown[link], "packet"), linkName(link))
	}
	note(d.frags.lost+len(d.frags.parts), "%s of IP never became whole: fragments are missing", plural(d.frags.lost+len(d.frags.parts), "datagram"))
	note(d.left.connections, "%s of TCP segments not followed: more connections at once than the limit", plural(d.left.connections, "packet"))
	note(d.left.conversations, "%s left out: more than the limit", plural(d.left.conversations, "conversation"))
	note(d.left.events, "%s of conversations left out: more than the limit", plural(d.left.events, "line"))
	note(d.left.findings, "%s left out: more than the limit", plural(d.left.findings, "finding"))
	note(d.left.flows, "%s of media not counted: more flows than the limit", plural(d.left.flows, "packet"))
}
