package gateway

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"go.uber.org/zap"

	"mediagate/internal/config"
	"mediagate/internal/httpfallback"
	"mediagate/internal/sessionlog"
	"mediagate/rtsp"
)

// web is a virtual server for HTTP: what comes to its port is HTTP, or RTSP that is tunnelled in it. The first request
// of a connection tells.
type web struct {
	name    string
	http    *httpfallback.Proxy
	tunnel  *rtsp.Proxy
	record  func(*sessionlog.Record)
	log     *zap.Logger
	first   time.Duration // for the handshake and the first byte of a connection
	message time.Duration // from there to the end of the head
	most    int64         // connections
	open    atomic.Int64  // of them there are now, from their begin to their end, whoever serves them
	epoch   string        // sets the numbers of two runs apart
	surplus atomic.Int64  // connections over the limit that are answered now
	refused atomic.Uint64 // the number of the last connection that was

	ctx    context.Context
	cancel context.CancelFunc
	wg     sync.WaitGroup // the connections that are looked at

	mu        sync.Mutex // guards what follows
	closed    bool
	listeners []net.Listener
	flood     flood
}

func (g *Gateway) newWeb(c *config.VirtualServer, r *router) (*web, error) {
	log := g.log.Named("http").With(zap.String("virtual_server", c.Name))
	cfg := httpfallback.Config{
		VirtualServer: c.Name,
		Pool:          r.pool,
		Route:         r.route,
		Affinity:      time.Duration(c.Affinity),
		Announce:      g.announcer(c),
		Dial:          g.seen.dialer(),
		Limits:        httpfallback.Limits{Header: int(g.cfg.Limits.Header), Body: int64(g.cfg.Limits.Body)},
		Timeouts:      httpfallback.Timeouts(rtspTimeouts(&g.cfg.Timeouts)),
		Connections:   g.cfg.Limits.Connections,
		Record:        g.record,
		Interim:       time.Duration(g.cfg.Sessions.Interim),
		Viewer:        g.sightHTTP,
		Book:          g.book,
		Logger:        log,
	}
	if words := strings.Fields(g.opt.Version); len(words) > 0 {
		cfg.Version = words[0]
	}
	http, err := httpfallback.New(cfg)
	if err != nil {
		return nil, err
	}
	tunnel, err := g.newRTSP(c, r)
	if err != nil {
		return nil, err
	}
	w := &web{
		name: c.Name, http: http, tunnel: tunnel, record: g.record, log: log, epoch: newEpoch(),
		first: time.Duration(g.cfg.Timeouts.FirstRequest), message: time.Duration(g.cfg.Timeouts.Message),
		most: int64(g.cfg.Limits.Connections),
	}
	// The connections that are looked at end by Shutdown and Close, not by a caller's context.
	w.ctx, w.cancel = context.WithCancel(context.Background())
	return w, nil
}

// Sessions is the number of players that are served now.
func (w *web) Sessions() int { return w.http.Sessions() + w.tunnel.Sessions() }

// Serve accepts connections on l until Shutdown or Close.
func (w *web) Serve(l net.Listener) error {
	w.mu.Lock()
	if w.closed {
		w.mu.Unlock()
		_ = l.Close() // nothing was accepted on it
		return net.ErrClosed
	}
	w.listeners = append(w.listeners, l)
	w.mu.Unlock()
	pause := acceptPauseMin
	for {
		conn, err := l.Accept()
		switch {
		case err == nil:
			pause = acceptPauseMin
			w.take(conn)
		case errors.Is(err, net.ErrClosed):
			return err
		default:
			w.log.Warn("accept failed, pausing", zap.Error(err), zap.Duration("pause", pause))
			select {
			case <-time.After(pause):
			case <-w.ctx.Done():
				return net.ErrClosed
			}
			pause = min(2*pause, acceptPauseMax)
		}
	}
}

