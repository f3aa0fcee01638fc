package origin

import (
	"context"
	"net/netip"
)

// Server is a Windows-Media-like RTSP origin.
type Server struct{}

// New checks cfg and reads the files to serve; it binds nothing.
func New(cfg Config) (*Server, error) { return &Server{}, nil }

// Start binds the RTSP listener and the UDP pair.
func (s *Server) Start() error { return nil }

// Run serves until ctx ends or Close is called; it calls Start if that was not done.
func (s *Server) Run(ctx context.Context) error { <-ctx.Done(); return nil }

// Close ends all sessions and waits for every goroutine. It may be called more than once.
func (s *Server) Close() error { return nil }

// Addr is the bound RTSP address.
func (s *Server) Addr() netip.AddrPort { return netip.AddrPort{} }

// URL is the rtsp:// address of path at this origin.
func (s *Server) URL(path string) string { return "" }

// Snapshot is a copy of what the origin has seen so far.
func (s *Server) Snapshot() Log { return Log{} }
