package capture

import (
	"bytes"
	"net/netip"
	"time"
)

// early is what a connection has read before it is known whose it is.
type early struct {
	at time.Time
	b  []byte
}

// maxEarly bounds that: the head of a request, as a rule.
const maxEarly = 16 << 10

// Connect notes a connection that is no session's yet. What it reads until Move says whose it is is kept, up to 16 KiB.
func (b *Book) Connect(side Side, local, remote netip.AddrPort) *Conn {
	if b == nil {
		return nil
	}
	return &Conn{side: side, local: local, remote: remote}
}

// keepEarly keeps what was read; false: the connection is somebody's.
func (c *Conn) keepEarly(b []byte) bool {
	if c.session.Load() != nil {
		return false
	}
	c.tcp.mu.Lock()
	defer c.tcp.mu.Unlock()
	if c.session.Load() != nil {
		return false
	}
	if c.tcp.kept+len(b) <= maxEarly {
		c.tcp.early = append(c.tcp.early, early{time.Now(), bytes.Clone(b)})
		c.tcp.kept += len(b)
	}
	return true
}

// belong gives a connection that was nobody's to a session, with what it has read.
func (c *Conn) belong(to *Session) {
	c.tcp.mu.Lock()
	c.session.Store(to)
	kept := c.tcp.early
	c.tcp.early = nil
	c.tcp.mu.Unlock()
	if recordings := to.recordings(); len(recordings) > 0 {
		comment := ""
		if c.side == Client {
			comment = to.about.Clear
		}
		c.opened(recordings, comment)
	}
	for _, e := range kept {
		c.ReadHTTP(e.b)
	}
}

// ReadHTTP is Read for a connection of HTTP, whose heads are seen to be messages.
func (c *Conn) ReadHTTP(b []byte) {
	if c == nil || len(b) == 0 || c.keepEarly(b) {
		return
	}
	c.bytes(b, 0)
	c.head(b, false)
}

// WroteHTTP is Wrote for a connection of HTTP.
func (c *Conn) WroteHTTP(b []byte) {
	if c == nil || len(b) == 0 || c.session.Load() == nil {
		return
	}
	c.bytes(b, 1)
	c.head(b, true)
}

// head takes what begins as a head does for a message. net/http reads the first byte of a request by itself if it comes
// while an answer is under way: first keeps it. What is media and begins alike is taken for one too.
func (c *Conn) head(b []byte, out bool) {
	if !out {
		c.tcp.mu.Lock()
		before := c.tcp.first
		c.tcp.first = nil
		if len(b) == 1 {
			c.tcp.first = bytes.Clone(b)
		}
		c.tcp.mu.Unlock()
		b = append(before, b...)
	}
	if !beginsHTTP(b) {
		return
	}
	if end := bytes.Index(b, []byte("\r\n\r\n")); end >= 0 {
		b = b[:end+4]
	}
	c.message(b, out)
}

func beginsHTTP(b []byte) bool {
	for _, word := range []string{"HTTP/1.", "GET ", "POST ", "HEAD ", "OPTIONS "} {
		if bytes.HasPrefix(b, []byte(word)) {
			return true
		}
	}
	return false
}