const (
	acceptPauseMin = 5 * time.Millisecond
	acceptPauseMax = time.Second
)

// take looks at a connection in a goroutine of its own.
func (w *web) take(conn net.Conn) {
	c := &counted{Conn: conn, since: time.Now()}
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case w.closed:
		_ = c.Close() // it came while the listener closed
	case w.place(c, &w.open, w.most):
		w.wg.Go(func() { w.look(c) })
	case w.place(c, &w.surplus, maxSurplus):
		w.wg.Go(func() { w.refuse(c, refusedBusy(c.below() != conn), 0) })
	default:
		w.overflow(c)
	}
}

// look hands a connection to the proxy that its first request is for.
func (w *web) look(conn *counted) {
	stop := context.AfterFunc(w.ctx, func() { _ = conn.below().SetDeadline(time.Now()) }) // what is waited for below returns by it
	defer stop()
	keepAlive(conn.below())
	if err := w.handshake(conn); err != nil {
		w.unheard(conn, err, refusedHandshake(err), conn.heard())
		return
	}
	head, what, err := sniff(conn, time.Until(conn.since.Add(w.first)), w.message)
	if err != nil {
		w.unheard(conn, err, refusedSlow(), len(head))
		return
	}
	if !stop() {
		_ = conn.Close() // the gateway stops
		return
	}
	_ = conn.SetReadDeadline(time.Time{}) // a closed connection is seen by who reads next
	switch next := (&replay{Conn: conn, head: head}); what {
	case speechTunnel:
		w.tunnel.ServeTunnel(next)
	case speechTLS:
		w.refuse(conn, refusedTLS(), len(head))
	case speechRTSP:
		w.refuse(conn, refusedRTSP(head), len(head))
	case speechMMS:
		w.refuse(conn, refusedMMS(), len(head))
	case speechNone:
		w.refuse(conn, refusedNone(), len(head))
	default:
		w.http.ServeConn(next)
	}
}

// unheard ends a connection whose first request did not come. One that went, or said nothing at all, leaves no record:
// browsers open more connections than they use.
func (w *web) unheard(conn *counted, err error, r refusal, read int) {
	var late net.Error
	silent := errors.As(err, &late) && late.Timeout() && read == 0
	if gone := errors.Is(err, io.EOF) || errors.Is(err, syscall.ECONNRESET); w.ctx.Err() == nil && !gone && !silent {
		w.refuse(conn, r, read)
		return
	}
	w.log.Debug("connection without a request", zap.Stringer("client", conn.RemoteAddr()), zap.Error(err))
	_ = conn.Close() // as above
}

// handshake does that of TLS, where there is one.
func (w *web) handshake(conn *counted) error {
	secure, ok := conn.Conn.(*tls.Conn)
	if !ok {
		return nil
	}
	ctx, cancel := context.WithDeadline(w.ctx, conn.since.Add(w.first))
	defer cancel()
	return secure.HandshakeContext(ctx)
}

// Shutdown stops accepting, lets the sessions run on, and returns when the last has ended or ctx is done.
func (w *web) Shutdown(ctx context.Context) error {
	w.stopAccepting()
	return both(func() error { return w.http.Shutdown(ctx) }, func() error { return w.tunnel.Shutdown(ctx) })
}

// Close ends everything now.
func (w *web) Close() error {
	w.stopAccepting()
	return both(w.http.Close, w.tunnel.Close)
}

func (w *web) stopAccepting() {
	w.mu.Lock()
	w.closed = true
	for _, l := range w.listeners {
		_ = l.Close() // Serve returns by it
	}
	w.mu.Unlock()
	w.cancel()
	w.wg.Wait()
}

func both(a, b func() error) error {
	var wg sync.WaitGroup
	var errA, errB error
	wg.Go(func() { errA = a() })
	wg.Go(func() { errB = b() })
	wg.Wait()
	return errors.Join(errA, errB)
}
