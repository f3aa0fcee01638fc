package balancer

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// bothServices returns nodes a, b, c that offer RTSP and MMS.
func bothServices() []Node {
	nodes := three()
	for i := range nodes {
		nodes[i].Ports["mms"] = 1755
	}
	return nodes
}

// A node that fails one service serves the other.
func TestFailedIsPerService(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		p := newPool(t, Config{Nodes: bothServices()[:1], FailPause: 4 * time.Second})
		l := acquire(t, p, Key{Service: "mms"})
		l.Failed(errRefused)
		l.Release()
		if s := stateOf(t, p, "a", "mms"); s.Usable || !s.Passive || s.Failures != 1 || s.Acquired != 1 {
			t.Errorf("mms: %+v, want it out", s)
		}
		if s := state(t, p, "a"); !s.Usable || s.Health != HealthUnknown || s.Failures != 0 {
			t.Errorf("rtsp: %+v, want it untouched", s)
		}
		acquire(t, p, Key{Service: "rtsp"}).Release()
		_, err := p.Acquire(Key{Service: "mms"})
		if !errors.Is(err, ErrNoNode) || !strings.Contains(err.Error(), "a: down: connection refused") {
			t.Errorf("error %v, want the service's own reason", err)
		}
		at(t, 4, begin)
		acquire(t, p, Key{Service: "mms"}).Release()
	})
}

func TestServiceWithoutPort(t *testing.T) {
	nodes := bothServices()
	delete(nodes[0].Ports, "mms")
	delete(nodes[1].Ports, "mms")
	p := newPool(t, Config{Nodes: nodes})
	for range 3 {
		if l := acquire(t, p, Key{Service: "mms"}); l.Node().Name != "c" {
			t.Errorf("got %s, which has no such port", l.Node().Name)
		}
	}
	if _, err := p.Acquire(Key{Service: "mms", Exclude: []string{"c"}}); err == nil ||
		!strings.Contains(err.Error(), "a: has no port for mms; b: has no port for mms; c: already tried") {
		t.Errorf("error %v", err)
	}
	if s := stateOf(t, p, "a", "mms"); s.Usable {
		t.Errorf("%+v", s)
	}
	if n := len(p.Snapshot()[0].Services); n != 1 {
		t.Errorf("%d services of a node with one port", n)
	}
}

func TestMonitorsOfServices(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rtsp, mms := script(nil), script(map[string]string{"a": "-", "b": "+"})
		nodes := bothServices()[:2]
		p := newPool(t, Config{
			Nodes: nodes, Interval: 4 * time.Second, Fall: 1,
			Monitors: map[string]Monitor{"rtsp": rtsp.monitor, "mms": mms.monitor, "none": nil},
		})
		defer run(t, p)()
		at(t, 3.5, rtsp.begin)
		// Four targets are spread over the interval: a mms, a rtsp, b mms, b rtsp.
		for i, got := range []time.Duration{mms.times("a")[0], rtsp.times("a")[0], mms.times("b")[0], rtsp.times("b")[0]} {
			if want := time.Duration(i) * time.Second; got != want {
				t.Errorf("target %d was asked first at %v, want %v", i, got, want)
			}
		}
		if s := stateOf(t, p, "a", "mms"); s.Health != HealthDown || s.Usable || s.Passive {
			t.Errorf("mms of a: %+v", s)
		}
		if s := state(t, p, "a"); s.Health != HealthUp || !s.Usable {
			t.Errorf("rtsp of a: %+v", s)
		}
		if l := acquire(t, p, Key{Service: "mms", Prefer: "a"}); l.Node().Name != "b" {
			t.Errorf("got %s for mms", l.Node().Name)
		}
		if l := acquire(t, p, Key{Service: "rtsp", Prefer: "a"}); l.Node().Name != "a" {
			t.Errorf("got %s for rtsp", l.Node().Name)
		}
		delete(nodes[0].Ports, "mms") // a reload takes the port away: nobody asks any more
		if err := p.SetNodes(nodes); err != nil {
			t.Fatal(err)
		}
		at(t, 20, rtsp.begin)
		if n := len(mms.times("a")); n != 1 {
			t.Errorf("a was asked %d times for a port that it has no more", n)
		}
		if len(rtsp.times("a")) < 4 {
			t.Errorf("a's other service is no longer asked: %v", rtsp.times("a"))
		}
	})
}

// The pause ends a failure of a service that has no monitor, though another's monitor runs.
func TestPauseBesideAMonitor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := script(nil)
		p := newPool(t, Config{Nodes: bothServices()[:1], Monitors: rtspOnly(s.monitor), FailPause: time.Second})
		defer run(t, p)()
		at(t, 0.5, s.begin)
		l := acquire(t, p, Key{Service: "mms"})
		defer l.Release()
		l.Failed(errRefused)
		at(t, 1.6, s.begin)
		if !stateOf(t, p, "a", "mms").Usable {
			t.Error("not back after its pause")
		}
	})
}

// A port that changes makes its own service's health unknown and no other's.
func TestSetNodesForgetsOneService(t *testing.T) {
	p := newPool(t, Config{Nodes: bothServices()[:1]})
	for _, service := range []string{"rtsp", "mms"} {
		l := acquire(t, p, Key{Service: service})
		l.Failed(errRefused)
		l.Release()
	}
	nodes := bothServices()[:1]
	nodes[0].Ports["mms"] = 11755
	if err := p.SetNodes(nodes); err != nil {
		t.Fatal(err)
	}
	if s := stateOf(t, p, "a", "mms"); s.Health != HealthUnknown || s.Failures != 1 {
		t.Errorf("mms: %+v", s)
	}
	if s := state(t, p, "a"); s.Health != HealthDown {
		t.Errorf("rtsp: %+v", s)
	}
}

// Drain is an order about the whole node.
func TestDrainIsPerNode(t *testing.T) {
	p := newPool(t, Config{Nodes: bothServices()[:1]})
	if err := p.Drain("a", true); err != nil {
		t.Fatal(err)
	}
	for _, service := range []string{"rtsp", "mms", ""} {
		if _, err := p.Acquire(Key{Service: service}); !errors.Is(err, ErrNoNode) {
			t.Errorf("%q: error %v", service, err)
		}
	}
}
