package balancer

import (
	"sync"
	"testing"
)

func TestReleaseOnce(t *testing.T) {
	p := newPool(t, Config{Nodes: three()[:1]})
	a, b := acquire(t, p, Key{Service: "rtsp"}), acquire(t, p, Key{Service: "rtsp"})
	var wg sync.WaitGroup
	for range 10 {
		wg.Go(a.Release)
	}
	wg.Wait()
	if n := state(t, p, "a").Sessions; n != 1 {
		t.Errorf("%d sessions after one of two leases was released ten times, want 1", n)
	}
	b.Release()
	if n := state(t, p, "a").Sessions; n != 0 {
		t.Errorf("%d sessions at the end", n)
	}
}

func TestLeaseOfRemovedNode(t *testing.T) {
	p := newPool(t, Config{})
	l := acquire(t, p, Key{Service: "rtsp", Prefer: "b"})
	if err := p.SetNodes(three()[:1]); err != nil {
		t.Fatal(err)
	}
	if l.Node().Name != "b" {
		t.Errorf("the lease's node became %q", l.Node().Name)
	}
	s := p.Snapshot()
	if len(s) != 2 || !s[1].Removed || s[1].Services["rtsp"].Usable || s[1].Sessions != 1 {
		t.Errorf("snapshot %+v, want b as removed with one session", s)
	}
	if _, ok := p.Node(l.Node().Addr); ok {
		t.Error("a removed node is still found by its address")
	}
	if got := acquire(t, p, Key{Service: "rtsp", Prefer: "b"}); got.Node().Name != "a" {
		t.Errorf("a removed node was chosen: %v", got.Node())
	}
	l.Failed(errRefused)
	l.Release()
	l.Release()
	if s := p.Snapshot(); len(s) != 1 {
		t.Errorf("snapshot %+v, want no removed node", s)
	}
}

func TestRemovedNodeComesBack(t *testing.T) {
	p := newPool(t, Config{})
	l := acquire(t, p, Key{Service: "rtsp", Prefer: "b"})
	l.Failed(errRefused)
	for _, nodes := range [][]Node{three()[:1], three()} {
		if err := p.SetNodes(nodes); err != nil {
			t.Fatal(err)
		}
	}
	if s := state(t, p, "b"); s.Sessions != 1 || s.Health != HealthUnknown || !s.Usable || s.Reason != "" {
		t.Errorf("%+v, want the lease kept and the health forgotten", s)
	}
	l.Release()
	if s := p.Snapshot(); len(s) != 3 || s[1].Sessions != 0 {
		t.Errorf("%+v", s)
	}
}

func TestSetNodes(t *testing.T) {
	moved, ports, weight := three(), three(), three()
	moved[1].Addr = moved[1].Addr.Next().Next()
	ports[1].Ports = map[string]uint16{"rtsp": 8554}
	weight[1].Weight = 5
	for _, tc := range []struct {
		name     string
		nodes    []Node
		sessions int    // of b
		health   Health // of b
		draining bool   // of b
	}{
		{"the same", three(), 1, HealthDown, true},
		{"other weight", weight, 1, HealthDown, true},
		{"other port: health unknown", ports, 1, HealthUnknown, true},
		{"other address: another node", moved, 0, HealthUnknown, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			p := newPool(t, Config{})
			l := acquire(t, p, Key{Service: "rtsp", Prefer: "b"})
			defer l.Release()
			l.Failed(errRefused)
			if err := p.Drain("b", true); err != nil {
				t.Fatal(err)
			}
			if err := p.SetNodes(tc.nodes); err != nil {
				t.Fatal(err)
			}
			s := state(t, p, "b")
			if s.Sessions != tc.sessions || s.Health != tc.health || s.Draining != tc.draining {
				t.Errorf("%+v, want %d sessions, %v, draining %v", s, tc.sessions, tc.health, tc.draining)
			}
			if s.Node.Weight != max(1, tc.nodes[1].Weight) || s.Node.Ports["rtsp"] != tc.nodes[1].Ports["rtsp"] {
				t.Errorf("%+v was not taken over from %+v", s.Node, tc.nodes[1])
			}
		})
	}
}

func TestSetNodesFault(t *testing.T) {
	p := newPool(t, Config{})
	if err := p.SetNodes(nil); err == nil {
		t.Error("a pool of no nodes was taken")
	}
	if n := len(p.Snapshot()); n != 3 {
		t.Errorf("%d nodes after a refused change, want 3", n)
	}
}

func TestNodesAreCopied(t *testing.T) {
	nodes := three()
	p := newPool(t, Config{Nodes: nodes})
	nodes[0].Ports["rtsp"], nodes[0].Name = 1, "x"
	if s := state(t, p, "a"); s.Node.Ports["rtsp"] != 554 {
		t.Errorf("the pool shares its nodes with the caller: %+v", s.Node)
	}
}
