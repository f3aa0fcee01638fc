package balancer

import (
	"fmt"
	"slices"
	"strings"
	"sync"
)

// Candidate is a usable node with the number of leases held on it now.
type Candidate struct {
	Node
	Sessions int
}

// Policy chooses a node for a session: the index of one of the candidates, of which there is at least one. Choose is
// called under the pool's lock: it must not block and must not call the pool. The slice is only lent.
type Policy interface {
	Choose(c []Candidate, k Key) int
}

// policies are the policies that a configuration can name.
var policies = map[string]func() Policy{
	"hash-client":    HashClient,
	"hash-url":       HashURL,
	"least-sessions": LeastSessions,
	"random-two":     RandomTwo,
	"round-robin":    RoundRobin,
}

// PolicyByName returns a new policy of that name, or an error that lists the names there are.
func PolicyByName(name string) (Policy, error) {
	if f, ok := policies[name]; ok {
		return f(), nil
	}
	names := make([]string, 0, len(policies))
	for n := range policies {
		names = append(names, n)
	}
	slices.Sort(names)
	return nil, fmt.Errorf("balancer: policy %q: not one of %s", name, strings.Join(names, ", "))
}

// RoundRobin returns a policy that gives each node a turn, and a node of weight w a share of w turns, spread evenly: of
// the weights 1 and 2 it makes b a b, not b b a.
func RoundRobin() Policy { return &roundRobin{} }

// LeastSessions returns a policy that takes the node with the fewest leases for its weight; nodes that are equal take
// turns as with RoundRobin.
func LeastSessions() Policy { return &leastSessions{} }

type roundRobin struct {
	mu     sync.Mutex // a policy may be tried outside a pool, from any goroutine
	credit map[string]int
}

// maxCredits bounds the memory of names that reloads took away; past it all start anew, which costs one uneven round.
const maxCredits = 4096

// Choose is the smooth weighted round robin of nginx: each candidate earns its weight, the richest is chosen and pays
// the sum. It needs no list that must be rebuilt when nodes come and go.
func (r *roundRobin) Choose(c []Candidate, _ Key) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.credit == nil || len(r.credit) > maxCredits {
		r.credit = make(map[string]int, len(c))
	}
	best, sum := 0, 0
	for i, x := range c {
		r.credit[x.Name] += x.Weight
		sum += x.Weight
		if r.credit[x.Name] > r.credit[c[best].Name] {
			best = i
		}
	}
	r.credit[c[best].Name] -= sum
	return best
}

type leastSessions struct{ turn roundRobin }

// Choose compares sessions/weight by cross products, so that nothing is rounded.
func (l *leastSessions) Choose(c []Candidate, k Key) int {
	var equal []Candidate
	var index []int
	for i, x := range c {
		if len(equal) > 0 {
			this, least := x.Sessions*equal[0].Weight, equal[0].Sessions*x.Weight
			if this > least {
				continue
			}
			if this < least {
				equal, index = equal[:0], index[:0]
			}
		}
		equal, index = append(equal, x), append(index, i)
	}
	return index[l.turn.Choose(equal, k)]
}
