package origin

import (
	"fmt"
	"net"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"
)

// DefaultHTTPPort is where players look for Windows Media over HTTP. [MS-WMSP] 1.9.
const DefaultHTTPPort = 80

const (
	maxWeb         = 4096    // connections at a time; what comes on top is closed at once
	maxWebSessions = 1 << 14 // at a time; what comes on top is answered with 503
	maxIssued      = 1 << 16 // client-ids that are remembered as ours
)

// web is the HTTP half of a Server: a listener, its connections, and the sessions of [MS-WMSP] 3.2, which live longer
// than a connection. It does not use net/http's server: in pipelined mode ([MS-WMSP] 1.3) the next request is read while
// the answer to the one before is being sent, and cuts that answer off.
type web struct {
	server   *Server
	patience time.Duration // wholeMessage, but in tests
	busy     atomic.Bool

	mu       sync.Mutex // guards what follows; never held over I/O
	listener *net.TCPListener
	conns    map[*webConn]struct{}
	sessions map[uint32]*webSession // by Client-ID, which is random: [MS-WMSP] 3.2.3
	issued   map[uint32]struct{}    // Client-IDs that were ours, also of sessions that have ended
	order    []uint32               // of issued, oldest first
}

func newWeb(s *Server) *web {
	w := &web{
		server: s, patience: wholeMessage, conns: map[*webConn]struct{}{}, sessions: map[uint32]*webSession{},
		issued: map[uint32]struct{}{},
	}
	w.busy.Store(s.cfg.Busy)
	return w
}

func (w *web) bind(at netip.AddrPort) error {
	l, err := net.ListenTCP("tcp", net.TCPAddrFromAddrPort(at))
	if err != nil {
		return fmt.Errorf("origin: listen on %s: %w", at, err)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.listener = l
	return nil
}

// start serves what bind has bound.
func (w *web) start() {
	w.server.wg.Go(w.accept)
	w.server.wg.Go(w.sweep)
}

// close ends the listener and all connections; their goroutines are waited for by the Server.
func (w *web) close() {
	w.mu.Lock()
	closeAll(w.listener)
	conns := make([]*webConn, 0, len(w.conns))
	for c := range w.conns {
		conns = append(conns, c)
	}
	w.mu.Unlock()
	for _, c := range conns {
		c.close()
	}
}

func (w *web) addr() netip.AddrPort {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.listener == nil {
		return w.server.cfg.HTTP
	}
	return w.listener.Addr().(*net.TCPAddr).AddrPort()
}

// accept takes connections until the listener is closed.
func (w *web) accept() {
	for {
		tcp, err := w.listener.AcceptTCP()
		if err != nil {
			select {
			case <-w.server.done:
				return
			case <-time.After(100 * time.Millisecond): // out of descriptors: try again a little later
				continue
			}
		}
		if c := w.newConn(tcp); c != nil {
			w.server.wg.Go(c.serve)
		} else {
			_ = tcp.Close() // nobody has used it
		}
	}
}

// newConn registers a connection; nil if there are too many, or the Server is closing: then close has seen the table, or
// will see this connection in it.
func (w *web) newConn(tcp *net.TCPConn) *webConn {
	w.mu.Lock()
	defer w.mu.Unlock()
	select {
	case <-w.server.done:
		return nil
	default:
	}
	if len(w.conns) >= maxWeb {
		w.server.log.Warn("too many http connections", zap.Int("limit", maxWeb))
		return nil
	}
	c := newWebConn(w, tcp)
	w.conns[c] = struct{}{}
	return c
}

func (w *web) forget(c *webConn) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.conns, c)
}

// open begins a session with a number of its own; nil if there are too many. [MS-WMSP] 3.2.3.
func (w *web) open() *webSession {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.sessions) >= maxWebSessions {
		return nil
	}
	id := random32()
	for _, used := w.issued[id]; used || id == 0; _, used = w.issued[id] {
		id = random32()
	}
	if len(w.order) == maxIssued {
		var kept []uint32
		for _, old := range w.order[:maxIssued/2] {
			if w.sessions[old] != nil {
				kept = append(kept, old)
			} else {
				delete(w.issued, old)
			}
		}
		w.order = append(kept, w.order[maxIssued/2:]...)
	}
	w.issued[id] = struct{}{}
	w.order = append(w.order, id)
	e := newWebSession(w, id)
	w.sessions[id] = e
	return e
}

// find is the session of a Client-ID, or nil; ours tells whether the number was given out here.
func (w *web) find(id uint32) (e *webSession, ours bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	_, ours = w.issued[id]
	return w.sessions[id], ours
}

func (w *web) drop(e *webSession) {
	w.mu.Lock()
	delete(w.sessions, e.id)
	w.mu.Unlock()
	e.halt(nil)
}

func (w *web) count() (conns, sessions int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.conns), len(w.sessions)
}

// sweep ends sessions that have been idle too long. [MS-WMSP] 3.2.6.2: their connections are closed too.
func (w *web) sweep() {
	tick := time.NewTicker(min(sweepEvery, w.server.cfg.Timeout/4))
	defer tick.Stop()
	for {
		select {
		case <-w.server.done:
			return
		case now := <-tick.C:
			w.mu.Lock()
			var late []*webSession
			for _, e := range w.sessions {
				if e.silent(now) {
					late = append(late, e)
				}
			}
			w.mu.Unlock()
			for _, e := range late {
				w.server.log.Debug("http session timed out", zap.Uint32("client_id", e.id))
				e.closeConn()
				w.drop(e)
			}
		}
	}
}

// HTTPAddr is the bound HTTP address; before Start it is the configured one, and not valid if there is none.
func (s *Server) HTTPAddr() netip.AddrPort {
	if s.web == nil {
		return netip.AddrPort{}
	}
	return s.web.addr()
}

// HTTPURL is the http:// address of path at this origin, or empty if it speaks no HTTP.
func (s *Server) HTTPURL(path string) string {
	if s.web == nil {
		return ""
	}
	return "http://" + s.HTTPAddr().String() + "/" + strings.TrimPrefix(path, "/")
}

// SetBusy says whether HTTP requests are answered with 503 from now on; what is being sent goes on.
func (s *Server) SetBusy(on bool) {
	if s.web != nil {
		s.web.busy.Store(on)
	}
}
