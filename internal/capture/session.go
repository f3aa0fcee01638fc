package capture

import (
	"net/netip"
	"sync"
	"sync/atomic"
	"time"
)

// Side is one of the two sides of a session.
type Side uint8

// The sides; the numbers are those of package udprelay.
const (
	Client Side = iota
	Origin
)

// String is "client" or "origin".
func (s Side) String() string {
	if s == Client {
		return "client"
	}
	return "origin"
}

// Session is what is kept of one conversation. It is safe for concurrent use, and may be nil.
type Session struct {
	book  *Book
	about About
	began time.Time

	mu       sync.Mutex // guards what follows; control messages and beginnings take it, packets do not
	facts    Facts
	messages messages
	media    []*Media
	trace    *trace
	waiting  []waiting // rules that are not decided
	ended    bool

	armed atomic.Pointer[[]*recording] // replaced whole, with mu held; nil: none, which is all that a packet looks at
}

// Facts are what becomes known of a session in its course; an empty one is not known yet.
type Facts struct {
	URL, UserAgent, Node string
	NodeAddr             netip.Addr
}

// Learn notes what became known.
func (s *Session) Learn(f Facts) {
	if s == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, p := range []struct{ to, from *string }{
		{&s.facts.URL, &f.URL}, {&s.facts.UserAgent, &f.UserAgent}, {&s.facts.Node, &f.Node},
	} {
		if *p.from != "" {
			*p.to = *p.from
		}
	}
	if f.NodeAddr.IsValid() {
		s.facts.NodeAddr = f.NodeAddr
	}
	if len(s.waiting) > 0 {
		s.decideLocked()
	}
}

// End says how the session ended: the end state, two letters, and why. Nothing is recorded after it.
func (s *Session) End(state, why string) {
	if s == nil {
		return
	}
	words := ""
	if state != "" { // else it has no record, or has been told of before
		words = "session ended " + state + ": " + why
	}
	s.stop(words)
	s.book.forget(s)
	if s.book.cfg.Flight.wanted(state) {
		s.book.post(func() { s.writeFlight(state, why) })
	}
}

// stop ends the recordings; words, if any, are written at their ends.
func (s *Session) stop(words string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ended = true
	s.stopTraceLocked()
	for _, w := range s.waiting {
		s.dropLocked(w.rec)
	}
	s.waiting = nil
	for _, r := range s.recordings() {
		r.conclude(words)
	}
}

// Conn is one TCP connection of a session, or what stands for it. It is safe for concurrent use, and may be nil.
type Conn struct {
	side          Side
	local, remote netip.AddrPort
	session       atomic.Pointer[Session]
	media         atomic.Pointer[Media] // of its interleaved frames
	tcp           stream
}

// Connect notes a connection. local is our end.
func (s *Session) Connect(side Side, local, remote netip.AddrPort) *Conn {
	if s == nil {
		return nil
	}
	c := &Conn{side: side, local: local, remote: remote}
	c.session.Store(s)
	if recordings := s.recordings(); len(recordings) > 0 {
		comment := ""
		if side == Client {
			comment = s.about.Clear
		}
		c.opened(recordings, comment)
	}
	return c
}

// Move says that the connection is another session's from now on. Calls must not overlap.
func (c *Conn) Move(to *Session) {
	switch {
	case c == nil || to == nil || c.session.Load() == to:
	case c.session.Load() == nil:
		c.belong(to)
	default:
		c.session.Store(to)
		c.media.Store(nil)
	}
}

// Received is a whole control message that came, as it came. It is not kept.
func (c *Conn) Received(b []byte) { c.message(b, false) }

// Sent is a whole control message that was written, as it was written. It is not kept.
func (c *Conn) Sent(b []byte) { c.message(b, true) }

func (c *Conn) message(b []byte, out bool) {
	if c == nil || c.session.Load() == nil {
		return
	}
	m := message{at: time.Now(), side: c.side, out: out, from: c.remote, to: c.local, size: len(b)}
	if out {
		m.from, m.to = m.to, m.from
	}
	m.text = append([]byte(nil), b[:min(len(b), maxMessage)]...)
	s := c.session.Load()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended {
		return
	}
	s.messages.add(m)
	s.trace.add(m)
}

// Frame is the payload of an interleaved frame, or a Data packet of MMS, that came at at. why is why it went no further, "" if it did.
func (c *Conn) Frame(at time.Time, payload []byte, why string) {
	if c == nil {
		return
	}
	m := c.media.Load() // it is in no datagram: the connection is recorded as such
	if m == nil {
		m = c.session.Load().Media()
		c.media.Store(m)
	}
	m.keep(at, c.side == Origin, c.remote, c.local, payload, why)
}
