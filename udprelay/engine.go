package udprelay

import (
	"net"
	"net/netip"
)

// Conn is one bound UDP socket, the seam between the relay and whatever moves its datagrams. *net.UDPConn is a Conn.
//
// One goroutine reads, several write. After Close every call, also one that is blocked, returns an error for which
// errors.Is(err, net.ErrClosed) is true. If the Conn also has SetReadBuffer and SetWriteBuffer as *net.UDPConn does,
// they are called once, before the first read.
type Conn interface {
	ReadFromUDPAddrPort(b []byte) (n int, from netip.AddrPort, err error)
	WriteToUDPAddrPort(b []byte, to netip.AddrPort) (int, error)
	LocalAddrPort() netip.AddrPort
	Close() error
}

// ListenFunc binds a UDP socket to an address and a port that is never 0. Its errors are expected to wrap the
// syscall.Errno (net.ListenUDP's do): by EADDRINUSE the relay knows that it may try the next pair.
type ListenFunc func(netip.AddrPort) (Conn, error)

// udpConn is the adapter of the plain engine.
type udpConn struct {
	*net.UDPConn
	local netip.AddrPort
}

// LocalAddrPort is the address that the socket is bound to.
func (c *udpConn) LocalAddrPort() netip.AddrPort { return c.local }

// listenUDP is the ListenFunc of a Config that has none.
func listenUDP(at netip.AddrPort) (Conn, error) {
	at = netip.AddrPortFrom(at.Addr().Unmap(), at.Port())
	network := "udp6"
	if at.Addr().Is4() {
		network = "udp4"
	}
	c, err := net.ListenUDP(network, net.UDPAddrFromAddrPort(at))
	if err != nil {
		return nil, err
	}
	return &udpConn{UDPConn: c, local: at}, nil
}
