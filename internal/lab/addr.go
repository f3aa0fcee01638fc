package lab

import (
	"net"
	"net/netip"
	"testing"
)

// lockPort is held on a loopback address for as long as a test uses it, so
// that the tests of several packages, which run at once, never share one: the
// gateway's well-known media ports 5004 and 5005 exist once per address.
const lockPort = 40999

// Loopback gives an address of 127.0.0.40 to 127.0.0.99 that no other test
// uses, until the end of this test.
func Loopback(t testing.TB) netip.Addr {
	t.Helper()
	for n := byte(40); n <= 99; n++ {
		addr := netip.AddrFrom4([4]byte{127, 0, 0, n})
		lock, err := net.ListenTCP("tcp4", net.TCPAddrFromAddrPort(netip.AddrPortFrom(addr, lockPort)))
		if err != nil {
			continue
		}
		if !pairFree(addr, 5004) {
			_ = lock.Close()
			continue
		}
		t.Cleanup(func() { _ = lock.Close() })
		return addr
	}
	t.Fatal("lab: no loopback address of 127.0.0.40-99 is free")
	return netip.Addr{}
}

// FreePort gives a TCP port of addr that was free a moment ago.
func FreePort(t testing.TB, addr netip.Addr) netip.AddrPort {
	t.Helper()
	return FreePorts(t, addr, 1)[0]
}

// FreePorts gives several: one that is asked for by itself may be the one that was given before.
func FreePorts(t testing.TB, addr netip.Addr, n int) (all []netip.AddrPort) {
	t.Helper()
	for range n {
		l, err := net.ListenTCP("tcp", net.TCPAddrFromAddrPort(netip.AddrPortFrom(addr, 0)))
		if err != nil {
			t.Fatalf("lab: free port of %s: %v", addr, err)
		}
		defer func() { _ = l.Close() }()
		all = append(all, l.Addr().(*net.TCPAddr).AddrPort())
	}
	return all
}

// FreePair gives an even UDP port of addr that was free a moment ago, like the
// odd one above it.
func FreePair(t testing.TB, addr netip.Addr) uint16 {
	t.Helper()
	for port := uint16(30000); port < 31000; port += 2 {
		if pairFree(addr, port) {
			return port
		}
	}
	t.Fatal("lab: no free port pair in 30000-30999 of " + addr.String())
	return 0
}

// pairFree says whether both UDP ports can be bound now.
func pairFree(addr netip.Addr, port uint16) bool {
	for _, p := range []uint16{port, port + 1} {
		c, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(netip.AddrPortFrom(addr, p)))
		if err != nil {
			return false
		}
		_ = c.Close()
	}
	return true
}
