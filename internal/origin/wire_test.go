package origin

import (
	"encoding/binary"
	"strings"
	"testing"
	"time"

	"github.com/bluenviron/gortsplib/v4/pkg/base"
	"github.com/google/go-cmp/cmp"
)

func TestParseRange(t *testing.T) {
	for _, c := range []struct {
		value string
		ms    int64
		ok    bool
	}{
		{"npt=0.000-", 0, true}, {"npt=1.5-3", 1500, true}, {"NPT = 2 - ", 2000, true}, {"npt=0:01:01.5-", 61500, true},
		{"npt=now-", -1, true}, {"npt=-5", -1, true}, {"x-asf-packet=7-", -1, true}, {"clock=19961108T14:24:00Z-", -1, true},
		{"npt=5", 0, false}, {"npt=x-", 0, false}, {"npt=1e300-", 0, false}, {"npt=NaN-", 0, false},
	} {
		if ms, ok := parseRange(c.value); ok != c.ok || ok && ms != c.ms {
			t.Errorf("%q: %d, %v; want %d, %v", c.value, ms, ok, c.ms, c.ok)
		}
	}
}

func TestPauseSeekAndInterleaved(t *testing.T) {
	s := serve(t, "127.0.0.21", Config{})
	c := dial(t, s)
	if v := first(c.setup("video", "RTP/AVP/TCP;unicast").Header, "Transport"); !strings.Contains(v, ";interleaved=0-1;") {
		t.Errorf("transport %q", v)
	}
	if v := first(c.setup("audio", "RTP/AVP/TCP;unicast;interleaved=0-1").Header, "Transport"); !strings.Contains(v, ";interleaved=2-3;") {
		t.Errorf("transport %q", v)
	}
	res := c.do("PLAY", "/sample.wmv", "", "Range: npt=5.000-")
	info := first(res.Header, "RTP-Info")
	if v := first(res.Header, "Range"); !strings.HasPrefix(v, "npt=3.966-") || strings.Count(info, "url="+c.root+"/sample.wmv/") != 2 {
		t.Errorf("range %q, info %q", v, info)
	}
	var f base.InterleavedFrame
	if err := f.Unmarshal(c.br); err != nil || f.Channel != 0 {
		t.Fatalf("channel %d, error %v", f.Channel, err)
	}
	if ms := binary.BigEndian.Uint32(f.Payload[4:]); ms < 3500 || ms > 5000 {
		t.Errorf("first packet of %d ms", ms)
	}
	if res := c.do("PAUSE", "/sample.wmv", ""); res.StatusCode != 200 {
		t.Errorf("pause: %d", res.StatusCode)
	}
	res = c.do("PLAY", "/sample.wmv", "")
	if v := first(res.Header, "Range"); res.StatusCode != 200 || strings.HasPrefix(v, "npt=0.") {
		t.Errorf("resumed with %d at %q", res.StatusCode, v)
	}
	if res := c.do("GET_PARAMETER", "/sample.wmv", "", "Content-Type: application/x-rtsp-packetpair"); len(res.Body) != 3*8+504+1048+504 || res.Body[0] != '$' {
		t.Errorf("packet pair of %d bytes", len(res.Body))
	}
	c.do("TEARDOWN", "/sample.wmv", "")
}

func TestSenderReport(t *testing.T) {
	b := senderReport(1, 2, 3, 4, time.Unix(0, 500_000_000))
	if len(b) != 28+20 || binary.BigEndian.Uint32(b[8:]) != ntpEpoch || binary.BigEndian.Uint32(b[12:]) != 1<<31 {
		t.Errorf("report %x", b)
	}
	if got := parseCNAME(b[28:]); got != "origin" {
		t.Errorf("name %q", got)
	}
}

func FuzzParseNack(f *testing.F) {
	f.Add([]byte{0x91, 205, 0, 3, 0, 0, 0, 1, 0, 0, 0, 0, 0, 9, 0, 3})
	f.Add(senderReport(1, 2, 3, 4, time.Unix(0, 0)))
	f.Fuzz(func(t *testing.T, b []byte) {
		cname, sequences := parseNack(b)
		if len(sequences) > maxNacks || len(cname) > 255 {
			t.Errorf("%d packets, name of %d bytes", len(sequences), len(cname))
		}
		nackSSRC(cname)
	})
}

func FuzzParseTransport(f *testing.F) {
	f.Add("RTP/AVP/UDP;unicast;client_port=4002-4003;ssrc=16a4ffff;mode=PLAY")
	f.Add("RTP/AVP/TCP;interleaved=0-1")
	f.Fuzz(func(t *testing.T, v string) {
		a, ok := chooseTransport([]string{v})
		if !ok || a.tcp && a.channels[1] == 0 { // a session gives such a one its channels
			return
		}
		b, ok := chooseTransport([]string{a.reply(5004, 1)})
		a.destination = ""
		if a.tcp {
			a.rtp, a.rtcp, a.clientPort, a.hasChannels = 0, 0, "", true
		} else {
			a.channels, a.hasChannels = [2]uint8{}, false
		}
		if d := cmp.Diff(a, b, cmp.AllowUnexported(transport{})); !ok || d != "" {
			t.Errorf("reply read back (-want +got):\n%s", d)
		}
	})
}
