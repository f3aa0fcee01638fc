package gateway

import (
	"context"
	"errors"
	"net"
	"strings"
	"sync"
	"time"

	"go.uber.org/zap"

	"mediagate/internal/config"
	"mediagate/internal/httpfallback"
	"mediagate/rtsp"
)

// web is a virtual server for HTTP: what comes to its port is HTTP, or RTSP that is tunnelled in it. The first request
// of a connection tells.
type web struct {
	http   *httpfallback.Proxy
	tunnel *rtsp.Proxy
	log    *zap.Logger
	wait   time.Duration // for the head of the first request
	most   int           // connections whose first request has not come yet

	ctx    context.Context
	cancel context.CancelFunc
	wg     sync.WaitGroup // the connections that are looked at

	mu        sync.Mutex // guards what follows
	closed    bool
	listeners []net.Listener
	looking   int
}

func (g *Gateway) newWeb(c *config.VirtualServer, r *router) (*web, error) {
	log := g.log.Named("http").With(zap.String("virtual_server", c.Name))
	cfg := httpfallback.Config{
		VirtualServer: c.Name,
		Pool:          r.pool,
		Route:         r.route,
		Affinity:      time.Duration(c.Affinity),
		Announce:      g.announcer(c),
		Limits:        httpfallback.Limits{Header: int(g.cfg.Limits.Header), Body: int64(g.cfg.Limits.Body)},
		Timeouts:      httpfallback.Timeouts(rtspTimeouts(&g.cfg.Timeouts)),
		Connections:   g.cfg.Limits.Connections,
		Record:        g.record,
		Viewer:        g.sightHTTP,
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
		http: http, tunnel: tunnel, log: log,
		wait: time.Duration(g.cfg.Timeouts.FirstRequest), most: g.cfg.Limits.Connections,
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

// take looks at a connection in a goroutine of its own. One too many is httpfallback's at once, which refuses it when it
// has too many itself.
func (w *web) take(conn net.Conn) {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case w.closed:
		_ = conn.Close() // it came while the listener closed
	case w.looking >= w.most:
		w.http.ServeConn(conn)
	default:
		w.looking++
		w.wg.Go(func() {
			w.look(conn)
			w.mu.Lock()
			defer w.mu.Unlock()
			w.looking--
		})
	}
}

// look hands a connection to the proxy that its first request is for.
func (w *web) look(conn net.Conn) {
	stop := context.AfterFunc(w.ctx, func() { _ = conn.SetReadDeadline(time.Now()) }) // the read below returns by it
	head, tunnel := sniff(conn, w.wait)
	if !stop() {
		_ = conn.Close() // the gateway stops
		return
	}
	_ = conn.SetReadDeadline(time.Time{}) // a closed connection is seen by who reads next
	next := &replay{Conn: conn, head: head}
	if tunnel {
		w.tunnel.ServeTunnel(next)
		return
	}
	w.http.ServeConn(next)
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
