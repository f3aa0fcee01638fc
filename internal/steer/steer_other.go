//go:build !linux

package steer

import (
	"fmt"
	"net/netip"
)

// Steering is a program of Linux; there is none on this system.
type Steering struct{}

// Interface is a network interface of Linux.
type Interface struct {
	Name   string
	Native bool
	Queues []*Queue
	Err    error
}

// Queue is a receive queue of an Interface.
type Queue struct{}

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

// Interfaces are none.
func (*Steering) Interfaces() []*Interface { return nil }

// Close does nothing.
func (*Steering) Close() error { return nil }

// Descriptor is never called: there is no Queue.
func (*Queue) Descriptor() int { return -1 }

// Receive is never called: there is no Queue.
func (*Queue) Receive(int) int { return 0 }

// Datagram is never called: there is no Queue.
func (*Queue) Datagram(int) (from, local netip.AddrPort, payload []byte, tos uint8, ok bool) {
	return from, local, nil, 0, false
}

// Release is never called: there is no Queue.
func (*Queue) Release() {}

// Dropped is never called: there is no Queue.
func (*Queue) Dropped() uint64 { return 0 }
