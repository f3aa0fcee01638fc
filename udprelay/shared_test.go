package udprelay

import (
	"net/netip"
	"testing"
	"time"
)

// bench is a shared pair with flows that have no sockets, for decisions alone.
type bench struct {
	pair  *sharedPair
	relay *Relay
}

func newBench(latch LatchPolicy) *bench {
	return &bench{&sharedPair{}, &Relay{cfg: Config{Latch: latch}, ended: true}}
}

func (b *bench) flow(t *testing.T, p Peer, ssrcs ...uint32) *Flow {
	t.Helper()
	f := newFlow(b.relay, Spec{ClientLocal: netip.MustParseAddr("10.0.0.254"), OriginLocal: netip.MustParseAddr("10.0.0.254")})
	f.tables = []*table{&b.pair.table}
	connect(t, f, Client, p)
	connect(t, f, Origin, Peer{Addr: netip.MustParseAddr("10.1.0.1"), RTP: 5004, RTCP: 5005})
	for _, s := range ssrcs {
		f.AddSSRC(s)
	}
	return f
}

var (
	one    = Peer{Addr: nat.Addr, RTP: 5000, RTCP: 5001}
	two    = Peer{Addr: nat.Addr, RTP: 6000, RTCP: 6001}
	single = Peer{Addr: nat.Addr, RTP: 7000}
)

var findCases = []struct {
	name   string
	latch  LatchPolicy
	peers  []Peer // flow i has SSRC 100+i
	closed []int
	k      kind
	from   string
	b      []byte
	flow   int // -1: none
	reason DropReason
}{
	{"nobody there", LatchSameAddress, nil, nil, rtp, "10.0.0.1:5000", bare(), -1, DropUnknownSource},
	{"another address", LatchSameAddress, []Peer{one}, nil, rtcp, "10.0.0.2:5001", report(1, 100, 0, 0), -1, DropUnknownSource},
	{"by port", LatchSameAddress, []Peer{one, two}, nil, rtcp, "10.0.0.1:6001", emptyReport(), 1, DropNone},
	{"single port, resend request from it", LatchOff, []Peer{one, single}, nil, rtcp, "10.0.0.1:7000", nack(wmsCNAME(100)), 1, DropNone},
	{"one port claimed twice: SSRC", LatchOff, []Peer{one, one}, nil, rtcp, "10.0.0.1:5001", report(1, 100, 0, 0), 0, DropNone},
	{"one port claimed twice: CNAME", LatchOff, []Peer{one, one}, nil, rtcp, "10.0.0.1:5001", nack(wmsCNAME(100)), 0, DropNone},
	{"one port claimed twice: newest", LatchOff, []Peer{one, one}, nil, rtcp, "10.0.0.1:5001", emptyReport(), 1, DropNone},
	{"one port claimed twice: not the closed", LatchOff, []Peer{one, one}, []int{1}, rtcp, "10.0.0.1:5001", nack(wmsCNAME(101)), 0, DropNone},
	{"unknown port: SSRC", LatchOff, []Peer{one, two}, nil, rtcp, "10.0.0.1:9001", report(1, 101, 0, 0), 1, DropNone},
	{"unknown port: one may learn", LatchSameAddress, []Peer{one}, nil, rtp, "10.0.0.1:9000", bare(), 0, DropNone},
	{"unknown port: two may learn", LatchSameAddress, []Peer{one, two}, nil, rtp, "10.0.0.1:9000", bare(), -1, DropAmbiguous},
	{"unknown port: the closed may not", LatchSameAddress, []Peer{one, two}, []int{0}, rtp, "10.0.0.1:9000", bare(), 1, DropNone},
	{"unknown port: none may learn", LatchOff, []Peer{one, two}, nil, rtp, "10.0.0.1:9000", bare(), -1, DropWrongPort},
	{"unknown port: the only flow judges", LatchOff, []Peer{one}, nil, rtp, "10.0.0.1:9000", bare(), 0, DropNone},
	{"closed and alone", LatchOff, []Peer{one}, []int{0}, rtcp, "10.0.0.1:5001", emptyReport(), 0, DropNone},
	{"closed, by SSRC", LatchOff, []Peer{one, two}, []int{0}, rtcp, "10.0.0.1:9001", nack(wmsCNAME(100)), 0, DropNone},
	{"nothing at all", LatchSameAddress, []Peer{one}, nil, rtp, "10.0.0.1:5000", nil, 0, DropNone},
}

