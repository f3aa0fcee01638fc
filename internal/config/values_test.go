package config

import (
	"net/netip"
	"testing"
	"time"
)

func TestDurationString(t *testing.T) {
	tests := []struct {
		d    time.Duration
		want string
	}{
		{0, "0s"}, {5 * time.Second, "5s"}, {75 * time.Second, "1m15s"}, {time.Minute, "1m"}, {time.Hour, "1h"},
		{10 * time.Minute, "10m"}, {90 * time.Minute, "1h30m"}, {time.Hour + time.Second, "1h0m1s"},
		{250 * time.Millisecond, "250ms"},
	}
	for _, tt := range tests {
		if got := Duration(tt.d).String(); got != tt.want {
			t.Errorf("%v: got %q, want %q", tt.d, got, tt.want)
		}
	}
}

func TestSizeString(t *testing.T) {
	tests := []struct {
		s    Size
		want string
	}{{0, "0"}, {1, "1B"}, {1000, "1000B"}, {1024, "1KiB"}, {1536, "1536B"}, {4 << 20, "4MiB"}, {1 << 30, "1GiB"}}
	for _, tt := range tests {
		if got := tt.s.String(); got != tt.want {
			t.Errorf("%d: got %q, want %q", int(tt.s), got, tt.want)
		}
	}
}

func TestPortRangePairs(t *testing.T) {
	tests := []struct {
		r    PortRange
		want int
	}{
		{PortRange{5004, 5005}, 1}, {PortRange{5005, 5006}, 0}, {PortRange{5004, 5004}, 0}, {PortRange{5005, 5007}, 1},
		{PortRange{5004, 5008}, 2}, {PortRange{20000, 29999}, 5000}, {PortRange{65534, 65535}, 1}, {PortRange{1, 65535}, 32767},
		{PortRange{5005, 5004}, 0},
	}
	for _, tt := range tests {
		if got := tt.r.Pairs(); got != tt.want {
			t.Errorf("%v: got %d pairs, want %d", tt.r, got, tt.want)
		}
	}
}

func TestParseListen(t *testing.T) {
	tests := []struct {
		text string
		want Listen
	}{
		{":554", Listen{Port: 554}},
		{"192.0.2.1:554", Listen{netip.MustParseAddr("192.0.2.1"), 554}},
		{"[2001:db8::1]:554", Listen{netip.MustParseAddr("2001:db8::1"), 554}},
		{"[::]:554", Listen{netip.IPv6Unspecified(), 554}},
	}
	for _, tt := range tests {
		got, err := ParseListen(tt.text)
		if err != nil || got != tt.want || got.String() != tt.text {
			t.Errorf("%q: got %v, %v", tt.text, got, err)
		}
	}
}
