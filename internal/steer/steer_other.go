//go:build !linux

package steer

import (
	"fmt"
	"net/netip"
)

// Steering is a program of Linux; there is none on this system.
type Steering struct{}

// Open returns an error that matches ErrUnsupported.
func Open(s Spec) (*Steering, error) {
	if err := s.check(); err != nil {
		return nil, fmt.Errorf("steer: open ports %d-%d: %w", s.Lo, s.Hi, err)
	}
	return nil, fmt.Errorf("steer: open ports %d-%d: %w: needs Linux 5.9", s.Lo, s.Hi, ErrUnsupported)
}

// Hold is never called: Open has failed.
func (*Steering) Hold(netip.AddrPort) error { return ErrClosed }

// Release is never called: Open has failed.
func (*Steering) Release(netip.AddrPort) error { return ErrClosed }

// Close does nothing.
func (*Steering) Close() error { return nil }
