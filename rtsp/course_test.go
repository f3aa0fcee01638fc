package rtsp

import (
	"testing"
	"time"
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
