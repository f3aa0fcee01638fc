package balancer

import (
	"slices"
	"testing"
)

func TestDrain(t *testing.T) {
	logger, logs := observed()
	p := newPool(t, Config{Nodes: three()[:2], Policy: RoundRobin(), Logger: logger})
	held := acquire(t, p, Key{Service: "rtsp", Prefer: "a"})
	for _, step := range []struct {
		on   bool
		want string
	}{{true, "bbb"}, {true, "bbb"}, {false, "aba"}} {
		p.cfg.Policy = RoundRobin()
		if err := p.Drain("a", step.on); err != nil {
			t.Fatal(err)
		}
		if got := names(t, p, 3, false); got != step.want {
			t.Errorf("drain %v: got %s, want %s", step.on, got, step.want)
		}
	}
	if s := state(t, p, "a"); s.Sessions != 1 {
		t.Errorf("%+v, want its session to have run on", s)
	}
	held.Release()
	if got := messages(logs); !slices.Equal(got, []string{"node drain changed", "node drain changed"}) {
		t.Errorf("logged %q, want each change once", got)
	}
	if err := p.Drain("x", true); err == nil {
		t.Error("a node that is not there was drained")
	}
}
