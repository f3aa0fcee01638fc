package origin

import (
	"context"
	"net/netip"
)

// Ordinary is an RTSP origin of H.264 and AAC.
type Ordinary struct{}

// NewOrdinary checks cfg and reads the bundled sample; it binds nothing.
func NewOrdinary(cfg OrdinaryConfig) (*Ordinary, error) { return &Ordinary{}, nil }

// Start binds the listener and the UDP pair.
func (o *Ordinary) Start() error { return nil }

// Run serves until ctx ends or Close is called; it calls Start if that was not done.
func (o *Ordinary) Run(ctx context.Context) error { <-ctx.Done(); return nil }

// Close ends all sessions and waits for every goroutine. It may be called more than once.
func (o *Ordinary) Close() error { return nil }

// Addr is the bound RTSP address.
func (o *Ordinary) Addr() netip.AddrPort { return netip.AddrPort{} }

// URL is the rtsp:// address of path at this origin.
func (o *Ordinary) URL(path string) string { return "" }

// Snapshot is a copy of what the origin has seen so far.
func (o *Ordinary) Snapshot() Log { return Log{} }
