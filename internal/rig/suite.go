//go:build linux

package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
)

// point is one load, sent through some relays in turn and that several times: the ratio to kernel NAT is taken within
// one turn, so that what disturbs the machine disturbs both.
type point struct {
	Name   string        `json:"name"`
	Load   load          `json:"load"`
	Relays []string      `json:"relays"`
	Turns  int           `json:"turns"`
	Window time.Duration `json:"window_ns"`
	Cells  []cell        `json:"cells"`
}

// cell is what a point found of one relay: the medians, each for itself.
type cell struct {
	Relay  string    `json:"relay"`
	Absent string    `json:"absent,omitempty"` // why there are no figures
	Median figures   `json:"median"`
	Ratio  float64   `json:"times_nat,omitempty"`
	Runs   []figures `json:"runs,omitempty"`
}

// reference is the relay that the others are compared with.
const reference = "nat"

// run measures the point.
func (p *point) run(ctx context.Context, receive string, progress io.Writer) error {
	p.Cells = make([]cell, len(p.Relays))
	for i, name := range p.Relays {
		p.Cells[i].Relay = name
	}
	for range p.Turns {
		for i := range p.Cells {
			c := &p.Cells[i]
			if c.Absent != "" {
				continue
			}
			f, err := measure(ctx, receive, c.Relay, p.Load, p.Window)
			switch absent := (errAbsent{}); {
			case errors.As(err, &absent):
				c.Absent = absent.program + " is not installed"
				continue
			case ctx.Err() != nil:
				return context.Cause(ctx)
			case err != nil: // the others go on
				c.Absent = err.Error()
				continue
			}
			c.Runs = append(c.Runs, f)
			fmt.Fprintf(progress, "%-24s %v\n", p.Name, f)
		}
	}
	p.compare()
	return nil
}

// compare fills in the medians.
func (p *point) compare() {
	var ref *cell
	for i := range p.Cells {
		c := &p.Cells[i]
		if len(c.Runs) == 0 {
			continue
		}
		if c.Relay == reference {
			ref = c
		}
		c.Median = medianFigures(c.Runs)
	}
	if ref == nil {
		return
	}
	for i := range p.Cells {
		c := &p.Cells[i]
		var ratios []float64
		for turn := range min(len(c.Runs), len(ref.Runs)) {
			ratios = append(ratios, c.Runs[turn].CPU/ref.Runs[turn].CPU)
		}
		c.Ratio = median(ratios)
	}
}

// medianFigures takes the median of each figure.
func medianFigures(runs []figures) figures {
	f := runs[0]
	f.Sent, f.Got, f.Lost = of(runs, func(f figures) uint64 { return f.Sent }), of(runs, func(f figures) uint64 { return f.Got }), of(runs, func(f figures) int64 { return f.Lost })
	f.Order, f.Late = of(runs, func(f figures) uint64 { return f.Order }), of(runs, func(f figures) uint64 { return f.Late })
	f.Rate, f.CPU = of(runs, func(f figures) float64 { return f.Rate }), of(runs, func(f figures) float64 { return f.CPU })
	f.Process, f.Core = of(runs, func(f figures) float64 { return f.Process }), of(runs, func(f figures) float64 { return f.Core })
	f.Busy = of(runs, func(f figures) float64 { return f.Busy })
	f.P50, f.P99 = of(runs, func(f figures) int64 { return f.P50 }), of(runs, func(f figures) int64 { return f.P99 })
	f.Memory, f.Session = of(runs, func(f figures) int64 { return f.Memory }), of(runs, func(f figures) int64 { return f.Session })
	return f
}

func of[T cmp.Ordered](runs []figures, value func(figures) T) T {
	all := make([]T, len(runs))
	for i, r := range runs {
		all[i] = value(r)
	}
	return median(all)
}

// median is the middle one, the lower of two; zero of none.
func median[T cmp.Ordered](all []T) (m T) {
	if len(all) == 0 {
		return m
	}
	all = slices.Sorted(slices.Values(all))
	return all[(len(all)-1)/2]
}

// plan is what is measured. A quick one has fewer points, turns and seconds.
func plan(quick bool) []*point {
	const tick = 200 * time.Microsecond
	everyone := []string{reference, "plain", "fast", "steer", "xdp", "rtpengine", "coturn"}
	userspace := []string{reference, "plain", "fast", "steer", "xdp"}
	at := func(flows, size, rate, burst int) load {
		return load{Flows: flows, Size: size, Rate: rate, Burst: burst, Tick: tick}
	}
	if quick {
		return []*point{
			{Name: "1,000 flows singly", Load: at(1000, 1316, 50000, 1), Relays: everyone, Turns: 1, Window: time.Second},
			{Name: "1,000 flows bursts", Load: at(1000, 1316, 50000, 16), Relays: everyone, Turns: 1, Window: time.Second},
			{Name: "5,000 flows singly", Load: at(5000, 1316, 50000, 1), Relays: userspace, Turns: 1, Window: time.Second},
			{Name: "100 flows singly", Load: at(100, 1316, 50000, 1), Relays: userspace, Turns: 1, Window: time.Second},
		}
	}
	const window = time.Second
	alone := at(1000, 1316, 50000, 1)
	alone.Tick = 0
	grouped := at(1000, 1316, 50000, 1)
	grouped.Tick = time.Millisecond
	return []*point{
		{Name: "1,000 flows singly", Load: at(1000, 1316, 50000, 1), Relays: append([]string{"routing"}, everyone...), Turns: 5, Window: window},
		{Name: "1,000 flows bursts", Load: at(1000, 1316, 50000, 16), Relays: everyone, Turns: 5, Window: window},
		{Name: "1,000 flows singly, in groups of 50", Load: grouped, Relays: everyone, Turns: 3, Window: window},
		{Name: "1 flow", Load: at(1, 1316, 50000, 1), Relays: userspace, Turns: 3, Window: window},
		{Name: "100 flows singly", Load: at(100, 1316, 50000, 1), Relays: userspace, Turns: 3, Window: window},
		{Name: "5,000 flows singly", Load: at(5000, 1316, 50000, 1), Relays: everyone, Turns: 3, Window: window},
		{Name: "5,000 flows bursts", Load: at(5000, 1316, 50000, 16), Relays: userspace, Turns: 3, Window: window},
		{Name: "1,000 flows 200 B", Load: at(1000, 200, 50000, 1), Relays: everyone, Turns: 3, Window: window},
		{Name: "1,000 flows 10 kpps", Load: at(1000, 1316, 10000, 1), Relays: everyone, Turns: 3, Window: window},
		{Name: "1,000 flows each alone", Load: alone, Relays: userspace, Turns: 3, Window: window},
	}
}

// named leaves the points whose name has a part of filter, all if that is empty.
func named(points []*point, filter string) []*point {
	return slices.DeleteFunc(points, func(p *point) bool { return !strings.Contains(p.Name, filter) })
}
