package mms

import (
	"math"
	"testing"
	"time"

	"mediagate/internal/sessionlog"
)

// TestCourse: what the record says of the place that a player had come to.
func TestCourse(t *testing.T) {
	for _, tc := range []struct {
		name         string
		length, from float64 // seconds, as the messages have them
		want         string
	}{
		{"from the beginning", 5400, 0, "the player closed the file at 00:00:10 of 01:30:00"},
		{"from the middle", 5400, 751.5, "the player closed the file at 00:12:41 of 01:30:00"},
		{"live", 0, 0, "the player closed the file"},
		{"no time named", 5400, math.MaxFloat64, "the player closed the file"},
		{"no number", math.NaN(), math.NaN(), "the player closed the file"},
		{"beyond the end", 5, 0, "the player closed the file at 00:00:05 of 00:00:05"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c := course{length: seconds(tc.length)}
			c.from(tc.from)
			now := time.Unix(1, 0)
			c.start(now)
			c.finish(now.Add(10 * time.Second))
			c.finish(now.Add(time.Hour)) // it had ended
			if got := c.placed(sessionlog.FileClosed).String(); got != tc.want {
				t.Errorf("got %q, want %q", got, tc.want)
			}
			if f := c.facts(0); f.Played != 10*time.Second || f.Silent != 0 {
				t.Errorf("facts %+v", f)
			}
		})
	}
}
