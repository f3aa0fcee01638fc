package udprelay

import (
	"net/netip"
	"testing"
)

const sec = int64(relatchEvery)

type legStep struct {
	k     kind
	from  string
	e     evidence
	now   int64
	want  DropReason
	moved bool
}

var (
	fit, proven, noise = evidence{fit: true}, evidence{fit: true, proof: true}, evidence{}

	nat    = Peer{Addr: netip.MustParseAddr("10.0.0.1"), RTP: 5000, RTCP: 5001}
	unsaid = Peer{Addr: nat.Addr}
	pool   = Peer{Addr: nat.Addr, RTP: 5000, RTCP: 5001, Also: []netip.Addr{netip.MustParseAddr("::ffff:10.0.0.2")}}
)

var legCases = []struct {
	name   string
	peer   Peer
	strict bool
	steps  []legStep
}{
	{"negotiated ports", nat, true, []legStep{
		{rtp, "10.0.0.1:5000", fit, 0, DropNone, false}, {rtcp, "10.0.0.1:5001", fit, 0, DropNone, false},
	}},
	{"off: another port", nat, true, []legStep{
		{rtp, "10.0.0.1:5002", fit, 0, DropWrongPort, false}, {rtcp, "10.0.0.1:5000", fit, 0, DropWrongPort, false},
	}},
	{"off: proof moves it", nat, true, []legStep{{rtcp, "10.0.0.1:6001", proven, sec, DropNone, true}}},
	{"another address", nat, false, []legStep{
		{rtp, "10.0.0.9:5000", proven, sec, DropUnknownSource, false},
		{rtcp, "[fd00::1]:5001", proven, sec, DropUnknownSource, false},
	}},
	{"latch once", nat, false, []legStep{
		{rtp, "10.0.0.1:7000", fit, 0, DropNone, true}, {rtp, "10.0.0.1:7000", fit, 0, DropNone, false},
		{rtp, "10.0.0.1:7002", fit, 9 * sec, DropWrongPort, false},
	}},
	{"no latch once the negotiated port spoke", nat, false, []legStep{
		{rtp, "10.0.0.1:5000", fit, 0, DropNone, false}, {rtp, "10.0.0.1:7000", fit, 0, DropWrongPort, false},
	}},
	{"the negotiated port outranks a latch", nat, false, []legStep{
		{rtp, "10.0.0.1:7000", fit, 0, DropNone, true}, {rtp, "10.0.0.1:5000", fit, 0, DropNone, true},
		{rtp, "10.0.0.1:7000", fit, 0, DropWrongPort, false},
	}},
	{"noise teaches nothing", nat, false, []legStep{
		{rtp, "10.0.0.1:7000", noise, 0, DropWrongPort, false}, {rtp, "10.0.0.1:5000", noise, 0, DropNone, false},
		{rtp, "10.0.0.1:7000", fit, 0, DropNone, true},
	}},
	{"proof moves RTCP and lets RTP follow once", nat, false, []legStep{
		{rtp, "10.0.0.1:7000", fit, 0, DropNone, true}, {rtcp, "10.0.0.1:7001", fit, 0, DropNone, true},
		{rtcp, "10.0.0.1:8001", fit, sec, DropWrongPort, false}, {rtcp, "10.0.0.1:8001", proven, sec, DropNone, true},
		{rtp, "10.0.0.1:8000", fit, sec, DropNone, true}, {rtp, "10.0.0.1:9000", fit, 9 * sec, DropWrongPort, false},
	}},
	{"proof at most once a second", nat, false, []legStep{
		{rtcp, "10.0.0.1:7001", fit, 0, DropNone, true}, {rtcp, "10.0.0.1:8001", proven, sec, DropNone, true},
		{rtcp, "10.0.0.1:9001", proven, sec + 1, DropWrongPort, false},
		{rtcp, "10.0.0.1:9001", proven, 2 * sec, DropNone, true},
	}},
	{"ports not said are learned even if off", unsaid, true, []legStep{
		{rtp, "10.0.0.1:7000", fit, 0, DropNone, true}, {rtcp, "10.0.0.1:7000", fit, 0, DropNone, true},
		{rtp, "10.0.0.1:7002", fit, 0, DropWrongPort, false},
	}},
	{"another node of the pool", pool, false, []legStep{
		{rtp, "10.0.0.2:5000", fit, 0, DropNone, true}, {rtp, "10.0.0.3:5000", fit, 0, DropUnknownSource, false},
		{rtp, "10.0.0.1:5000", fit, 0, DropNone, true}, {rtp, "10.0.0.2:5000", fit, 0, DropWrongPort, false},
	}},
}

func TestLegAccept(t *testing.T) {
	at := netip.MustParseAddrPort
	for _, tt := range legCases {
		t.Run(tt.name, func(t *testing.T) {
			l := leg{free: !tt.strict}
			if got, _ := l.accept(rtp, at("10.0.0.1:5000"), 0, fit); got != DropNotConnected {
				t.Errorf("before Connect: %v", got)
			}
			l.at.Store(newBearings(tt.peer))
			for i, s := range tt.steps {
				if got, moved := l.accept(s.k, at(s.from), s.now, s.e); got != s.want || moved != s.moved {
					t.Errorf("step %d, %v: %v moved %v, want %v moved %v", i, s.from, got, moved, s.want, s.moved)
				}
			}
		})
	}
}

func TestLegTarget(t *testing.T) {
	a := netip.MustParseAddr("fd00::1")
	seen := func(p Peer, k kind, port uint16) *bearings {
		return newBearings(p).sees(k, netip.AddrPortFrom(a, port))
	}
	for _, tt := range []struct {
		name      string
		b         *bearings
		rtp, rtcp uint16
	}{
		{"negotiated", newBearings(Peer{Addr: a, RTP: 5004, RTCP: 5005}), 5004, 5005},
		{"not adjacent", newBearings(Peer{Addr: a, RTP: 5004, RTCP: 6001}), 5004, 6001},
		{"single port", newBearings(Peer{Addr: a, RTP: 5004}), 5004, 5005},
		{"missing", newBearings(Peer{Addr: a}), 0, 0},
		{"0-1", newBearings(Peer{Addr: a, RTCP: 1}), 0, 0},
		{"missing, RTP heard", seen(Peer{Addr: a}, rtp, 7000), 7000, 7001},
		{"missing, RTCP heard", seen(Peer{Addr: a}, rtcp, 7001), 0, 7001},
		{"wrong, RTP heard", seen(Peer{Addr: a, RTP: 5004, RTCP: 5005}, rtp, 7000), 7000, 5005},
		{"wrong, RTCP heard", seen(Peer{Addr: a, RTP: 5004, RTCP: 5005}, rtcp, 7001), 5004, 7001},
		{"last port", newBearings(Peer{Addr: a, RTP: 65535}), 65535, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := tt.b.target(rtp).Port(); got != tt.rtp {
				t.Errorf("RTP to port %d, want %d", got, tt.rtp)
			}
			if got := tt.b.target(rtcp).Port(); got != tt.rtcp {
				t.Errorf("RTCP to port %d, want %d", got, tt.rtcp)
			}
		})
	}
}
