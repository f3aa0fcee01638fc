//go:build linux

package main

import (
	"fmt"
	"slices"
	"strings"
)

// goal is one bound that our relay is measured by.
type goal struct {
	text        string
	got, atMost float64
	known       bool // there are figures of both sides
}

func (g goal) String() string {
	switch {
	case !g.known:
		return "not measured: " + g.text
	case g.got <= g.atMost:
		return fmt.Sprintf("met:    %s: %.2f, at most %.2f", g.text, g.got, g.atMost)
	}
	return fmt.Sprintf("MISSED: %s: %.2f, at most %.2f", g.text, g.got, g.atMost)
}

// asked are the engines of ours that the goals are asked of: the best that was measured of those that need no word of the
// operator's, and the one that does.
func (r *report) asked() (all []string) {
	for _, name := range []string{"steer", "fast", "plain"} {
		if len(all) == 0 && r.measured(name) {
			all = append(all, name)
		}
	}
	if r.measured("xdp") {
		all = append(all, "xdp")
	}
	return all
}

func (r *report) measured(relay string) bool {
	return slices.ContainsFunc(r.Points, func(p *point) bool { return p.cell(relay) != nil })
}

// cell is the one of a relay, nil if it has no figures.
func (p *point) cell(name string) *cell {
	for i := range p.Cells {
		if c := &p.Cells[i]; c.Relay == name && len(c.Runs) > 0 {
			return c
		}
	}
	return nil
}

func (r *report) cell(point, relay string) *cell {
	for _, p := range r.Points {
		if p.Name == point {
			return p.cell(relay)
		}
	}
	return nil
}

// against is a goal on the ratio of two relays' cost, turn by turn.
func (r *report) against(point, ours, other string, atMost float64) goal {
	g := goal{text: fmt.Sprintf("%s, %s against %s, CPU", point, ours, other), atMost: atMost}
	a, b := r.cell(point, ours), r.cell(point, other)
	if a == nil || b == nil {
		return g
	}
	var ratios []float64
	for turn := range min(len(a.Runs), len(b.Runs)) {
		ratios = append(ratios, a.Runs[turn].CPU/b.Runs[turn].CPU)
	}
	g.got, g.known = median(ratios), true
	return g
}

// goals are the bounds, with what was found.
func (r *report) goals() (all []goal) {
	for _, us := range r.asked() {
		all = append(all, r.goalsOf(us)...)
	}
	return all
}

func (r *report) goalsOf(us string) (all []goal) {
	const singly, bursts = "1,000 flows singly", "1,000 flows bursts"
	for _, b := range []struct {
		point, other string
		atMost       float64
	}{
		{singly, "rtpengine", 0.40}, {singly, "coturn", 0.48}, {singly, reference, 2.8},
		{bursts, "rtpengine", 0.36}, {bursts, "coturn", 0.45}, {bursts, reference, 1.6},
	} {
		all = append(all, r.against(b.point, us, b.other, b.atMost))
	}
	many, few := r.cell("5,000 flows singly", us), r.cell("100 flows singly", us)
	growth := goal{text: us + ", 5,000 flows against 100, CPU", atMost: 1.1}
	memory := goal{text: us + ", 5,000 flows, KiB a session", atMost: 16}
	if many != nil && few != nil {
		growth.got, growth.known = many.Median.CPU/few.Median.CPU, true
	}
	if many != nil {
		memory.got, memory.known = float64(many.Median.Session)/1024, true
	}
	all = append(all, growth, memory)
	for _, p := range r.Points {
		all = append(all, p.delay(us)...)
	}
	return append(all, r.peakGoals(us)...)
}

// delay are the goals on delay and loss, of a point at the rate that they are meant for.
func (p *point) delay(us string) []goal {
	a, b := p.cell(us), p.cell(reference)
	if a == nil || b == nil || p.Load.Rate != 50000 {
		return nil
	}
	goals := []goal{{text: fmt.Sprintf("%s, %s against %s, p99 delay", p.Name, us, reference), known: true,
		got: float64(a.Median.P99) / float64(max(1, b.Median.P99)), atMost: 2}}
	if b.Median.Lost == 0 {
		goals = append(goals, goal{text: fmt.Sprintf("%s, %s, packets lost", p.Name, us), got: float64(a.Median.Lost), known: true})
	}
	return goals
}

// peakGoals ask for twice rtpengine's highest rate: its share of ours is at most a half.
func (r *report) peakGoals(us string) (all []goal) {
	rate := map[string]float64{}
	for _, p := range r.Peaks {
		rate[fmt.Sprint(p.Relay, " ", p.Burst)] = p.Rate
	}
	for key, ours := range rate {
		burst, ok := strings.CutPrefix(key, us+" ")
		if !ok {
			continue
		}
		theirs := rate["rtpengine "+burst]
		all = append(all, goal{text: "highest rate of rtpengine as a share of " + us + "'s, bursts of " + burst, got: theirs / ours, atMost: 0.5, known: theirs > 0})
	}
	return all
}
