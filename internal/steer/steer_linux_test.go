package steer_test

import (
	"errors"
	"maps"
	"net/netip"
	"testing"

	"mediagate/internal/steer"
)

const (
	lo, hi = 20000, 20007
	own    = "its own" // the socket that is bound at the port
)

func port(a netip.Addr, p uint16) netip.AddrPort { return netip.AddrPortFrom(a, p) }

// TestLeads sends a datagram to each kind of place and looks for it in every socket.
func TestLeads(t *testing.T) {
	b := newBed(t)
	loops := map[string]*socket{
		"loop 0": b.bind(ours, 0), "loop 1": b.bind(ours, 0),
		"loop 0 of IPv6": b.bind(ours6, 0), "loop 1 of IPv6": b.bind(ours6, 0),
	}
	g := b.open(steer.Spec{
		Lo: lo, Hi: hi,
		V4:      []int{loops["loop 0"].fd(), loops["loop 1"].fd()},
		V6:      []int{loops["loop 0 of IPv6"].fd(), loops["loop 1 of IPv6"].fd()},
		Senders: []netip.Addr{node, node6},
	})
	for _, at := range []netip.AddrPort{port(ours, 20000), port(ours, 20001), port(ours, 20002), port(ours, 20007),
		port(ours6, 20000), port(ours6, 20003)} {
		b.hold(g, at)
	}
	for _, tc := range []struct {
		name string
		from netip.Addr
		to   netip.AddrPort
		want string
	}{
		{"an even port", node, port(ours, 20000), "loop 0"},
		{"the odd one of its pair", node, port(ours, 20001), "loop 0"},
		{"the next pair", node, port(ours, 20002), "loop 1"},
		{"the last port", node, port(ours, 20007), "loop 1"},
		{"IPv6", node6, port(ours6, 20000), "loop 0 of IPv6"},
		{"IPv6, the next pair", node6, port(ours6, 20003), "loop 1 of IPv6"},
		{"not held", node, port(ours, 20004), own},
		{"not held in IPv6", node6, port(ours6, 20002), own},
		{"another address of ours", node, port(others, 20000), own},
		{"below the range", node, port(ours, 19999), own},
		{"above the range", node, port(ours, 20008), own},
		{"a stranger", stranger, port(ours, 20000), own},
		{"a stranger in IPv6", stranger6, port(ours6, 20000), own},
	} {
		t.Run(tc.name, func(t *testing.T) {
			bound := b.bind(tc.to.Addr(), tc.to.Port())
			defer func() { _ = bound.Close() }()
			sender := b.bind(tc.from, 0)
			sender.send(tc.to, tc.name)
			all := maps.Clone(loops)
			all[own] = bound
			if got := all[tc.want].waiting(); got != tc.name {
				t.Errorf("%s has %q, want %q", tc.want, got, tc.name)
			}
			for name, s := range all {
				if !s.empty() {
					t.Errorf("%s has one too", name)
				}
			}
		})
	}
}

// TestEverySender: without a list of senders everybody's datagrams are led away, and one socket of IPv6 may serve alone.
func TestEverySender(t *testing.T) {
	b := newBed(t)
	loop := b.bind(ours6, 0)
	g := b.open(steer.Spec{Lo: lo, Hi: hi, V6: []int{loop.fd()}})
	b.hold(g, port(ours6, 20006))
	b.bind(stranger6, 0).send(port(ours6, 20006), "hello")
	if got := loop.waiting(); got != "hello" {
		t.Errorf("the loop has %q", got)
	}
	for _, at := range []netip.AddrPort{port(ours, 20000), port(ours6, 19999), port(netip.MustParseAddr("fe80::1%lo"), 20000), {}} {
		if err := g.Hold(at); err == nil {
			t.Errorf("%s is held and nobody reads it", at)
		}
	}
}

// TestConnectedWins: the kernel does not ask the program when a connected socket matches.
func TestConnectedWins(t *testing.T) {
	b := newBed(t)
	loop, sender := b.bind(ours, 0), b.bind(node, 0)
	at := port(ours, 20000)
	g := b.open(steer.Spec{Lo: lo, Hi: hi, V4: []int{loop.fd()}})
	b.hold(g, at)
	connected := b.connect(at, sender.at())
	sender.send(at, "hello")
	if got := connected.waiting(); got != "hello" {
		t.Errorf("the connected socket has %q", got)
	}
}

// TestRelease: a port that is let go, and a program that is closed, lead nothing away.
func TestRelease(t *testing.T) {
	b := newBed(t)
	loop, sender := b.bind(ours, 0), b.bind(node, 0)
	first, second := port(ours, 20000), port(ours, 20002)
	one, two := b.bind(ours, first.Port()), b.bind(ours, second.Port())
	g := b.open(steer.Spec{Lo: lo, Hi: hi, V4: []int{loop.fd()}})
	b.hold(g, first)
	b.hold(g, first) // twice is as good as once
	b.hold(g, second)
	expect := func(step string, at netip.AddrPort, s *socket) {
		t.Helper()
		sender.send(at, step)
		if got := s.waiting(); got != step {
			t.Errorf("%s: the socket has %q", step, got)
		}
	}
	expect("held", first, loop)
	for range 2 {
		if err := g.Release(first); err != nil {
			t.Fatal(err)
		}
	}
	expect("let go", first, one)
	expect("still held", second, loop)
	if err := g.Close(); err != nil {
		t.Fatal(err)
	}
	expect("closed", second, two)
	if n := b.attached(); n != 0 {
		t.Errorf("%d programs are attached after Close", n)
	}
	if err := errors.Join(g.Hold(first), g.Release(first)); !errors.Is(err, steer.ErrClosed) {
		t.Errorf("after Close: %v", err)
	}
	if err := g.Close(); err != nil {
		t.Errorf("a second Close: %v", err)
	}
}

// TestTwo: an old process that drains and its successor use the same range on the same address, each its own ports.
func TestTwo(t *testing.T) {
	b := newBed(t)
	sender := b.bind(node, 0)
	var loops []*socket
	for i, p := range []uint16{20000, 20002, 20004} {
		loop := b.bind(ours, 0)
		g := b.open(steer.Spec{Lo: lo, Hi: hi, V4: []int{loop.fd()}})
		b.hold(g, port(ours, p))
		loops = append(loops, loop)
		if n := b.attached(); n != i+1 {
			t.Errorf("%d programs are attached, want %d", n, i+1)
		}
	}
	for i, loop := range loops {
		text := string(rune('a' + i))
		sender.send(port(ours, 20000+uint16(2*i)), text)
		if got := loop.waiting(); got != text {
			t.Errorf("the loop of number %d has %q, want %q", i, got, text)
		}
	}
}

// TestFull: what is held on top of what fits is told, and what was held before stays.
func TestFull(t *testing.T) {
	b := newBed(t)
	loop := b.bind(ours, 0)
	g := b.open(steer.Spec{Lo: 20000, Hi: 20000, V4: []int{loop.fd()}})
	var err error
	addr, held := ours, 0
	for err == nil && held < 1000 {
		if err = g.Hold(port(addr, 20000)); err == nil {
			held++
		}
		addr = addr.Next()
	}
	if err == nil || held < 4 {
		t.Fatalf("%d are held, then %v", held, err)
	}
	b.bind(node, 0).send(port(ours, 20000), "hello")
	if got := loop.waiting(); got != "hello" {
		t.Errorf("the loop has %q", got)
	}
}
