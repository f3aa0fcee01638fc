package udprelay

import (
	"errors"
	"net"
	"net/netip"
	"sync"
	"time"

	"go.uber.org/zap"
)

// bufferSize is more than a UDP datagram can carry (65,507 bytes over IPv4, 65,527 over IPv6), so that none is cut
// short unseen. Each socket's goroutine owns one: a flow with pairs on both sides has four, of which only the pages
// that datagrams touch become resident. An engine with few sockets will need few buffers.
const bufferSize = 64 << 10

// A failed read is tried again after a pause that doubles from the first to the last of these: an error that comes
// back at once must not spin, one that passes must not cost a stream.
const (
	readPauseFirst = time.Millisecond
	readPauseLast  = time.Second
)

// socket is one bound port and the goroutine that reads it. Others write to it.
type socket struct {
	flow   *Flow // whose it is; nil if shared. It comes first with side and k, so that one line of memory holds what is asked first
	side   Side
	k      kind
	conn   Conn
	relay  *Relay
	shared *table // whose it may be; nil if a flow's own
	drops  *tally

	once sync.Once
	quit chan struct{}
}

func newSocket(r *Relay, c Conn, side Side, k kind) *socket {
	if r.fast != nil {
		if taken := r.fast.take(c); taken != nil {
			c = taken
		}
	}
	if u, ok := c.(*udpConn); ok {
		if err := r.cfg.Marking.mark(u.UDPConn, u.local); err != nil {
			r.cfg.Logger.Warn("media packets are not marked", zap.Stringer("local", u.local), zap.Error(err))
		}
	}
	return &socket{relay: r, conn: c, side: side, k: k, drops: &r.drops, quit: make(chan struct{})}
}

// close ends run soon. It may be called more than once.
func (s *socket) close() {
	s.once.Do(func() {
		close(s.quit)
		if err := s.conn.Close(); err != nil {
			s.relay.cfg.Logger.Warn("media socket did not close", zap.Stringer("local", s.conn.LocalAddrPort()), zap.Error(err))
		}
	})
}

// run is the plain engine: read, decide, write, until the socket is closed.
func (s *socket) run() {
	b := make([]byte, bufferSize)
	pause := readPauseFirst
	for {
		n, from, err := s.conn.ReadFromUDPAddrPort(b)
		switch {
		case err == nil:
			pause = readPauseFirst
			s.handle(b[:n], n == len(b), netip.AddrPortFrom(from.Addr().Unmap(), from.Port()))
		case errors.Is(err, net.ErrClosed):
			return
		default:
			s.drops.add(DropReadError)
			if pause == readPauseFirst { // once for errors in a row
				s.relay.cfg.Logger.Warn("media socket cannot be read, trying again",
					zap.Stringer("local", s.conn.LocalAddrPort()), zap.Error(err))
			}
			if !s.wait(pause) {
				return
			}
			pause = min(2*pause, readPauseLast)
		}
	}
}

// wait pauses; false means that the socket was closed.
func (s *socket) wait(d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-s.quit:
		return false
	}
}

// handle passes one datagram on, or counts why not. It allocates nothing unless something is learned, and what it
// writes is the flow's alone.
func (s *socket) handle(b []byte, cut bool, from netip.AddrPort) {
	now := s.relay.cfg.Now()
	in := newIntake(s.side, now)
	f, to := s.decide(b, cut, from, now, &in)
	in.settle()
	if f != nil && !f.keep(s, to, b, 0) {
		f.write(s, to, b, 0)
	}
}

// take is decide, by one loop at a time where two may have datagrams of one port; what was accepted is counted then.
func (s *socket) take(b []byte, cut bool, from netip.AddrPort, now time.Time, in *intake) (*Flow, netip.AddrPort) {
	if !s.relay.crossed || s.side != Origin || s.flow == nil {
		return s.decide(b, cut, from, now, in)
	}
	s.flow.turn.Lock()
	defer s.flow.turn.Unlock()
	defer in.settle()
	return s.decide(b, cut, from, now, in)
}

// decide says whose a datagram is and where it goes, or counts why it goes nowhere; the flow is nil then.
func (s *socket) decide(b []byte, cut bool, from netip.AddrPort, now time.Time, in *intake) (*Flow, netip.AddrPort) {
	f, reason := s.flow, DropNone
	if f == nil {
		if f, reason = s.shared.find(s.k, from, b); f == nil {
			s.drops.add(reason)
			return nil, netip.AddrPort{}
		}
	}
	var to netip.AddrPort
	if reason = DropTooLong; !cut {
		to, reason = f.route(s.side, s.k, from, b, now, in)
	}
	if f.tap != nil {
		f.show(s, from, to, b, reason, now)
	}
	if reason != DropNone {
		f.drops.add(reason)
		return nil, netip.AddrPort{}
	}
	return f, to
}
