//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"
)

// The search for the highest rate without loss: from searchFrom in steps of searchGrow until a rate is not held, then
// back in steps of searchShrink until one is held again. A rate is held if it is held in one of searchTries runs: what
// other programs of the machine do to one run is not the relay's fault.
const (
	searchFrom   = 40000
	searchGrow   = 1.25
	searchShrink = 0.95
	searchTries  = 2
	searchWindow = 700 * time.Millisecond
	searchMost   = 1000000
	// allowed is the loss that counts as none, as in the figures that the goals are made of.
	allowed = 0.001
	// tooLate is the share of packets that leave late from which on it is the generator that does not keep up.
	tooLate = 0.5
)

// peak is the highest rate that a relay holds on one core.
type peak struct {
	Relay  string  `json:"relay"`
	Burst  int     `json:"burst"`
	Absent string  `json:"absent,omitempty"`
	Rate   float64 `json:"rate"`    // packets a second
	AtMost bool    `json:"limited"` // by the generator: the relay may do more
}

// search looks for it.
func search(ctx context.Context, receive, name string, l load, progress io.Writer) (p peak, err error) {
	p = peak{Relay: name, Burst: l.Burst}
	// limited: it was not held, and in each try for want of packets from the generator.
	try := func(rate float64) (held, limited bool, err error) {
		l.Rate, limited = int(rate), true
		for range searchTries {
			f, err := measure(ctx, receive, name, l, searchWindow)
			if err != nil {
				return false, false, err
			}
			fmt.Fprintf(progress, "search %-17d %v\n", l.Rate, f)
			if float64(f.Late) > tooLate*float64(f.Sent) || f.Rate < 0.97*rate {
				continue
			}
			if float64(f.Lost) <= allowed*float64(f.Sent) {
				p.Rate = max(p.Rate, f.Rate)
				return true, false, nil
			}
			limited = false
		}
		return false, limited, nil
	}
	rate, held := float64(searchFrom), true
	for held && rate < searchMost && err == nil {
		if held, p.AtMost, err = try(rate); held {
			rate *= searchGrow
		}
	}
	for !held && !p.AtMost && err == nil && rate*searchShrink > p.Rate {
		rate *= searchShrink
		held, _, err = try(rate)
	}
	if absent := (errAbsent{}); errors.As(err, &absent) {
		p.Absent, err = absent.program+" is not installed", nil
	}
	return p, err
}
