package gateway

import (
	"fmt"
	"net"
	"sync/atomic"
	"time"
)

// maxSurplus bounds the connections over the limit that are answered at the same time.
const maxSurplus = 64

// floodEvery is how often one of the connections that are not even answered is told of, for all.
const floodEvery = time.Second

// flood counts the connections beyond maxSurplus: a line and a record for each would let them fill the disk.
type flood struct {
	told time.Time // when it was told last
	more uint64    // that came since
}

// place takes a connection into the first count that has room, and says whether there is one. w.mu is held.
func (w *web) place(c *counted, count *atomic.Int64, most int64) bool {
	if count.Load() >= most {
		return false
	}
	count.Add(1)
	c.open = count
	return true
}

// overflow closes a connection without a word, and tells of it if none was told of lately. w.mu is held.
func (w *web) overflow(c *counted) {
	_ = c.Close() // it was not served
	if c.since.Sub(w.flood.told) < floodEvery {
		w.flood.more++
		return
	}
	r := refusedBusy(true)
	if w.flood.more > 0 {
		r.why = fmt.Sprintf("%s; %d more were closed unanswered since the last was told of", r.why, w.flood.more)
	}
	w.flood = flood{told: c.since}
	w.tell(c, r, 0)
}

// metered is an accepted connection that counts what comes in below TLS, where a handshake that stalls leaves no other
// trace.
type metered struct {
	*net.TCPConn
	read atomic.Uint64
}

// Read counts what it reads.
func (m *metered) Read(b []byte) (int, error) {
	n, err := m.TCPConn.Read(b)
	m.read.Add(uint64(max(0, n)))
	return n, err
}

// meter is a listener whose connections are metered.
type meter struct{ net.Listener }

// Accept returns the next connection.
func (l meter) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if tcp, ok := c.(*net.TCPConn); err == nil && ok {
		return &metered{TCPConn: tcp}, nil
	}
	return c, err
}
