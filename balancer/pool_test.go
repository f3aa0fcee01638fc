package balancer

import (
	"errors"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

func TestNewFaults(t *testing.T) {
	bad := three()
	bad[1].Name, bad[2].Addr, bad[0].Weight = "a", netip.Addr{}, -1
	for _, tc := range []struct {
		name string
		cfg  Config
		want []string // each fault is named, all at once
	}{
		{"no nodes", Config{}, []string{"no nodes"}},
		{"several", Config{Nodes: bad, Fall: -1}, []string{`"a" is there twice`, `"c": address`, "weight -1", "fall is negative"}},
		{"no name", Config{Nodes: []Node{{Addr: netip.MustParseAddr("192.0.2.1")}}}, []string{"node 0 has no name"}},
		{"unspecified", Config{Nodes: []Node{{Name: "a", Addr: netip.IPv6Unspecified()}}}, []string{`"::"`}},
		{"weight", Config{Nodes: three(maxWeight + 1)}, []string{"1-1000000"}},
		{"times", Config{Nodes: three(), Interval: -1, Timeout: -1, Rise: -1, FailPause: -1},
			[]string{"interval", "timeout", "rise", "fail pause"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			tc.cfg.Name = "media"
			p, err := New(tc.cfg)
			if err == nil {
				t.Fatalf("got pool %v, want an error", p.Name())
			}
			for _, w := range append(tc.want, `balancer: new pool "media": `) {
				if !strings.Contains(err.Error(), w) {
					t.Errorf("%q is not in: %v", w, err)
				}
			}
		})
	}
}

func TestAcquire(t *testing.T) {
	for _, tc := range []struct {
		name    string
		drained []string
		failed  []string
		key     Key
		want    string // "" is ErrNoNode
	}{
		{"first", nil, nil, Key{Service: "rtsp"}, "a"},
		{"preferred", nil, nil, Key{Service: "rtsp", Prefer: "c"}, "c"},
		{"preferred is unknown", nil, nil, Key{Service: "rtsp", Prefer: "x"}, "a"},
		{"preferred is drained", []string{"c"}, nil, Key{Service: "rtsp", Prefer: "c"}, "a"},
		{"preferred is down", nil, []string{"c"}, Key{Service: "rtsp", Prefer: "c"}, "a"},
		{"preferred is excluded", nil, nil, Key{Service: "rtsp", Prefer: "c", Exclude: []string{"c"}}, "a"},
		{"excluded", nil, nil, Key{Service: "rtsp", Exclude: []string{"a", "b"}}, "c"},
		{"drained", []string{"a"}, nil, Key{Service: "rtsp"}, "b"},
		{"down", nil, []string{"a", "b"}, Key{Service: "rtsp"}, "c"},
		{"all down", nil, []string{"a", "b", "c"}, Key{Service: "rtsp"}, ""},
		{"all drained", []string{"a", "b", "c"}, nil, Key{Service: "rtsp"}, ""},
		{"all excluded", nil, nil, Key{Service: "rtsp", Exclude: []string{"a", "b", "c"}}, ""},
		{"some of each", []string{"a"}, []string{"b"}, Key{Service: "rtsp", Exclude: []string{"c"}}, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			p := newPool(t, Config{Policy: RoundRobin()})
			for _, n := range tc.failed {
				l := acquire(t, p, Key{Service: "rtsp", Prefer: n})
				l.Failed(errRefused)
				l.Release()
			}
			for _, n := range tc.drained {
				if err := p.Drain(n, true); err != nil {
					t.Fatal(err)
				}
			}
			p.cfg.Policy = RoundRobin() // the failed ones had their turn
			l, err := p.Acquire(tc.key)
			if tc.want == "" {
				if !errors.Is(err, ErrNoNode) {
					t.Fatalf("error %v, want ErrNoNode", err)
				}
				return
			}
			if err != nil || l.Node().Name != tc.want {
				t.Fatalf("node %v, error %v; want %s", l, err, tc.want)
			}
			l.Release()
		})
	}
}

func TestErrNoNodeSaysWhy(t *testing.T) {
	p := newPool(t, Config{})
	l := acquire(t, p, Key{Service: "rtsp", Prefer: "b"})
	l.Failed(errRefused)
	l.Release()
	if err := p.Drain("a", true); err != nil {
		t.Fatal(err)
	}
	_, err := p.Acquire(Key{Service: "rtsp", Exclude: []string{"c"}})
	want := `balancer: acquire from pool "media": no usable node (a: draining; b: down: connection refused; c: already tried)`
	if err == nil || err.Error() != want {
		t.Errorf("\n got %v\nwant %s", err, want)
	}
}

