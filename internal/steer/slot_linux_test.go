package steer_test

import (
	"net/netip"
	"testing"

	"mediagate/internal/steer"
)

// TestOnePort: several addresses hold one port, in any order; each is led away exactly while it is held.
func TestOnePort(t *testing.T) {
	b := newBed(t)
	loop, sender := b.bind(ours, 0), b.bind(node, 0)
	const number = 20000
	addrs := []netip.Addr{ours, others, stranger}
	var own []*socket
	for _, a := range addrs {
		own = append(own, b.bind(a, number))
	}
	g := b.open(steer.Spec{Lo: lo, Hi: hi, V4: []int{loop.fd()}, Senders: []netip.Addr{node}})
	held := make([]bool, len(addrs))
	for step, i := range []int{0, 1, 2, 0, 0, 1, 0, 1, 2, 1, 2, 0} { // each changes what the address is
		at := port(addrs[i], number)
		if held[i] = !held[i]; held[i] {
			b.hold(g, at)
		} else if err := g.Release(at); err != nil {
			t.Fatal(err)
		}
		for j, a := range addrs {
			sender.send(port(a, number), "x")
			want := own[j]
			if held[j] {
				want = loop
			}
			if want.waiting() != "x" {
				t.Fatalf("step %d, %s, held %v: came to the other socket", step, a, held[j])
			}
		}
	}
}

// TestManySenders: known senders are told from others, however many there are, and when there are none.
func TestManySenders(t *testing.T) {
	b := newBed(t)
	loop, known, unknown := b.bind(ours, 0), b.bind(node, 0), b.bind(stranger, 0)
	at := port(ours, 20002)
	own := b.bind(ours, at.Port())
	for _, n := range []int{0, 1, 8, 9, 300} {
		senders := []netip.Addr{}
		for i := range n - 1 {
			senders = append(senders, netip.AddrFrom4([4]byte{192, 0, byte(2 + i>>8), byte(i)}))
		}
		if n > 0 {
			senders = append(senders, node)
		}
		g := b.open(steer.Spec{Lo: lo, Hi: hi, V4: []int{loop.fd()}, Senders: senders})
		b.hold(g, at)
		known.send(at, "known")
		unknown.send(at, "unknown")
		if n > 0 {
			if got := loop.waiting(); got != "known" {
				t.Errorf("%d senders: %q was led away", n, got)
			}
		} else if got := own.waiting(); got != "known" {
			t.Errorf("no senders: the socket has %q", got)
		}
		if got := own.waiting(); got != "unknown" {
			t.Errorf("%d senders: the socket has %q", n, got)
		}
		if err := g.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
