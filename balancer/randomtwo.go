package balancer

import "math/rand/v2"

// RandomTwo returns a policy that draws two nodes by weight and takes the one with fewer leases for its weight. Several
// gateways in front of the same nodes, each of which sees its own leases only, do not all run to one node with it, as
// they may with LeastSessions.
func RandomTwo() Policy { return &randomTwo{intN: rand.IntN} }

type randomTwo struct{ intN func(n int) int }

// Choose draws the second node from all but the first.
func (r *randomTwo) Choose(c []Candidate, _ Key) int {
	first := r.draw(c, -1)
	if len(c) == 1 {
		return first
	}
	second := r.draw(c, first)
	if c[second].Sessions*c[first].Weight < c[first].Sessions*c[second].Weight {
		return second
	}
	return first
}

// draw picks a candidate by weight, never the one at without.
func (r *randomTwo) draw(c []Candidate, without int) int {
	sum := 0
	for i, x := range c {
		if i != without {
			sum += x.Weight
		}
	}
	ticket := r.intN(sum)
	for i, x := range c {
		if i == without {
			continue
		}
		if ticket < x.Weight {
			return i
		}
		ticket -= x.Weight
	}
	return 0 // no ticket is as high as the sum
}
