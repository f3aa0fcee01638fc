package balancer

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

func failOne(t *testing.T, p *Pool, name string) {
	t.Helper()
	l := acquire(t, p, Key{Service: "rtsp", Prefer: name})
	if l.Node().Name != name {
		t.Fatalf("%s is not usable", name)
	}
	l.Failed(errRefused)
	l.Release()
}

func TestFailPause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		logger, logs := observed()
		p := newPool(t, Config{FailPause: 4 * time.Second, Logger: logger})
		a := acquire(t, p, Key{Service: "rtsp", Prefer: "a"})
		defer a.Release()
		a.Failed(errRefused)
		for _, tc := range []struct {
			at     float64
			usable bool
		}{{0, false}, {2, false}, {3.999, false}, {4, true}, {100, true}} {
			at(t, tc.at, begin)
			if got := state(t, p, "a"); got.Usable != tc.usable {
				t.Errorf("after %v s: %+v, want usable %v", tc.at, got, tc.usable)
			}
		}
		a.Failed(errRefused) // the same lease may tell it again
		if s := state(t, p, "a"); s.Usable || s.Failures != 2 {
			t.Errorf("%+v, want it out again", s)
		}
		want := []string{"node failed a connect and is out", "node is used again after its pause", "node failed a connect and is out"}
		if got := messages(logs); !slices.Equal(got, want) {
			t.Errorf("logged %q, want %q", got, want)
		}
	})
}

func TestFailuresProlongThePause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		p := newPool(t, Config{FailPause: 4 * time.Second})
		l := acquire(t, p, Key{Service: "rtsp", Prefer: "a"})
		defer l.Release()
		l.Failed(errRefused)
		at(t, 3, begin)
		l.Failed(errRefused) // a connect that began before the node was out
		at(t, 6.9, begin)
		if state(t, p, "a").Usable {
			t.Error("back before the second failure's pause ended")
		}
		at(t, 7, begin)
		if !state(t, p, "a").Usable {
			t.Error("not back after its pause")
		}
	})
}

func TestMonitorBringsPassiveFailureBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		// Asked at 0, 10, 20 ...; failed passively at 1; two good verdicts in a row are at 30 and 40.
		s := script(map[string]string{"a": "++-++"})
		p := newPool(t, Config{
			Nodes: three()[:2], Monitors: rtspOnly(s.monitor), Interval: 10 * time.Second, FailPause: time.Second, Rise: 2, Fall: 5,
		})
		defer run(t, p)()
		at(t, 1, s.begin)
		failOne(t, p, "a")
		for _, tc := range []struct {
			at     float64
			usable bool
		}{{2.5, false}, {11, false}, {21, false}, {31, false}, {41, true}} {
			at(t, tc.at, s.begin)
			if got := state(t, p, "a"); got.Usable != tc.usable {
				t.Errorf("after %v s: %+v, want usable %v", tc.at, got, tc.usable)
			}
		}
	})
}

func TestPassiveFailureBecomesTheMonitorsVerdict(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := script(map[string]string{"a": "+-"})
		p := newPool(t, Config{Nodes: three()[:1], Monitors: rtspOnly(s.monitor), Interval: time.Second, Fall: 2, FailPause: time.Second})
		stop := run(t, p)
		at(t, 0.5, s.begin)
		failOne(t, p, "a")
		at(t, 1.5, s.begin)
		if st := state(t, p, "a"); !st.Passive {
			t.Errorf("%+v, want still the connect's failure", st)
		}
		at(t, 2.5, s.begin)
		stop()
		at(t, 100, s.begin)
		if st := state(t, p, "a"); st.Passive || st.Usable {
			t.Errorf("%+v, want the monitor's last verdict to hold after Run", st)
		}
	})
}

func TestPauseAfterRunEnded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := script(nil)
		p := newPool(t, Config{Monitors: rtspOnly(s.monitor), FailPause: time.Second})
		stop := run(t, p)
		at(t, 0.1, s.begin)
		failOne(t, p, "a")
		stop()
		at(t, 2, s.begin)
		if st := state(t, p, "a"); !st.Usable {
			t.Errorf("%+v: no monitor runs any more and the pause is over", st)
		}
	})
}
