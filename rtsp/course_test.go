package rtsp

import (
	"testing"
	"time"

	"mediagate/internal/sessionlog"
	"mediagate/rtsp/rtspwire"
)

func TestNPTRange(t *testing.T) {
	for _, tc := range []struct {
		value    string
		from, to time.Duration
		ok       bool
	}{
		{"npt=0-90.5", 0, 90500 * time.Millisecond, true},
		{"npt=12.25-", 12250 * time.Millisecond, 0, true},
		{" npt=1:02:03.5-1:30:00;time=19970123T143720Z", time.Hour + 2*time.Minute + 3500*time.Millisecond, 90 * time.Minute, true},
		{"npt=now-", 0, 0, false},
		{"npt=-5", 0, 0, false},
		{"npt=NaN-Inf", 0, 0, false},
		{"npt=1e300-", 0, 0, false},
		{"npt=9999999:0:0-", 0, 0, false},
		{"clock=19970123T143720Z-", 0, 0, false},
		{"", 0, 0, false},
	} {
		from, to, ok := nptRange(tc.value)
		if from != tc.from || to != tc.to || ok != tc.ok {
			t.Errorf("%q: %v %v %v", tc.value, from, to, ok)
		}
	}
}

// TestCourse: what the record says of the place that a player had come to.
func TestCourse(t *testing.T) {
	type step struct {
		after  time.Duration
		answer string // the Range of a PLAY's answer; "pause"
		scale  string
	}
	for _, tc := range []struct {
		name  string
		steps []step
		want  string
	}{
		{"from the beginning", []step{{0, "npt=0-5400", ""}, {761 * time.Second, "pause", ""}}, "the player tore the session down at 00:12:41 of 01:30:00"},
		{"from the middle, without an end", []step{{0, "npt=60-", ""}, {5 * time.Second, "pause", ""}}, "the player tore the session down at 00:01:05"},
		{"a pause", []step{{0, "npt=0-90", ""}, {10 * time.Second, "pause", ""}, {time.Hour, "npt=10-90", ""}, {5 * time.Second, "pause", ""}},
			"the player tore the session down at 00:00:15 of 00:01:30"},
		{"a PLAY without a Range goes on", []step{{0, "npt=0-90", ""}, {10 * time.Second, "pause", ""}, {time.Hour, "", ""}, {5 * time.Second, "pause", ""}},
			"the player tore the session down at 00:00:15 of 00:01:30"},
		{"sought", []step{{0, "npt=0-90", ""}, {10 * time.Second, "npt=80-90", ""}, {5 * time.Second, "pause", ""}}, "the player tore the session down at 00:01:25 of 00:01:30"},
		{"waited at the end", []step{{0, "npt=0-90", ""}, {time.Hour, "pause", ""}}, "the player tore the session down at 00:01:30 of 00:01:30"},
		{"live", []step{{0, "npt=now-", ""}, {time.Hour, "pause", ""}}, "the player tore the session down"},
		{"fast", []step{{0, "npt=0-90", "4"}, {10 * time.Second, "pause", ""}}, "the player tore the session down"},
		{"never", nil, "the player tore the session down"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var c course
			now := time.Unix(1, 0)
			for _, s := range tc.steps {
				now = now.Add(s.after)
				if s.answer == "pause" {
					c.stop(now)
					continue
				}
				var h rtspwire.Header
				if s.answer != "" {
					h.Add("Range", s.answer)
				}
				if s.scale != "" {
					h.Add("Scale", s.scale)
				}
				c.start(now, &h)
			}
			if got := c.placed(sessionlog.TornDown).String(); got != tc.want {
				t.Errorf("got %q, want %q", got, tc.want)
			}
		})
	}
}
