package decode

import (
	"encoding/binary"
	"net/netip"
	"time"
)

// Flags of a TCP segment (RFC 9293, section 3.1).
const (
	flagFIN = 1
	flagSYN = 2
	flagRST = 4
	flagACK = 16
)

// The sides of a conversation, as they are counted.
const (
	client = 0
	server = 1
)

// maxHeld is how many bytes of a connection are kept until it is known what it speaks.
const maxHeld = 16 << 10

// maxHeard is how much of a connection whose beginning is missing is listened to for a first message.
const maxHeard = 4 << 20

// connKey are the ends of a connection, the lower first.
type connKey struct{ a, b netip.AddrPort }

// conn is a TCP connection. ends[0] and streams[0] are those of the end that was seen first, or of the one that
// connected.
type conn struct {
	ends     [2]netip.AddrPort
	streams  [2]stream
	isn      uint32
	syn      bool // the beginning was captured
	answer   bool // the other end answered the SYN
	tries    int  // SYNs
	iface    string
	talk     talk
	client   int // which end the client is, once talk is known
	ignored  bool
	held     []chunk
	bytes    int // in held
	heard    int // so far
	begin    time.Time
	last     time.Time
	reset    int // which end sent a RST, plus one
	fins     [2]bool
	firstFIN int // which end closed first, plus one
	finAt    time.Time
}

// chunk is what a connection said before it was known what it speaks.
type chunk struct {
	from int
	at   time.Time
	data []byte
	gap  int
}

// talk reads one conversation. What it is given is in order for each side; b is valid during the call only.
type talk interface {
	data(side int, b []byte, at time.Time)
	gap(side int, n int, at time.Time)
	close(side int, at time.Time) // the side will send no more
	dull() bool                   // it is nothing of ours
}

// tcp takes a TCP segment.
func (d *decoder) tcp(p datagram, k packet, iface string) {
	b := p.payload
	if len(b) < 20 {
		return
	}
	be := binary.BigEndian
	head := int(b[12]>>4) * 4
	if head < 20 || head > len(b) {
		return
	}
	src, dst := netip.AddrPortFrom(p.src, be.Uint16(b)), netip.AddrPortFrom(p.dst, be.Uint16(b[2:]))
	seq, flags := be.Uint32(b[4:]), b[13]
	c, from := d.conn(src, dst, seq, flags, k.at)
	if c == nil {
		return
	}
	if c.iface == "" {
		c.iface = iface
	}
	c.last = k.at
	if flags&flagRST != 0 && c.reset == 0 {
		c.reset = from + 1
	}
	if c.ignored {
		return
	}
	g := segment{seq: seq, data: b[head:], hole: p.missing, at: k.at, fin: flags&flagFIN != 0}
	d.segment(c, from, g, flags, be.Uint32(b[8:]))
}

func (d *decoder) segment(c *conn, from int, g segment, flags byte, ack uint32) {
	s, other := &c.streams[from], &c.streams[1-from]
	if flags&flagSYN != 0 {
		if c.answer = c.answer || from == 1; !s.known {
			s.known, s.next = true, g.seq+1
		}
		g.seq++
	}
	if len(g.data)+g.hole == 1 && s.known && g.seq == s.next-1 {
		return // a probe that keeps the connection alive
	}
	if len(g.data)+g.hole > 0 || g.fin {
		limit := min(d.lim.Pending, max(0, d.lim.PendingAll-d.pending+s.bytes))
		d.pending += s.take(g, limit)
	}
	if flags&flagACK != 0 {
		if !other.known {
			other.known, other.next = true, ack
		}
		d.pending -= other.bytes
		other.ack(ack, g.at)
		d.pending += other.bytes
	}
	for i := range c.streams {
		if c.streams[i].fin && !c.fins[i] {
			c.fins[i] = true
			if c.firstFIN == 0 {
				c.firstFIN, c.finAt = i+1, g.at
			}
			c.tell(i, func(side int) { c.talk.close(side, g.at) })
		}
	}
	if c.reset > 0 {
		d.endConn(c, g.at)
	}
}

// tell does something for a side of a conversation that is known.
func (c *conn) tell(from int, f func(side int)) {
	if c.talk != nil {
		f(c.side(from))
	}
}

func (c *conn) side(from int) int {
	if from == c.client {
		return client
	}
	return server
}

// speak hands what is in order to the conversation, or holds it until it is known which protocol that is.
func (d *decoder) speak(c *conn, from int, b []byte, gap int, at time.Time) {
	if c.ignored {
		return
	}
	if c.talk != nil {
		c.say(chunk{from: from, at: at, data: b, gap: gap})
	} else {
		n := min(len(b), maxHeld)
		c.held = append(c.held, chunk{from: from, at: at, data: append([]byte(nil), b[:n]...), gap: gap})
		c.bytes += n + 64
		c.heard += n + 64
		d.sniff(c)
		c.forgetOld()
		if c.talk != nil {
			for _, h := range c.held {
				c.say(h)
			}
			c.held = nil
			if n < len(b) {
				c.say(chunk{from: from, at: at, data: b[n:]})
			}
		}
	}
	if c.ignored || c.talk != nil && c.talk.dull() {
		c.ignored = true
		d.release(c)
	}
}

// forgetOld bounds what is held of a connection that has not said what it speaks. One whose beginning is missing may be
// in the middle of its media, and is listened to longer.
func (c *conn) forgetOld() {
	if c.talk != nil || c.bytes < maxHeld {
		return
	}
	if c.syn || c.heard > maxHeard {
		c.ignored = true
		return
	}
	c.held = append([]chunk(nil), c.held[len(c.held)-1])
	c.bytes = len(c.held[0].data) + 64
}

func (c *conn) say(h chunk) {
	if h.gap > 0 {
		c.talk.gap(c.side(h.from), h.gap, h.at)
		return
	}
	c.talk.data(c.side(h.from), h.data, h.at)
}

// release lets go what an ignored connection has kept.
func (d *decoder) release(c *conn) {
	c.held = nil
	for i := range c.streams {
		d.pending -= c.streams[i].bytes
		c.streams[i].pending, c.streams[i].bytes = nil, 0
	}
}

// endConn delivers what waits and ends the conversation.
func (d *decoder) endConn(c *conn, at time.Time) {
	for i := range c.streams {
		if !c.ignored {
			d.pending -= c.streams[i].bytes
			c.streams[i].flush(at)
			d.pending += c.streams[i].bytes
		}
	}
	if c.talk == nil {
		d.unheard(c)
		c.ignored = true
		d.release(c)
		return
	}
	if !c.ignored {
		c.ignored = true
		for side := range 2 {
			c.talk.close(side, at)
		}
		d.ended(c)
	}
}
