package balancer

import (
	"slices"
	"strings"
	"testing"
)

func TestPolicies(t *testing.T) {
	for _, tc := range []struct {
		name    string
		policy  func() Policy
		weights []int
		hold    bool // whether leases are kept
		want    string
	}{
		{"round robin", RoundRobin, nil, true, "abcabc"},
		{"round robin, weights", RoundRobin, []int{1, 2, 1}, true, "bacbbacb"},
		{"round robin, a heavy node is spread", RoundRobin, []int{5, 1, 1}, true, "aabacaa"},
		{"least sessions: each round of three is even", LeastSessions, nil, true, "abccba"},
		{"least sessions, none held: turns", LeastSessions, nil, false, "abcabc"},
		{"least sessions, weights: each round of four is even", LeastSessions, []int{1, 2, 1}, true, "bacbcabb"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			p := newPool(t, Config{Nodes: three(tc.weights...), Policy: tc.policy()})
			if got := names(t, p, len(tc.want), tc.hold); got != tc.want {
				t.Errorf("got %s, want %s", got, tc.want)
			}
		})
	}
}

func TestLeastSessionsFills(t *testing.T) {
	p := newPool(t, Config{})
	held := make(map[string][]*Lease)
	for range 9 {
		l := acquire(t, p, Key{Service: "rtsp"})
		held[l.Node().Name] = append(held[l.Node().Name], l)
	}
	for _, l := range held["b"] {
		l.Release()
	}
	if got := names(t, p, 3, true); got != "bbb" {
		t.Errorf("got %s, want the empty node to be filled: bbb", got)
	}
}

func TestRoundRobinForgetsOldNames(t *testing.T) {
	r := &roundRobin{}
	for i := range maxCredits + 10 {
		r.Choose([]Candidate{{Node: Node{Name: strings.Repeat("x", i%7) + string(rune(i)), Weight: 1}}}, Key{Service: "rtsp"})
	}
	if len(r.credit) > maxCredits+1 {
		t.Errorf("%d names kept", len(r.credit))
	}
}

func TestPolicyByName(t *testing.T) {
	for name := range policies {
		a, err := PolicyByName(name)
		if err != nil {
			t.Fatal(err)
		}
		b, _ := PolicyByName(name)
		if a == b {
			t.Errorf("%s: two pools would share one memory", name)
		}
	}
	_, err := PolicyByName("fastest")
	if err == nil {
		t.Fatal("a policy that is not there was found")
	}
	var last int
	for _, w := range []string{`"fastest"`, "least-sessions", "round-robin"} {
		i := strings.Index(err.Error(), w)
		if i < last {
			t.Errorf("%s is not in its place in: %v", w, err)
		}
		last = max(last, i)
	}
}

func TestHealthString(t *testing.T) {
	got := []string{HealthUnknown.String(), HealthUp.String(), HealthDown.String(), Health(9).String()}
	if want := []string{"unknown", "up", "down", "health 9"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}
