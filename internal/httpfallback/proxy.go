package httpfallback

import (
	"context"
	"crypto/rand"
	"encoding/base32"
	"errors"
	"net"
	"net/http"
	"net/http/httputil"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"mediagate/internal/capture"
)

// ErrProxyClosed is what Serve returns after Shutdown or Close.
var ErrProxyClosed = errors.New("httpfallback: proxy closed")

// Proxy serves HTTP clients on any number of listeners. Its methods are safe for concurrent use.
type Proxy struct {
	cfg        Config
	receivedBy string // our name in Via, which no other gateway has
	epoch      string // sets the session numbers of two runs apart
	server     *http.Server
	reverse    *httputil.ReverseProxy
	feed       *feed
	start      sync.Once // of the server, with the first connection
	quit       chan struct{}
	quitOnce   sync.Once

	killGrace, killPatience time.Duration

	conns   sync.WaitGroup // client connections, and the server itself
	closing sync.WaitGroup // records on their way
	open    atomic.Int64   // client connections
	live    atomic.Int64   // sessions
	number  atomic.Uint64  // of the last session
	bodies  atomic.Int64   // bytes of request bodies
	killed  atomic.Bool    // what breaks now was broken by us

	mu        sync.Mutex // guards what follows, and what session and link say it guards
	draining  bool
	listeners map[net.Listener]struct{}
	players   *affinity
	sessions  map[string]*session // by the ID in logs and records
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
		cfg: cfg, epoch: epoch, receivedBy: cfg.Pseudonym + "-" + epoch, feed: newFeed(), quit: make(chan struct{}),
		listeners: make(map[net.Listener]struct{}), sessions: make(map[string]*session), players: newAffinity(cfg.Affinity),
		killGrace: killGrace, killPatience: killPatience,
	}
	quiet, _ := zap.NewStdLogAt(cfg.Logger, zap.DebugLevel) // the level is a known one
	p.reverse = &httputil.ReverseProxy{
		Rewrite: p.rewrite, Transport: roundTripper(p.roundTrip), ModifyResponse: p.take, ErrorHandler: p.fail,
		FlushInterval: -1, BufferPool: newBuffers(), ErrorLog: quiet,
	}
	p.server = &http.Server{
		Handler: http.HandlerFunc(p.serve), ErrorLog: quiet, DisableGeneralOptionsHandler: true, // OPTIONS * is a KeepAlive
		ReadHeaderTimeout: cfg.Timeouts.Message, IdleTimeout: cfg.Timeouts.Idle, MaxHeaderBytes: cfg.Limits.Header,
		ConnContext: p.withLink, ConnState: p.onState,
	}
	return p, nil
}

// roundTripper makes a function a http.RoundTripper.
type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

const (
	acceptPauseMin = 5 * time.Millisecond
	acceptPauseMax = time.Second
)

// Serve accepts clients on l until Shutdown or Close, and returns ErrProxyClosed then. It closes l. A failing accept (no
// descriptors left) pauses and goes on.
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
			case <-p.quit:
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
	if err := p.admitConn(); err != nil {
		_ = conn.SetWriteDeadline(time.Now().Add(time.Second)) // an accepted connection takes this much at once
		_, _ = conn.Write([]byte("HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"))
		_ = conn.Close() // a client that we do not serve
		p.cfg.Logger.Warn("connection refused", zap.Stringer("client", conn.RemoteAddr()), zap.Error(err))
		return
	}
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetKeepAliveConfig(deadAfter) // a paused player's host may be gone
	}
	p.start.Do(func() {
		p.conns.Go(func() { _ = p.server.Serve(p.feed) }) // http.ErrServerClosed
	})
	c := newClientConn(conn, &p.cfg.Timeouts, func() { p.open.Add(-1) })
	c.tap = p.cfg.Book.Connect(capture.Client, peerOf(conn.LocalAddr()), peerOf(conn.RemoteAddr()))
	if !p.feed.give(c) {
		_ = c.Close() // the server ends
		p.conns.Done()
	}
}

func (p *Proxy) admitConn() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.draining {
		return errDraining
	}
	if p.open.Load() >= int64(p.cfg.Connections) {
		return errBusy
	}
	p.open.Add(1)
	p.conns.Add(1) // until onState; under the lock that draining is set under
	return nil
}

// withLink gives a connection its link, with a Transport of its own.
func (p *Proxy) withLink(ctx context.Context, c net.Conn) context.Context {
	cc, _ := c.(*clientConn)
	l := &link{conn: cc, client: peerOf(c.RemoteAddr()), local: peerOf(c.LocalAddr())}
	l.transport = &http.Transport{
		DialContext: l.dialer(&p.cfg), DisableCompression: true, MaxIdleConnsPerHost: 1, IdleConnTimeout: p.cfg.Timeouts.Idle,
		ResponseHeaderTimeout: p.cfg.Timeouts.Response, MaxResponseHeaderBytes: originHeader,
	}
	cc.link.Store(l)
	return context.WithValue(ctx, linkKey{}, l)
}

// dialer opens the origin connections of a link.
func (l *link) dialer(cfg *Config) func(context.Context, string, string) (net.Conn, error) {
	return func(ctx context.Context, _, addr string) (net.Conn, error) {
		to, err := netip.ParseAddrPort(addr)
		if err != nil {
			return nil, &dialError{err}
		}
		ctx, cancel := context.WithTimeout(ctx, cfg.Timeouts.Connect)
		defer cancel()
		c, err := cfg.Dial(ctx, l.client, to)
		if err != nil {
			return nil, &dialError{err}
		}
		seen := peerOf(c.LocalAddr())
		l.seenAs.Store(&seen)
		return &originConn{Conn: c, link: l, tap: cfg.Book.Connect(capture.Origin, seen, to)}, nil
	}
}

// onState gives back what a closed connection had; its goroutine has ended then.
func (p *Proxy) onState(c net.Conn, state http.ConnState) {
	if state != http.StateClosed && state != http.StateHijacked {
		return
	}
	if cc, ok := c.(*clientConn); ok {
		if l := cc.link.Load(); l != nil {
			l.transport.CloseIdleConnections()
			p.mu.Lock()
			l.countLocked(l.session)
			if l.session != nil {
				delete(l.session.links, l)
			}
			p.mu.Unlock()
		}
	}
	p.conns.Done()
}

func peerOf(a net.Addr) netip.AddrPort {
	if tcp, ok := a.(*net.TCPAddr); ok {
		return addrOf(tcp.AddrPort())
	}
	ap, _ := netip.ParseAddrPort(a.String()) // a connection that is no TCP has no address
	return addrOf(ap)
}

// Sessions is the number of sessions that run now, those included that wait for their player's next request.
func (p *Proxy) Sessions() int { return int(p.live.Load()) }

// nextID numbers the sessions; the epoch sets two runs of the program, and two proxies, apart.
func (p *Proxy) nextID() string { return p.epoch + "-" + strconv.FormatUint(p.number.Add(1), 10) }
