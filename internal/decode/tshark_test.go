package decode

import (
	"fmt"
	"math"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"mediagate/internal/lab"
	"mediagate/mms/mmswire"
)

// tshark runs Wireshark's own dissection of a capture.
func tshark(t *testing.T, path string, args ...string) string {
	t.Helper()
	cmd := exec.Command("tshark", append([]string{"-n", "-r", path}, args...)...)
	cmd.Env = append(cmd.Environ(), "HOME="+t.TempDir())
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("tshark: %v", err)
	}
	return string(out)
}

// judged are the captures whose messages tshark can read: it does not join the halves of a tunnel, and counts a packet
// twice that was captured on two interfaces.
var judged = []string{
	"rtsp-udp-ffmpeg-gst", "rtsp-udp-gst-gst", "rtsp-digest-ffmpeg-gst", "rtsp-404-ffmpeg-gst", "rtsp-blocked-ffmpeg-gst",
	"rtsp-rejected-ffmpeg-gst", "rtsp-wrong-port-ffmpeg-gst", "rtsp-nat-ffmpeg-gst", "rtsp-wrong-password-ffmpeg-gst",
	"rtsp-player-dies-ffmpeg-gst", "rtsp-server-dies-ffmpeg-gst", "mmst-mplayer-gateway", "mmst-404-ffmpeg-gateway",
	"rtsp-legs-ffmpeg-gateway", "mmsu-vlc-gateway", "mmst-vlc-gateway", "mmsu-loss-play-gateway", "mmsu-blocked-vlc-gateway",
}

// TestTsharkMessages compares the messages of RTSP and MMS, in their order, with what tshark finds.
func TestTsharkMessages(t *testing.T) {
	lab.Need(t, "tshark")
	for _, name := range judged {
		t.Run(name, func(t *testing.T) {
			path := captures(t)[name]
			out := tshark(t, path, "-Y", "rtsp.request or rtsp.response or msmms.command",
				"-T", "fields", "-e", "rtsp.method", "-e", "rtsp.status", "-e", "msmms.command.to-server-id", "-e", "msmms.command.to-client-id")
			var want []string
			for line := range strings.Lines(out) {
				for i, column := range strings.Split(strings.TrimSuffix(line, "\n"), "\t") {
					for _, v := range strings.FieldsFunc(column, func(r rune) bool { return r == ',' }) {
						if i >= 2 {
							id, err := strconv.ParseUint(v, 0, 16)
							if err != nil {
								t.Fatal(err)
							}
							v = mmswire.MID(uint32(i+1)<<16 | uint32(id)).String()
						}
						want = append(want, v)
					}
				}
			}
			var got []string
			for _, c := range readCapture(t, path).Conversations {
				for _, e := range c.Events {
					switch e.Kind {
					case "request":
						got = append(got, strings.Fields(e.Line)[0])
					case "response":
						got = append(got, strings.Fields(e.Line)[1])
					case "message":
						got = append(got, e.Line)
					}
				}
			}
			slices.Sort(want) // two conversations of a gateway lie side by side there, one behind the other here
			slices.Sort(got)
			if len(want) < 4 {
				t.Errorf("tshark has found %d messages only", len(want))
			}
			if d := cmp.Diff(want, got); d != "" {
				t.Errorf("messages (-tshark +ours):\n%s", d)
			}
		})
	}
}

// TestTsharkRTP compares packets, losses and the highest jitter of each RTP stream with tshark's.
func TestTsharkRTP(t *testing.T) {
	lab.Need(t, "tshark")
	for _, tc := range []struct {
		name, link string
		filter     []string
	}{
		{name: "rtsp-udp-ffmpeg-gst"}, {name: "rtsp-udp-gst-gst"}, {name: "rtsp-nat-ffmpeg-gst"}, {name: "rtsp-wrong-port-ffmpeg-gst"},
		{name: "rtsp-rejected-ffmpeg-gst"}, {name: "rtsp-player-dies-ffmpeg-gst"}, {name: "rtsp-server-dies-ffmpeg-gst"},
		{name: "rtsp-loss-ffmpeg-gst", link: "c0", filter: []string{"-2", "-R", "frame.interface_id == 0"}},
		{name: "rtsp-legs-ffmpeg-gateway", link: "c0", filter: []string{"-2", "-R", "frame.interface_id == 0"}},
		{name: "rtsp-legs-ffmpeg-gateway", link: "o0", filter: []string{"-2", "-R", "frame.interface_id == 1"}},
		{name: "rtsp-loss-ffmpeg-gst", link: "o0", filter: []string{"-2", "-R", "frame.interface_id == 1"}},
	} {
		t.Run(tc.name+tc.link, func(t *testing.T) {
			path := captures(t)[tc.name]
			want := streamsOf(t, tshark(t, path, append(tc.filter, "--enable-heuristic", "rtp_udp", "-q", "-z", "rtp,streams")...))
			got := map[string]rtpFigures{}
			for _, c := range readCapture(t, path).Conversations {
				for _, m := range c.Media {
					for _, f := range m.Flows {
						if f.Kind != "rtp" || !f.isPayload() || tc.link != "" && f.Interface != tc.link {
							continue
						}
						for _, s := range f.Sources {
							got[fmt.Sprintf("%s > %s %s", f.From, f.To, s.ID)] = rtpFigures{s.Packets, s.Lost, time.Duration(s.MaxJitter).Seconds() * 1e3}
						}
					}
				}
			}
			if len(want) == 0 {
				t.Error("tshark has found no stream")
			}
			near := cmp.Comparer(func(a, b float64) bool { return math.Abs(a-b) < 0.02 }) // of rounding, ms
			if d := cmp.Diff(want, got, near); d != "" {
				t.Errorf("streams (-tshark +ours):\n%s", d)
			}
		})
	}
}

type rtpFigures struct {
	Packets   uint64
	Lost      int64
	MaxJitter float64 // ms
}

// streamsOf reads the table of tshark -z rtp,streams.
func streamsOf(t *testing.T, table string) map[string]rtpFigures {
	t.Helper()
	out := map[string]rtpFigures{}
	for line := range strings.Lines(table) {
		i := strings.Index(line, "0x")
		f := strings.Fields(line)
		if i < 0 || len(f) < 10 {
			continue
		}
		rest := strings.Fields(line[i:])
		if strings.Contains(line, "Unassigned") || len(rest) < 11 || slices.Contains(rest, "-1.000") {
			continue // a single packet, by which a player opens a NAT
		}
		// SSRC, payload (one word or several), packets, lost, (percent), deltas, jitters
		at := slices.IndexFunc(rest, func(w string) bool { return strings.HasPrefix(w, "(") })
		packets, err1 := strconv.ParseUint(rest[at-2], 10, 64)
		lost, err2 := strconv.ParseInt(rest[at-1], 10, 64)
		jitter, err3 := strconv.ParseFloat(rest[at+6], 64)
		if err1 != nil || err2 != nil || err3 != nil {
			t.Fatalf("tshark: %q", line)
		}
		out[fmt.Sprintf("%s:%s > %s:%s %s", f[2], f[3], f[4], f[5], strings.ToLower(rest[0][2:]))] = rtpFigures{packets, lost, max(0, jitter)}
	}
	return out
}
