package steer

import (
	"errors"
	"net/netip"
	"strings"
	"testing"
)

func TestSpecRefused(t *testing.T) {
	good := Spec{Lo: 20000, Hi: 20009, V4: []int{3}}
	for _, tc := range []struct {
		name string
		edit func(*Spec)
		want string
	}{
		{"no range", func(s *Spec) { s.Lo, s.Hi = 0, 0 }, "empty or reversed"},
		{"port 0", func(s *Spec) { s.Lo = 0 }, "empty or reversed"},
		{"reversed", func(s *Spec) { s.Hi = 19999 }, "empty or reversed"},
		{"no socket", func(s *Spec) { s.V4 = nil }, "no socket"},
		{"one family has more", func(s *Spec) { s.V6 = []int{4, 5} }, "different numbers"},
		{"a sender without address", func(s *Spec) { s.Senders = make([]netip.Addr, 1) }, "without address"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := good
			tc.edit(&s)
			_, err := Open(s)
			if !errors.Is(err, errSpec) || errors.Is(err, ErrUnsupported) || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("Open: %v, want %q", err, tc.want)
			}
		})
	}
	if err := good.check(); err != nil {
		t.Errorf("a good one is refused: %v", err)
	}
}

func TestIndex(t *testing.T) {
	both := Spec{Lo: 20000, Hi: 20009, V4: []int{3, 4, 5}, V6: []int{6, 7, 8}}
	four := Spec{Lo: 20000, Hi: 20009, V4: []int{3}}
	for _, tc := range []struct {
		name string
		spec Spec
		at   string
		want int
	}{
		{"first", both, "192.0.2.1:20000", 1}, // 10000 modulo 3
		{"its odd port", both, "192.0.2.1:20001", 1},
		{"the next pair", both, "192.0.2.1:20002", 2},
		{"around", both, "192.0.2.1:20004", 0},
		{"IPv4 in IPv6", both, "[::ffff:192.0.2.1]:20004", 0},
		{"IPv6", both, "[2001:db8::1]:20004", 3},
		{"IPv6, around", both, "[2001:db8::1]:20009", 5},
		{"below", both, "192.0.2.1:19999", -1},
		{"above", both, "192.0.2.1:20010", -1},
		{"in a zone", both, "[fe80::1%eth0]:20000", -1},
		{"no socket of the family", four, "[2001:db8::1]:20000", -1},
		{"one loop", four, "192.0.2.1:20009", 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got := tc.spec.index(netip.MustParseAddrPort(tc.at)); got != tc.want {
				t.Errorf("index %d, want %d", got, tc.want)
			}
		})
	}
}