func TestSharedFind(t *testing.T) {
	for _, tt := range findCases {
		t.Run(tt.name, func(t *testing.T) {
			b := newBench(tt.latch)
			var flows []*Flow
			for i, p := range tt.peers {
				flows = append(flows, b.flow(t, p, uint32(100+i)))
			}
			for _, i := range tt.closed {
				flows[i].Close()
			}
			got, reason := b.pair.find(tt.k, netip.MustParseAddrPort(tt.from), tt.b)
			if tt.flow < 0 && got != nil || tt.flow >= 0 && got != flows[tt.flow] || reason != tt.reason {
				t.Errorf("got flow %p (of %v), %v, want flow %d, %v", got, flows, reason, tt.flow, tt.reason)
			}
		})
	}
}

// TestSharedLearner: a flow whose RTCP comes as negotiated is not behind a NAT and does not stand in another's way.
func TestSharedLearner(t *testing.T) {
	b := newBench(LatchSameAddress)
	a := netip.MustParseAddr("10.0.0.1")
	plain := b.flow(t, Peer{Addr: a, RTP: 5000, RTCP: 5001})
	nat := b.flow(t, Peer{Addr: a, RTP: 6000, RTCP: 6001})
	if _, reason := plain.route(Client, rtcp, netip.AddrPortFrom(a, 5001), emptyReport(), time.Now(), &intake{}); reason != DropNone {
		t.Fatal(reason)
	}
	if got, reason := b.pair.find(rtp, netip.AddrPortFrom(a, 9000), bare()); got != nat {
		t.Errorf("got %p, %v, want %p", got, reason, nat)
	}
}

// TestSharedTables: the tables follow a flow's moves and forget it in the end, also if something is learned then.
func TestSharedTables(t *testing.T) {
	b := newBench(LatchSameAddress)
	old, moved := netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("fd00::7")
	f := b.flow(t, Peer{Addr: old, RTP: 5000, RTCP: 5001})
	from := netip.AddrPortFrom(old, 9000)
	if to, reason := f.route(Client, rtp, from, bare(), time.Now(), &intake{}); reason != DropNone || to.Port() != 5004 {
		t.Fatal(to, reason)
	}
	second := b.flow(t, Peer{Addr: old, RTP: 5000, RTCP: 5001})
	if got, _ := b.pair.find(rtp, from, bare()); got != f {
		t.Error("the learned port is not in the table")
	}
	if err := f.Connect(Client, Peer{Addr: moved, RTP: 1}); err == nil {
		t.Error("a peer of another family was taken")
	}
	connect(t, f, Client, Peer{Addr: netip.MustParseAddr("10.0.0.2"), RTP: 5000, RTCP: 5001, Also: []netip.Addr{moved}})
	if got, _ := b.pair.find(rtp, from, bare()); got != second {
		t.Error("the port that was left is still the flow's")
	}
	if got, _ := b.pair.find(rtp, netip.MustParseAddrPort("10.0.0.2:5000"), nil); got != f {
		t.Error("the new address is not in the table")
	}
	for _, f := range []*Flow{f, second} {
		f.mu.Lock()
		f.freed = true
		b.pair.enter(f, f.entered, nil)
		f.mu.Unlock()
		f.moved()
	}
	for i := range b.pair.shards {
		if m := b.pair.shards[i].Load(); m != nil && len(*m) != 0 {
			t.Errorf("left over: %v", *m)
		}
	}
}
