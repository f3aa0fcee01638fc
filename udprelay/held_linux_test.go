package udprelay

import (
	"net/netip"
	"sync"
	"testing"
)

// TestHoldings: each address of a port has its own socket, and what is taken out is nobody's.
func TestHoldings(t *testing.T) {
	var h holdings
	a, b := netip.MustParseAddrPort("192.0.2.1:20000"), netip.MustParseAddrPort("192.0.2.2:20000")
	c, d := netip.MustParseAddrPort("[2001:db8::1]:20000"), netip.MustParseAddrPort("192.0.2.1:65535")
	all := map[netip.AddrPort]*socket{a: {}, b: {}, c: {}, d: {}}
	check := func() {
		t.Helper()
		for _, at := range []netip.AddrPort{a, b, c, d} {
			if h.find(at) != all[at] {
				t.Errorf("%v has another socket", at)
			}
		}
	}
	for at, s := range all {
		h.add(at, s)
	}
	check()
	for _, at := range []netip.AddrPort{b, d, a, c} {
		h.remove(at)
		h.remove(at)
		delete(all, at)
		check()
	}
	h.remove(netip.MustParseAddrPort("192.0.2.1:1")) // a page that is not there
}

// TestHoldingsTogether: loops look while others enter and take out, and never miss what is there.
func TestHoldingsTogether(t *testing.T) {
	var h holdings
	stays, s := netip.MustParseAddrPort("192.0.2.1:20000"), new(socket)
	h.add(stays, s)
	var wg sync.WaitGroup
	for i := range 4 {
		at := netip.AddrPortFrom(netip.AddrFrom4([4]byte{192, 0, 2, byte(2 + i)}), 20000)
		wg.Go(func() {
			for range 1000 {
				h.add(at, new(socket))
				h.remove(at)
			}
		})
		wg.Go(func() {
			for range 1000 {
				if h.find(stays) != s {
					t.Error("it is not there")
					return
				}
			}
		})
	}
	wg.Wait()
}