type choose int

func (c choose) Choose([]Candidate, Key) int { return int(c) }

func TestPolicyOutOfRange(t *testing.T) {
	for _, c := range []choose{-1, 3} {
		p := newPool(t, Config{Policy: c})
		if l, err := p.Acquire(Key{Service: "rtsp"}); err == nil {
			t.Errorf("choice %d: got %v, want an error", c, l.Node())
		}
		if n := state(t, p, "a").Sessions; n != 0 {
			t.Errorf("choice %d: %d sessions held", c, n)
		}
	}
}

func TestLookUp(t *testing.T) {
	nodes := append(three(), Node{Name: "twin", Addr: netip.MustParseAddr("192.0.2.1"), Ports: map[string]uint16{"rtsp": 8554}})
	p := newPool(t, Config{Nodes: nodes})
	want := []netip.Addr{nodes[0].Addr, nodes[1].Addr, nodes[2].Addr}
	got := p.Addrs()
	if diff := cmp.Diff(want, got, cmpopts.EquateComparable(netip.Addr{})); diff != "" {
		t.Error(diff)
	}
	got[0] = netip.Addr{} // the slice is ours
	if p.Addrs()[0] != want[0] {
		t.Error("the pool's own addresses were changed")
	}
	if n, ok := p.Node(want[0]); !ok || n.Name != "a" {
		t.Errorf("node %v %v, want the first of that address", n, ok)
	}
	if n, ok := p.Node(netip.MustParseAddr("192.0.2.9")); ok {
		t.Errorf("found %v", n)
	}
	if n := testing.AllocsPerRun(100, func() { p.Node(want[1]) }); n != 0 {
		t.Errorf("Node allocates %v times", n)
	}
}

func TestAddrPort(t *testing.T) {
	n := three()[0]
	if got := n.AddrPort("rtsp").String(); got != "192.0.2.1:554" {
		t.Errorf("got %s", got)
	}
	if got := n.AddrPort("mms"); got.IsValid() {
		t.Errorf("got %s for a service that the node does not offer", got)
	}
}

func TestSnapshot(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	p := newPool(t, Config{Now: func() time.Time { return now }})
	for _, n := range []string{"a", "a", "b"} {
		defer acquire(t, p, Key{Service: "rtsp", Prefer: n}).Release()
	}
	failed := acquire(t, p, Key{Service: "rtsp", Prefer: "c"})
	failed.Failed(errRefused)
	failed.Failed(nil) // no failure
	failed.Release()
	if err := p.Drain("b", true); err != nil {
		t.Fatal(err)
	}
	nodes := normal(three())
	want := []NodeState{
		{Node: nodes[0], Sessions: 2, Acquired: 2, Services: map[string]ServiceState{"rtsp": {Usable: true}}},
		{Node: nodes[1], Draining: true, Sessions: 1, Acquired: 1, Services: map[string]ServiceState{"rtsp": {}}},
		{Node: nodes[2], Acquired: 1, Services: map[string]ServiceState{"rtsp": {
			Health: HealthDown, Passive: true, Reason: "connection refused", Since: now, Failures: 1,
		}}},
	}
	if diff := cmp.Diff(want, p.Snapshot(), cmpopts.EquateComparable(netip.Addr{})); diff != "" {
		t.Error(diff)
	}
}

// TestHammer takes, fails, drains, replaces and gives back from many goroutines; in the end every lease was returned
// once and no removed node is kept.
func TestHammer(t *testing.T) {
	p := newPool(t, Config{FailPause: time.Nanosecond})
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for j := range 200 {
				l, err := p.Acquire(Key{Service: "rtsp"})
				if err != nil {
					continue
				}
				if j%7 == i {
					l.Failed(errRefused)
				}
				l.Release()
				l.Release()
			}
		})
	}
	wg.Go(func() {
		for j := range 200 {
			_ = p.Drain("a", j%2 == 0) // "a" may be away
			if err := p.SetNodes(three()[j%3:]); err != nil {
				t.Error(err)
			}
			p.Snapshot()
			p.Addrs()
		}
	})
	wg.Wait()
	for _, s := range p.Snapshot() {
		if s.Sessions != 0 || s.Removed {
			t.Errorf("left over: %+v", s)
		}
	}
}
