//go:build linux

package main

import (
	"encoding/hex"
	"errors"
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestBencode(t *testing.T) {
	for _, tc := range []struct {
		name, want string
		value      any
	}{
		{"string", "4:ping", "ping"},
		{"empty string", "0:", ""},
		{"list", "l8:internal8:externale", []string{"internal", "external"}},
		{"dictionary, keys in order", "d7:command5:offer3:sdp2:v=e", map[string]any{"sdp": "v=", "command": "offer"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got := bencode([]byte("1 "), tc.value)
			if string(got) != "1 "+tc.want {
				t.Errorf("got %q, want %q", got, tc.want)
			}
		})
	}
}

func TestBdecode(t *testing.T) {
	v, rest, err := bdecode([]byte("d6:result2:ok1:nli-3ei42ee1:ed1:a0:eexyz"), 0)
	want := map[string]any{"result": "ok", "n": []any{int64(-3), int64(42)}, "e": map[string]any{"a": ""}}
	if err != nil || cmp.Diff(want, v) != "" || string(rest) != "xyz" {
		t.Errorf("error %v, rest %q, %s", err, rest, cmp.Diff(want, v))
	}
	whole := "d6:result2:oke"
	for n := range whole {
		if _, _, err := bdecode([]byte(whole[:n]), 0); !errors.Is(err, errBencode) {
			t.Errorf("cut at %d: error %v", n, err)
		}
	}
	for _, bad := range []string{"99999999999:a", "-1:a", "x", "i1x2e", "d1:ae", "di1e1:ae", "llllllllllllllllllllllllllll"} {
		if _, _, err := bdecode([]byte(bad), 0); !errors.Is(err, errBencode) {
			t.Errorf("%q: error %v", bad, err)
		}
	}
}

func TestAddressOf(t *testing.T) {
	want := netip.MustParseAddrPort("10.98.0.1:6002")
	got, err := addressOf(mediaSDP(want, "sendonly"))
	if err != nil || got != want {
		t.Errorf("got %v, error %v", got, err)
	}
	for _, bad := range []string{"", "c=IN IP4 10.0.0.1\r\n", "m=video 99999 RTP/AVP 33\r\n", "c=IN IP4 x\r\nm=video 2 RTP/AVP 33\r\n"} {
		if _, err := addressOf(bad); err == nil {
			t.Errorf("%q: no error", bad)
		}
	}
}

// TestSTUNAddress: the example of RFC 5769, section 2.2.
func TestSTUNAddress(t *testing.T) {
	at := netip.MustParseAddrPort("192.0.2.1:32853")
	if got := hex.EncodeToString(xorAddress(at)); got != "0001a147e112a643" {
		t.Errorf("written: %s", got)
	}
	if got, err := readXORAddress(xorAddress(at)); got != at || err != nil {
		t.Errorf("read: %v, error %v", got, err)
	}
	if _, err := readXORAddress([]byte{0, 2, 0, 0, 0, 0, 0, 0}); !errors.Is(err, errSTUN) {
		t.Errorf("IPv6: error %v", err)
	}
}

func TestSTUNMessage(t *testing.T) {
	request := stunRequest(allocateRequest, 7, attribute{attrRequestedTransport, []byte{17, 0, 0, 0}}, attribute{attrErrorCode, []byte("odd")})
	if got, want := hex.EncodeToString(request), "000300102112a442000000000000000000000007"+"0019000411000000"+"000900036f646400"; got != want {
		t.Errorf("written: %s, want %s", got, want)
	}
	if _, err := stunAnswer(request, allocateRequest); err == nil {
		t.Error("a request was taken for an answer")
	}
	request[0] |= successBit >> 8
	found, err := stunAnswer(request, allocateRequest)
	if err != nil || string(found[attrErrorCode]) != "odd" || len(found[attrRequestedTransport]) != 4 {
		t.Errorf("read: %v, error %v", found, err)
	}
	for n := range request {
		if _, err := stunAnswer(request[:n], allocateRequest); err == nil {
			t.Errorf("cut at %d: no error", n)
		}
	}
}

func TestHistogram(t *testing.T) {
	h := make(histogram, histogramSteps)
	for us := range 1000 {
		h[us*1000>>histogramShift]++
	}
	for _, tc := range []struct {
		q    float64
		want time.Duration
	}{{0, 0}, {0.5, 500 * time.Microsecond}, {0.99, 990 * time.Microsecond}, {0.9999, 999 * time.Microsecond}} {
		if got := h.quantile(tc.q); got > tc.want || got < tc.want-1024 {
			t.Errorf("%v: got %v, want %v or at most a step less", tc.q, got, tc.want)
		}
	}
	if got := (histogram{}).quantile(0.5); got != 0 {
		t.Errorf("of none: %v", got)
	}
}

// TestPace: packets are due when their time has come, bursts whole, and not before.
func TestPace(t *testing.T) {
	for _, l := range []load{{Rate: 50000, Burst: 1}, {Rate: 50000, Burst: 16}, {Rate: 30000, Burst: 1, Tick: 200 * time.Microsecond}, {Rate: 50000, Burst: 16, Tick: 200 * time.Microsecond}} {
		g := &generator{load: l}
		for k := 0; k < 1000; k += l.Burst {
			at := g.when(k)
			if g.due(at) <= k {
				t.Fatalf("%+v: packet %d is not due at its time, %d ns", l, k, at)
			}
			if at > 0 && g.due(at-1) > k && l.Tick == 0 {
				t.Fatalf("%+v: packet %d is due before its time, %d ns", l, k, at)
			}
		}
	}
}

func TestMedian(t *testing.T) {
	if got := median([]float64{5, 1, 9}); got != 5 {
		t.Errorf("of three: %v", got)
	}
	if got := median([]int64{4, 2}); got != 2 {
		t.Errorf("of two: %v", got)
	}
	if got := median[int](nil); got != 0 {
		t.Errorf("of none: %v", got)
	}
}
