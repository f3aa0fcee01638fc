package rtspwire

import (
	"strconv"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// wmsSDP has what a Windows Media server sends: CRLF, FEC payload types, an rtx stream, and oddities.
const wmsSDP = "v=0\r\n" +
	"o=- 1 1 IN IP4 10.0.0.5\r\n" +
	"c=IN IP4 10.0.0.5\r\n" +
	"a=control:rtsp://origin.test/a/\r\n" +
	"m=audio 0 RTP/AVP 96 98\r\n" +
	"a=rtpmap:96 x-asf-pf/1000\r\n" +
	"a=fmtp:96 audio/vnd.wave;codec=123\r\n" +
	"a=control: audio\n" +
	"a=fmtp:98 rtsp://origin.test/a/audio/fec 24 1\r\n" +
	"a=rtpmap:98 x-wms-fec/1000\r\n" +
	"m=application 5004/2 RTP/AVP 98\r\n" +
	"c=IN IP6 ff15::1/3 \r" +
	"a=rtpmap:98 x-wms-rtx/1000\r\n" +
	"a=fmtp:98 rtsp://origin.test/not-fec 1 1\r\n" +
	"A=CONTROL:x\r\n" +
	"a=Control:rtsp://origin.test/a/rtx\r\n" +
	"a=controls:no\r\n" +
	"no line of SDP"

func TestSDPEditControl(t *testing.T) {
	s := ParseSDP([]byte(wmsSDP))
	var seen []string
	s.EditControl(func(media int, url string) string {
		seen = append(seen, strconv.Itoa(media)+" "+url)
		return SwapAuthority(url, "gw.test:8554")
	})
	want := []string{"-1 rtsp://origin.test/a/", "0 audio", "0 rtsp://origin.test/a/audio/fec", "1 rtsp://origin.test/a/rtx"}
	if d := cmp.Diff(want, seen); d != "" {
		t.Errorf("URLs (-want +got):\n%s", d)
	}
	const edited = "v=0\r\n" +
		"o=- 1 1 IN IP4 10.0.0.5\r\n" +
		"c=IN IP4 10.0.0.5\r\n" +
		"a=control:rtsp://gw.test:8554/a/\r\n" +
		"m=audio 0 RTP/AVP 96 98\r\n" +
		"a=rtpmap:96 x-asf-pf/1000\r\n" +
		"a=fmtp:96 audio/vnd.wave;codec=123\r\n" +
		"a=control: audio\n" +
		"a=fmtp:98 rtsp://gw.test:8554/a/audio/fec 24 1\r\n" +
		"a=rtpmap:98 x-wms-fec/1000\r\n" +
		"m=application 5004/2 RTP/AVP 98\r\n" +
		"c=IN IP6 ff15::1/3 \r" +
		"a=rtpmap:98 x-wms-rtx/1000\r\n" +
		"a=fmtp:98 rtsp://origin.test/not-fec 1 1\r\n" +
		"A=CONTROL:x\r\n" +
		"a=Control:rtsp://gw.test:8554/a/rtx\r\n" +
		"a=controls:no\r\n" +
		"no line of SDP"
	if d := cmp.Diff(edited, string(s.Append(nil))); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}

func TestSDPEditConnection(t *testing.T) {
	for _, tt := range []struct{ name, in, want string }{
		{"unicast", "c=IN IP4 10.0.0.5\r\n", "c=IN IP4 0.0.0.0\r\n"},
		{"ttl and count stay", "c=IN IP4 224.2.1.1/127/3\r\n", "c=IN IP4 0.0.0.0/127/3\r\n"},
		{"white space stays", "c=IN  IP4\t10.0.0.5 \n", "c=IN  IP4\t0.0.0.0 \n"},
		{"no address", "c=IN IP4\r\nc=\r\nc=IN IP4 /3", "c=IN IP4\r\nc=\r\nc=IN IP4 /3"},
		{"origin line stays", "o=- 1 1 IN IP4 10.0.0.5\r\n", "o=- 1 1 IN IP4 10.0.0.5\r\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := ParseSDP([]byte(tt.in))
			s.EditConnection(func(int, string) string { return "0.0.0.0" })
			if got := string(s.Append(nil)); got != tt.want {
				t.Errorf("got %q", got)
			}
		})
	}
}

// TestSDPInjection: what f returns cannot make a line more.
func TestSDPInjection(t *testing.T) {
	s := ParseSDP([]byte(wmsSDP))
	s.EditControl(func(int, string) string { return "x\r\nc=IN IP4 192.0.2.1" })
	if got := string(s.Append(nil)); got != wmsSDP {
		t.Errorf("got %q", got)
	}
}

func TestSDPMedias(t *testing.T) {
	want := []SDPMedia{
		{Type: "audio", Protocol: "RTP/AVP", Control: "audio", Encoding: "x-asf-pf"},
		{Type: "application", Protocol: "RTP/AVP", Control: "rtsp://origin.test/a/rtx", Encoding: "x-wms-rtx", Port: 5004},
		{Type: "video", Port: 0},
	}
	got := ParseSDP([]byte(wmsSDP + "\r\nm=video 70000\r\n")).Medias()
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	if got := ParseSDP(nil).Medias(); got != nil {
		t.Errorf("an empty description has medias %v", got)
	}
}
