//go:build !linux

package transparent

import (
	"context"
	"fmt"
	"net"
	"net/netip"
)

// Rules is what Install makes on Linux.
type Rules struct{}

// Watcher is what Watch makes on Linux.
type Watcher struct{}

func unsupported(what string) error {
	return fmt.Errorf("transparent: %s: %w: only Linux has it", what, ErrUnsupported)
}

// Dial answers ErrUnsupported.
func Dial(context.Context, netip.AddrPort, netip.AddrPort) (net.Conn, error) {
	return nil, unsupported("dial")
}

// ListenUDP answers ErrUnsupported.
func ListenUDP(netip.AddrPort) (*net.UDPConn, error) { return nil, unsupported("listen") }

// Install answers ErrUnsupported.
func Install(Spec) (*Rules, error) { return nil, unsupported("install") }

// Remove has nothing to take away.
func (*Rules) Remove() error { return nil }

// Check finds nothing.
func (*Rules) Check() ([]Conflict, error) { return nil, unsupported("check") }

// Counters answers ErrUnsupported.
func (*Rules) Counters() ([]Count, error) { return nil, unsupported("count") }

// Counters answers ErrUnsupported.
func Counters(string) ([]Count, error) { return nil, unsupported("count") }

// Check answers ErrUnsupported.
func Check(Spec) ([]Conflict, error) { return nil, unsupported("check") }

// Missing answers ErrUnsupported.
func Missing(Spec) ([]Conflict, error) { return nil, unsupported("check") }

// Capable is false: the privilege is Linux's.
func Capable() bool { return false }

// Watch answers ErrUnsupported.
func Watch(uint16, func(Refusal)) (*Watcher, error) { return nil, unsupported("watch") }

// Close has nothing to end.
func (*Watcher) Close() error { return nil }
