package httpfallback

import (
	"crypto/tls"
	"errors"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"mediagate/internal/capture"
)

// clientConn is a player's connection: it counts, bounds the silence before the first byte and each write, and says
// when it is closed.
type clientConn struct {
	net.Conn
	write   time.Duration
	in, out atomic.Uint64
	first   *time.Timer // closes a connection that says nothing; stopped by the first byte
	spoke   atomic.Bool
	stalled atomic.Bool // the player took nothing for as long as write
	secure  bool
	tap     *capture.Conn
	link    atomic.Pointer[link] // set before the first request

	once    sync.Once
	closing func() // tells the Proxy; called once

	mu   sync.Mutex  // guards what follows
	last *time.Timer // ends a connection whose session was killed; nil: it was not
	gone bool
}

func newClientConn(c net.Conn, t *Timeouts, closing func()) *clientConn {
	cc := &clientConn{Conn: c, write: t.Write, closing: closing}
	cc.secure = speaksTLS(c)
	cc.first = time.AfterFunc(t.FirstRequest, func() {
		if !cc.spoke.Load() {
			_ = cc.Conn.Close() // net/http notices and gives it back
		}
	})
	return cc
}

// speaksTLS looks for TLS below what a listener has put around the connection.
func speaksTLS(c net.Conn) bool {
	const layers = 8 // more are a ring
	for range layers {
		if _, ok := c.(interface{ ConnectionState() tls.ConnectionState }); ok {
			return true
		}
		inner, ok := c.(interface{ NetConn() net.Conn })
		if !ok {
			return false
		}
		c = inner.NetConn()
	}
	return false
}

func (c *clientConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if n > 0 && !c.spoke.Swap(true) {
		c.first.Stop()
	}
	c.in.Add(uint64(n))
	c.tap.ReadHTTP(p[:n])
	return n, err
}

// Write waits no longer than the time-out for the player to take anything at all: a slow one gets a new wait with every
// byte that it took, one that reads nothing ends.
func (c *clientConn) Write(p []byte) (int, error) {
	done := 0
	c.tap.WroteHTTP(p) // before the player can answer it
	for {
		if err := c.SetWriteDeadline(time.Now().Add(c.write)); err != nil {
			return done, err
		}
		n, err := c.Conn.Write(p[done:])
		done += n
		c.out.Add(uint64(n))
		if err == nil || !errors.Is(err, os.ErrDeadlineExceeded) {
			return done, err
		}
		if n == 0 {
			c.stalled.Store(true)
			return done, err
		}
	}
}

// endAfter closes the connection in d at the latest. It may be called more than once.
func (c *clientConn) endAfter(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.last == nil && !c.gone {
		c.last = time.AfterFunc(d, func() { _ = c.Conn.Close() }) // net/http notices and gives it back
	}
}

func (c *clientConn) Close() error {
	err := net.ErrClosed
	c.once.Do(func() {
		c.first.Stop()
		c.mu.Lock()
		if c.gone = true; c.last != nil {
			c.last.Stop()
		}
		c.mu.Unlock()
		err = c.Conn.Close()
		c.closing()
	})
	return err
}

// originConn is a connection to a node, whose bytes are counted on the link that it belongs to.
type originConn struct {
	net.Conn
	link *link
	tap  *capture.Conn
}

func (c *originConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.link.originIn.Add(uint64(n))
	c.tap.ReadHTTP(p[:n])
	return n, err
}

func (c *originConn) Write(p []byte) (int, error) {
	c.tap.Move(c.link.tap.Load()) // it may be kept for the player's next session
	c.tap.WroteHTTP(p)            // before the origin can answer it
	n, err := c.Conn.Write(p)
	c.link.originOut.Add(uint64(n))
	return n, err
}

// feed is the listener through which net/http gets its connections.
type feed struct {
	conns chan net.Conn // unbuffered: a connection is net/http's or still ours
	done  chan struct{}
	once  sync.Once
}

func newFeed() *feed { return &feed{conns: make(chan net.Conn), done: make(chan struct{})} }

func (f *feed) Accept() (net.Conn, error) {
	select {
	case c := <-f.conns:
		return c, nil
	case <-f.done:
		return nil, net.ErrClosed
	}
}

func (f *feed) Close() error {
	f.once.Do(func() { close(f.done) })
	return nil
}

// Addr is no address: nothing is bound.
func (f *feed) Addr() net.Addr { return &net.TCPAddr{} }

// give hands c over, and says false when nobody takes it any more.
func (f *feed) give(c net.Conn) bool {
	select {
	case f.conns <- c:
		return true
	case <-f.done:
		return false
	}
}
