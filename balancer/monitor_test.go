package balancer

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"
)

// probes is a Monitor that answers from a script and notes when each node was asked.
type probes struct {
	mu      sync.Mutex
	begin   time.Time
	asked   map[string][]time.Duration
	answers map[string]string // per node one letter per probe: '+' good, '-' bad, '!' panic, '.' silent; the last repeats
}

func script(answers map[string]string) *probes {
	return &probes{begin: time.Now(), asked: make(map[string][]time.Duration), answers: answers}
}

func (s *probes) monitor(ctx context.Context, n Node) error {
	s.mu.Lock()
	i := len(s.asked[n.Name])
	s.asked[n.Name] = append(s.asked[n.Name], time.Since(s.begin))
	answers := s.answers[n.Name]
	s.mu.Unlock()
	if answers == "" {
		return nil
	}
	switch answers[min(i, len(answers)-1)] {
	case '-':
		return errRefused
	case '!':
		panic("scripted")
	case '.':
		<-ctx.Done()
		return ctx.Err()
	}
	return nil
}

func (s *probes) times(name string) []time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.asked[name])
}

// run starts p.Run and returns a function that ends it and waits.
func run(t *testing.T, p *Pool) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- p.Run(ctx) }()
	return func() {
		t.Helper()
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run: %v", err)
		}
	}
}

func at(t *testing.T, seconds float64, begin time.Time) {
	t.Helper()
	time.Sleep(time.Until(begin.Add(time.Duration(seconds * float64(time.Second))))) // synctest's clock: no waiting
	synctest.Wait()
}

func TestRiseAndFall(t *testing.T) {
	// One node, asked at 0, 10, 20 ... s; looked at a second after each probe.
	for _, tc := range []struct {
		name       string
		rise, fall int
		answers    string
		want       string // 'u' up, 'd' down
	}{
		{"good", 2, 3, "++++", "uuuu"},
		{"the first verdict counts whole", 2, 3, "-+++", "dduu"},
		{"two of three bad ones", 2, 3, "+--+--+", "uuuuuuu"},
		{"fall", 2, 3, "+---", "uuud"},
		{"rise must be in a row", 2, 1, "+-+-++", "uddddu"},
		{"rise of three", 3, 1, "-+++", "dddu"},
		{"one each", 1, 1, "+-+-", "udud"},
		{"fall again", 1, 2, "+--+--", "uuduud"},
		{"a panic is a bad verdict", 1, 1, "+!+", "udu"},
		{"silence is a bad verdict", 1, 1, "+.+", "udu"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := script(map[string]string{"a": tc.answers})
				p := newPool(t, Config{
					Nodes: three()[:1], Monitors: rtspOnly(s.monitor), Interval: 10 * time.Second, Timeout: 500 * time.Millisecond,
					Rise: tc.rise, Fall: tc.fall, Logger: zap.NewNop(),
				})
				defer run(t, p)()
				var got []byte
				for i := range tc.answers {
					at(t, float64(i)*10+1, s.begin)
					got = append(got, state(t, p, "a").Health.String()[0])
				}
				if string(got) != tc.want {
					t.Errorf("got %s, want %s", got, tc.want)
				}
			})
		})
	}
}

func TestStagger(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := script(nil)
		p := newPool(t, Config{Monitors: rtspOnly(s.monitor), Interval: 3 * time.Second})
		defer run(t, p)()
		at(t, 6.5, s.begin)
		for i, name := range []string{"a", "b", "c"} {
			var want []time.Duration
			for d := time.Duration(i) * time.Second; d < 6500*time.Millisecond; d += 3 * time.Second {
				want = append(want, d)
			}
			if got := s.times(name); !slices.Equal(got, want) {
				t.Errorf("%s was asked at %v, want %v", name, got, want)
			}
		}
	})
}

func TestProbesDoNotDoubleUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := script(map[string]string{"a": "."})
		p := newPool(t, Config{Nodes: three()[:1], Monitors: rtspOnly(s.monitor), Interval: time.Second, Timeout: 1500 * time.Millisecond})
		defer run(t, p)()
		at(t, 4, s.begin)
		want := []time.Duration{0, 1500 * time.Millisecond, 3 * time.Second}
		if got := s.times("a"); !slices.Equal(got, want) {
			t.Errorf("asked at %v, want %v", got, want)
		}
	})
}

func TestSetNodesWhileRunning(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := script(map[string]string{"b": "-"})
		p := newPool(t, Config{Nodes: three()[:2], Monitors: rtspOnly(s.monitor), Interval: 10 * time.Second, Fall: 1})
		defer run(t, p)()
		at(t, 6, s.begin) // a asked at 0, b at 5: down
		if err := p.SetNodes(three()[1:]); err != nil {
			t.Fatal(err)
		}
		at(t, 26, s.begin)
		want := map[string][]time.Duration{"a": {0}, "b": {5 * time.Second, 15 * time.Second, 25 * time.Second},
			"c": {6 * time.Second, 16 * time.Second, 26 * time.Second}}
		for name, w := range want {
			if got := s.times(name); !slices.Equal(got, w) {
				t.Errorf("%s was asked at %v, want %v", name, got, w)
			}
		}
		if st := state(t, p, "b"); st.Health != HealthDown {
			t.Errorf("b is %v: its health did not outlive the change", st.Health)
		}
	})
}

func TestRunEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := script(map[string]string{"a": "."})
		p := newPool(t, Config{Nodes: three()[:1], Monitors: rtspOnly(s.monitor)})
		stop := run(t, p)
		at(t, 1, s.begin) // a probe is under way
		if err := p.Run(t.Context()); !errors.Is(err, errRunning) {
			t.Errorf("second Run: %v", err)
		}
		stop()
		if h := state(t, p, "a").Health; h != HealthUnknown {
			t.Errorf("a probe that we broke off made the node %v", h)
		}
		stop = run(t, newPool(t, Config{})) // without a monitor it only waits
		stop()
	})
}

func TestStateChangesAreLoggedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := script(map[string]string{"a": "+------++++"})
		logger, logs := observed()
		p := newPool(t, Config{Nodes: three()[:1], Monitors: rtspOnly(s.monitor), Logger: logger})
		stop := run(t, p)
		at(t, 60, s.begin)
		stop()
		want := []string{"node is down by its monitor's verdict", "node is up again by its monitor's verdict"}
		if got := messages(logs); !slices.Equal(got, want) {
			t.Errorf("logged %q, want %q", got, want)
		}
		if f := logs.All()[0].ContextMap(); f["pool"] != "media" || f["node"] != "a" || f["error"] != errRefused.Error() {
			t.Errorf("fields %v", f)
		}
	})
}

func TestMonitorPanicIsLogged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := script(map[string]string{"a": "!+"})
		logger, logs := observed()
		p := newPool(t, Config{Nodes: three()[:1], Monitors: rtspOnly(s.monitor), Logger: logger})
		stop := run(t, p)
		at(t, 1, s.begin)
		stop()
		if n := logs.FilterMessage("monitor panicked").Len(); n != 1 {
			t.Errorf("%d panics logged, want 1: %q", n, messages(logs))
		}
		if r := state(t, p, "a").Reason; !strings.Contains(r, "scripted") {
			t.Errorf("reason %q does not name the panic", r)
		}
	})
}
