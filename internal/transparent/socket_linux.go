package transparent

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Dial connects over TCP to an origin with the client's own address, and with its port if that is free towards this
// origin; else with any. The context's deadline bounds it. Errors are an *OpError; without the privilege errors.Is says
// ErrUnsupported.
func Dial(ctx context.Context, client, to netip.AddrPort) (net.Conn, error) {
	client, to = unmap(client), unmap(to)
	if client.Addr().Is4() != to.Addr().Is4() {
		return nil, &OpError{Op: "dial", Addr: to, Err: fmt.Errorf("client %v is of the other address family", client)}
	}
	c, err := dial(ctx, client, to)
	if client.Port() != 0 && (errors.Is(err, unix.EADDRINUSE) || errors.Is(err, unix.EADDRNOTAVAIL) || errors.Is(err, unix.EACCES)) {
		// Taken by a connection that lives or lingers, or a port below 1024 that we may not take.
		c, err = dial(ctx, netip.AddrPortFrom(client.Addr(), 0), to)
	}
	if err != nil {
		return nil, &OpError{Op: "dial", Addr: to, Err: fmt.Errorf("as %v: %w", client, err)}
	}
	return c, nil
}

func dial(ctx context.Context, client, to netip.AddrPort) (net.Conn, error) {
	d := net.Dialer{
		LocalAddr: net.TCPAddrFromAddrPort(client),
		Control: func(_, _ string, c syscall.RawConn) error {
			return control(c, func(fd int) error {
				if client.Port() == 0 {
					// The port is chosen when it connects: one port serves connections to different origins.
					return unix.SetsockoptInt(fd, unix.SOL_IP, unix.IP_BIND_ADDRESS_NO_PORT, 1)
				}
				// The client may have connections with other origins from this port already.
				return unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1)
			}, client.Addr())
		},
		// An origin that is gone without a word is found while nothing is sent to it.
		KeepAliveConfig: net.KeepAliveConfig{Enable: true, Idle: 15 * time.Second, Interval: 5 * time.Second, Count: 6},
	}
	return d.DialContext(ctx, "tcp", to.String())
}

// ListenUDP binds a socket to an address that may be a client's, to send from it and to receive what Rules brings home.
// The caller closes it. Errors are an *OpError; by EADDRINUSE the caller knows that the port is taken.
func ListenUDP(at netip.AddrPort) (*net.UDPConn, error) {
	at = unmap(at)
	lc := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) error {
		return control(c, func(int) error { return nil }, at.Addr())
	}}
	network := "udp6"
	if at.Addr().Is4() {
		network = "udp4"
	}
	// No name is looked up and a bind does not wait, so the context would end nothing.
	c, err := lc.ListenPacket(context.Background(), network, at.String())
	if err != nil {
		return nil, &OpError{Op: "listen", Addr: at, Err: err}
	}
	return c.(*net.UDPConn), nil
}

// control makes a socket transparent, and then does more to it, before it is bound.
func control(c syscall.RawConn, more func(fd int) error, local netip.Addr) error {
	var failed error
	err := c.Control(func(raw uintptr) {
		level, option := unix.SOL_IPV6, unix.IPV6_TRANSPARENT
		if local.Is4() {
			level, option = unix.SOL_IP, unix.IP_TRANSPARENT
		}
		if err := unix.SetsockoptInt(int(raw), level, option, 1); err != nil {
			failed = explain("a socket with another's address", os.NewSyscallError("setsockopt", err))
			return
		}
		failed = more(int(raw))
	})
	return errors.Join(err, failed)
}

func unmap(a netip.AddrPort) netip.AddrPort { return netip.AddrPortFrom(a.Addr().Unmap(), a.Port()) }
