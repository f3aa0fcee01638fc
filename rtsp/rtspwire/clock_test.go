package rtspwire

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestClockRates(t *testing.T) {
	for _, tc := range []struct {
		name, sdp string
		want      map[uint8]uint32
	}{
		{"none", "v=0\r\n", map[uint8]uint32{}},
		{"windows media", "m=audio 0 RTP/AVP 96\r\na=rtpmap:96 x-asf-pf/1000\r\n", map[uint8]uint32{96: 1000}},
		{"with channels", "a=rtpmap:97 MPEG4-GENERIC/44100/2\n", map[uint8]uint32{97: 44100}},
		{"two media, one type, one clock", "m=\na=rtpmap:96 a/1000\nm=\na=rtpmap:96 b/1000\n", map[uint8]uint32{96: 1000}},
		{"two media, one type, two clocks", "a=rtpmap:96 a/1000\na=rtpmap:96 b/90000\na=rtpmap:96 b/90000\n", map[uint8]uint32{}},
		{"nonsense", "a=rtpmap:128 a/1000\na=rtpmap:x a/1\na=rtpmap:5 a\na=rtpmap:6 a/0\na=rtpmap:7 a/99999999999\na=rtpmap:\n", map[uint8]uint32{}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, ParseSDP([]byte(tc.sdp)).ClockRates()); diff != "" {
				t.Error(diff)
			}
		})
	}
}
