package rtsp

import (
	"context"
	"crypto/rand"
	"encoding/base32"
	"errors"
	"net"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"
)

// ErrProxyClosed is what Serve returns after Shutdown or Close.
var ErrProxyClosed = errors.New("rtsp: proxy closed")

// Proxy serves RTSP clients on any number of listeners. Its methods are safe for concurrent use.
type Proxy struct {
	cfg    Config
	via    string // our entry in Via
	ctx    context.Context
	cancel context.CancelCauseFunc
	wg     sync.WaitGroup // sessions and pumps
	served atomic.Uint64
	live   atomic.Int64
	// surplus counts the connections over the limit that are waited for, see surplus.go.
	surplus atomic.Int64
	epoch   string // sets the session numbers of two runs apart
	tunnels *tunnels

	mu        sync.Mutex // guards what follows
	draining  bool
	listeners map[net.Listener]struct{}
	bound     map[string]*session // by RTSP session ID of ours
	running   map[string]*session // by the ID in logs and records
}

// New checks cfg and returns a Proxy that does nothing yet.
func New(cfg Config) (*Proxy, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	var b [5]byte
	_, _ = rand.Read(b[:]) // crypto/rand.Read never fails (Go 1.24)
	epoch := strings.ToLower(base32.StdEncoding.EncodeToString(b[:]))
	p := &Proxy{
		cfg:       cfg,
		via:       "RTSP/1.0 " + cfg.Pseudonym + " (" + epoch + ")",
		epoch:     epoch,
		tunnels:   newTunnels(max(1, cfg.Connections/4)),
		listeners: make(map[net.Listener]struct{}),
		bound:     make(map[string]*session),
		running:   make(map[string]*session),
	}
	// The sessions' own context: they end by Shutdown and Close, not by a caller's.
	p.ctx, p.cancel = context.WithCancelCause(context.Background())
	return p, nil
}

const (
	acceptPauseMin = 5 * time.Millisecond
	acceptPauseMax = time.Second
)

// Serve accepts clients on l until Shutdown or Close, and returns ErrProxyClosed then. It closes l. A failing accept (no
// descriptors left) pauses and goes on, as net/http does.
func (p *Proxy) Serve(l net.Listener) error {
	if !p.track(l) {
		_ = l.Close() // nothing was accepted on it
		return ErrProxyClosed
	}
	defer p.untrack(l)
	pause := acceptPauseMin
	for {
		conn, err := l.Accept()
		switch {
		case err == nil:
			pause = acceptPauseMin
			p.ServeConn(conn)
		case errors.Is(err, net.ErrClosed):
			return ErrProxyClosed
		default:
			p.cfg.Logger.Warn("accept failed, pausing", zap.Error(err), zap.Duration("pause", pause))
			select {
			case <-time.After(pause):
			case <-p.ctx.Done():
				return ErrProxyClosed
			}
			pause = min(2*pause, acceptPauseMax)
		}
	}
}

func (p *Proxy) track(l net.Listener) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.draining {
		return false
	}
	p.listeners[l] = struct{}{}
	return true
}

func (p *Proxy) untrack(l net.Listener) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.listeners, l)
	_ = l.Close() // closed already when Shutdown did it
}

// ServeConn serves one client connection and returns at once; the connection is the Proxy's from then on. A connection
// that begins with the GET or POST of a tunnel is served as one.
func (p *Proxy) ServeConn(conn net.Conn) { p.serve(conn, false) }

// serve serves a connection; http: it was told to be a tunnel's.
func (p *Proxy) serve(conn net.Conn, http bool) {
	places, err := p.admit()
	if err != nil {
		p.turnAway(conn, err, http)
		return
	}
	s := p.newSession(conn)
	s.client.http = http
	s.surplus = places == &p.surplus
	p.enter(s)
	go func() {
		defer p.wg.Done()
		defer places.Add(-1)
		defer p.leave(s)
		defer p.survive(s)
		s.run()
	}()
}

// survive is the last net: a panic while a session gives its things back, where nothing is left to end.
func (p *Proxy) survive(s *session) {
	if v := recover(); v != nil {
		s.log.Error("session did not end properly", zap.Any("panic", v), zap.ByteString("stack", debug.Stack()))
	}
}

// admit takes a place for a connection, one of those over the limit if need be, and returns where it is counted.
func (p *Proxy) admit() (*atomic.Int64, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	places := &p.live
	switch {
	case p.draining:
		return nil, errDraining
	case p.live.Load() < int64(p.cfg.Connections):
	case p.surplus.Load() < maxSurplus:
		places = &p.surplus
	default:
		return nil, errBusy
	}
	places.Add(1)
	p.wg.Add(1) // under the lock that draining is set under: who waits after that waits for this one too
	return places, nil
}

// Sessions is the number of conversations that run now, detached ones included.
func (p *Proxy) Sessions() int { return int(p.live.Load()) }

// Shutdown stops accepting, lets the sessions run on, and returns when the last has ended or ctx is done; then the rest is
// ended, with TEARDOWN to their origins, and ctx's error is returned.
func (p *Proxy) Shutdown(ctx context.Context) error {
	p.stopAccepting()
	done := make(chan struct{})
	go func() {
		p.wg.Wait()
		close(done)
	}()
	select {
	case <-done:
		p.cancel(errShutdown)
		return nil
	case <-ctx.Done():
		p.cancel(errShutdown)
		<-done
		return ctx.Err()
	}
}

// Close ends everything now and waits for it. It may be called more than once.
func (p *Proxy) Close() error {
	p.stopAccepting()
	p.cancel(errShutdown)
	p.wg.Wait()
	return nil
}

func (p *Proxy) stopAccepting() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.draining = true
	for l := range p.listeners {
		_ = l.Close() // Serve returns by it
	}
}

// register makes a session findable by one of its RTSP session IDs, for a player that comes back on a new connection.
func (p *Proxy) register(id string, s *session) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.bound[id] = s
}

func (p *Proxy) unregister(id string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.bound, id)
}

func (p *Proxy) lookup(id string) *session {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.bound[id]
}

// nextID numbers the conversations; the epoch sets two runs of the program apart.
func (p *Proxy) nextID() string {
	return p.epoch + "-" + strconv.FormatUint(p.served.Add(1), 10)
}

// isLoop says that a request has come through this very Proxy before: a node that is ourselves.
func (p *Proxy) isLoop(via []string) bool {
	for _, v := range via {
		if strings.Contains(v, "("+p.epoch+")") {
			return true
		}
	}
	return false
}
