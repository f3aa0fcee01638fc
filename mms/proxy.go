package mms

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

	"mediagate/mms/mmswire"
)

// ErrProxyClosed is what Serve returns after Shutdown or Close.
var ErrProxyClosed = errors.New("mms: proxy closed")

// Proxy serves MMS clients on any number of listeners. Its methods are safe for concurrent use.
type Proxy struct {
	cfg    Config
	via    string // our entry in VIA
	ctx    context.Context
	cancel context.CancelCauseFunc
	wg     sync.WaitGroup // sessions and pumps
	served atomic.Uint64
	live   atomic.Int64
	epoch  string // sets the session numbers of two runs apart

	// greeting is what an origin last answered to a Connect, for one that the gateway answers itself; nil: none has yet.
	greeting atomic.Pointer[mmswire.ReportConnectedEX]

	mu        sync.Mutex // guards what follows
	draining  bool
	listeners map[net.Listener]struct{}
	clientIDs map[clientID]struct{}
	lastID    uint32
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
		via:       cfg.Pseudonym + "/" + cfg.Version + "-" + epoch,
		epoch:     epoch,
		listeners: make(map[net.Listener]struct{}),
		clientIDs: make(map[clientID]struct{}),
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

// ServeConn serves one client connection and returns at once; the connection is the Proxy's from then on.
func (p *Proxy) ServeConn(conn net.Conn) {
	if err := p.admit(); err != nil {
		p.turnAway(conn, err)
		return
	}
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetKeepAliveConfig(deadAfter) // a player on UDP says nothing for hours; its host may be gone
	}
	s := p.newSession(conn)
	p.enter(s)
	go func() {
		defer p.wg.Done()
		defer p.live.Add(-1)
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

func (p *Proxy) admit() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.draining {
		return errDraining
	}
	if p.live.Load() >= int64(p.cfg.Connections) {
		return errBusy
	}
	p.live.Add(1)
	p.wg.Add(1) // under the lock that draining is set under: who waits after that waits for this one too
	return nil
}

// Sessions is the number of conversations that run now.
func (p *Proxy) Sessions() int { return int(p.live.Load()) }

// Shutdown stops accepting, lets the sessions run on, and returns when the last has ended or ctx is done; then the rest is
// ended, with CloseFile to their origins, and ctx's error is returned.
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

// nextID numbers the conversations; the epoch sets two runs of the program, and two proxies, apart.
func (p *Proxy) nextID() string {
	return p.epoch + "-" + strconv.FormatUint(p.served.Add(1), 10)
}
