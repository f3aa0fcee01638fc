package origin

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"sync"
	"time"

	"go.uber.org/zap"
)

// sweepEvery is how often silent sessions are looked for.
const sweepEvery = time.Second

// Server is a Windows-Media-like origin of RTSP, MMS and HTTP. Its verbs may be called from any goroutine.
type Server struct {
	cfg     Config
	log     *zap.Logger
	library *library
	nonce   string
	seen    recorder
	mms     *mms // nil: no MMS
	web     *web // nil: no HTTP

	wg   sync.WaitGroup
	done chan struct{} // closed by Close

	mu       sync.Mutex // guards what follows; never held over I/O
	listener *net.TCPListener
	rtp      *net.UDPConn
	rtcp     *net.UDPConn
	conns    map[*conn]struct{}
	sessions map[string]*session
	started  bool
	closed   bool
}

// New checks cfg and reads the files to serve; it binds nothing. The caller must Close the server, also if it never
// starts.
func New(cfg Config) (*Server, error) {
	if err := cfg.check(); err != nil {
		return nil, err
	}
	l, err := newLibrary(cfg.Dir)
	if err != nil {
		return nil, err
	}
	s := &Server{
		cfg: cfg, log: cfg.Logger, library: l, nonce: rand.Text(), done: make(chan struct{}),
		conns: map[*conn]struct{}{}, sessions: map[string]*session{},
	}
	if cfg.MMS.IsValid() {
		s.mms = newMMS(s)
	}
	if cfg.HTTP.IsValid() {
		s.web = newWeb(s)
	}
	return s, nil
}

// Start binds the RTSP listener, the UDP pair and, if there are any, the MMS and HTTP ports, and begins to serve. A second
// call does nothing.
func (s *Server) Start() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return net.ErrClosed
	}
	if s.started {
		return nil
	}
	if err := s.bindLocked(); err != nil {
		return err
	}
	s.started = true
	rtp, rtcp := s.rtp, s.rtcp
	s.wg.Go(s.accept)
	s.wg.Go(s.sweep)
	s.wg.Go(func() { s.receive(rtp, false) })
	s.wg.Go(func() { s.receive(rtcp, true) })
	if s.mms != nil {
		s.mms.start()
	}
	if s.web != nil {
		s.web.start()
	}
	return nil
}

// bindLocked takes all sockets or none.
func (s *Server) bindLocked() (err error) {
	a := s.cfg.Listen.Addr()
	defer func() {
		if err != nil {
			closeAll(s.listener, s.rtp, s.rtcp)
		}
	}()
	if s.listener, err = net.ListenTCP("tcp", net.TCPAddrFromAddrPort(s.cfg.Listen)); err != nil {
		return fmt.Errorf("origin: listen on %s: %w", s.cfg.Listen, err)
	}
	for i, c := range []**net.UDPConn{&s.rtp, &s.rtcp} {
		at := netip.AddrPortFrom(a, s.cfg.Media+uint16(i))
		if *c, err = net.ListenUDP("udp", net.UDPAddrFromAddrPort(at)); err != nil {
			return fmt.Errorf("origin: listen on udp %s: %w", at, err)
		}
	}
	if s.mms != nil {
		if err = s.mms.bind(s.cfg.MMS); err != nil {
			return err
		}
	}
	if s.web != nil {
		if err = s.web.bind(s.cfg.HTTP); err != nil && s.mms != nil {
			s.mms.close()
		}
	}
	return err
}

// Run serves until ctx ends or Close is called, and closes the server; it calls Start if that was not done.
func (s *Server) Run(ctx context.Context) error {
	if err := s.Start(); err != nil {
		return errors.Join(err, s.Close())
	}
	select {
	case <-ctx.Done():
	case <-s.done:
	}
	return s.Close()
}

// Close ends all sessions and waits for every goroutine. It may be called more than once.
func (s *Server) Close() error {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		s.wg.Wait()
		return nil
	}
	s.closed = true
	close(s.done)
	closeAll(s.listener, s.rtp, s.rtcp)
	if s.mms != nil {
		s.mms.close()
	}
	if s.web != nil {
		s.web.close()
	}
	conns, sessions := s.takeLocked()
	s.mu.Unlock()
	for _, c := range conns {
		c.close()
	}
	for _, e := range sessions {
		e.stop()
	}
	s.wg.Wait()
	return s.library.close()
}

// takeLocked empties both tables.
func (s *Server) takeLocked() (conns []*conn, sessions []*session) {
	for c := range s.conns {
		conns = append(conns, c)
	}
	for _, e := range s.sessions {
		sessions = append(sessions, e)
	}
	clear(s.sessions)
	return conns, sessions
}

// Addr is the bound RTSP address; before Start it is the configured one.
func (s *Server) Addr() netip.AddrPort {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.listener == nil {
		return s.cfg.Listen
	}
	return s.listener.Addr().(*net.TCPAddr).AddrPort()
}

// URL is the rtsp:// address of path at this origin.
func (s *Server) URL(path string) string {
	return "rtsp://" + s.Addr().String() + "/" + strings.TrimPrefix(path, "/")
}

// Snapshot is a copy of what the origin has seen so far.
func (s *Server) Snapshot() Log {
	l := s.seen.snapshot()
	if s.mms != nil {
		l.Connections = s.mms.count()
	}
	if s.web != nil {
		l.HTTPConnections, l.HTTPSessions = s.web.count()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	l.Sessions = len(s.sessions)
	return l
}

// accept takes connections until the listener is closed.
func (s *Server) accept() {
	for {
		tcp, err := s.listener.AcceptTCP()
		if err != nil {
			select {
			case <-s.done:
				return
			case <-time.After(100 * time.Millisecond): // out of descriptors: try again a little later
				continue
			}
		}
		c := newConn(s, tcp)
		s.mu.Lock()
		closed := s.closed
		if !closed {
			s.conns[c] = struct{}{}
		}
		s.mu.Unlock()
		if closed {
			c.close()
			return
		}
		s.wg.Go(c.serve)
	}
}

// forget is called by a connection that has ended.
func (s *Server) forget(c *conn) {
	s.mu.Lock()
	delete(s.conns, c)
	left := s.sessionsOfLocked(c)
	s.mu.Unlock()
	for _, e := range left {
		if e.leave(c) {
			s.drop(e)
		}
	}
}

func (s *Server) sessionsOfLocked(c *conn) []*session {
	var out []*session
	for _, e := range s.sessions {
		if e.uses(c) {
			out = append(out, e)
		}
	}
	return out
}

// drop ends a session.
func (s *Server) drop(e *session) {
	s.mu.Lock()
	delete(s.sessions, e.id)
	s.mu.Unlock()
	e.stop()
}

// sweep ends sessions that have been silent too long. [MS-RTSP] 3.2.6.2: their connection is closed too.
func (s *Server) sweep() {
	tick := time.NewTicker(min(sweepEvery, s.cfg.Timeout/4))
	defer tick.Stop()
	for {
		select {
		case <-s.done:
			return
		case now := <-tick.C:
			s.mu.Lock()
			var late []*session
			for _, e := range s.sessions {
				if e.silent(now) {
					late = append(late, e)
				}
			}
			s.mu.Unlock()
			for _, e := range late {
				s.log.Info("session timed out", zap.String("session", e.id))
				e.closeConn()
				s.drop(e)
			}
		}
	}
}
