package e2e

import (
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"mediagate/internal/decode"
	"mediagate/internal/lab"
	"mediagate/internal/origin"
)

// capturing runs a gateway with a rule that captures and traces every session,
// and returns it with the directory of its files.
func capturing(t *testing.T, s lab.Settings, nodes ...lab.Node) (*inProcess, string) {
	t.Helper()
	dir := t.TempDir()
	switch at := lab.Loopback(t); s.Protocol {
	case "":
		s.Listen = lab.FreePort(t, at)
	default:
		s.Listen = netip.AddrPortFrom(at, lab.UsualPort(s.Protocol))
	}
	s.Nodes, s.Monitor, s.Records = nodes, "{interval: 0s}", filepath.Join(t.TempDir(), "sessions.jsonl")
	rule := fmt.Sprintf("capture: {dir: %q, flight: {dir: %q}, rules: [{name: all, url: \"*\"}]}\n", dir, dir)
	return runInProcess(t, s, s.YAML()+rule), dir
}

// fileOfSession waits for a file of a session in a directory.
func fileOfSession(t *testing.T, dir, id, suffix string) string {
	t.Helper()
	var found []string
	lab.Eventually(recordLimit, func() bool {
		found, _ = filepath.Glob(filepath.Join(dir, "*"+id+"*"+suffix)) // the pattern is sound
		return len(found) == 1
	})
	if len(found) != 1 {
		t.Fatalf("files of session %s: %v", id, found)
	}
	return found[0]
}

// dissected is what tshark says of a capture: the lines of some fields of the
// packets that a filter lets through. RTSP is told where its port is.
func dissected(t *testing.T, file string, rtsp []uint16, filter string, fields ...string) []string {
	t.Helper()
	args := []string{"-r", file, "-2", "-o", "rtp.heuristic_rtp:FALSE", "-Y", filter, "-T", "fields"}
	for _, port := range rtsp {
		args = append(args, "-d", fmt.Sprintf("tcp.port==%d,rtsp", port))
	}
	for _, f := range fields {
		args = append(args, "-e", f)
	}
	cmd := exec.Command("tshark", args...)
	var complaints strings.Builder
	cmd.Stderr = &complaints
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("tshark: %v\n%s", err, complaints.String())
	}
	return strings.FieldsFunc(string(out), func(r rune) bool { return r == '\n' })
}

// sound is that Wireshark finds nothing wrong with a capture: no malformed
// packet, no gap in a connection, nothing that it cannot put together. Wireshark
// 4.0 reads the SPS of an SDP without taking its emulation prevention bytes out
// (ITU-T H.264, 7.4.1.1), and calls it malformed: that SDP passes.
func sound(t *testing.T, file string, rtsp ...uint16) {
	t.Helper()
	const bad = "(_ws.malformed && !(sdp contains \"sprop-parameter-sets\")) || _ws.unreassembled || tcp.analysis.lost_segment || tcp.analysis.ack_lost_segment || " +
		"tcp.analysis.out_of_order || tcp.analysis.retransmission || tcp.checksum.status == 0 || udp.checksum.status == 0 || ip.checksum.status == 0"
	if lines := dissected(t, file, rtsp, bad, "frame.number", "_ws.col.Protocol", "_ws.col.Info"); len(lines) != 0 {
		t.Errorf("tshark finds fault with %d packets:\n%s", len(lines), strings.Join(lines[:min(len(lines), 10)], "\n"))
	}
}

// TestCaptureRTSP: what ffmpeg (UDP) and GStreamer (TCP) played is read by
// tshark, whose counts of RTP are the record's.
func TestCaptureRTSP(t *testing.T) {
	lab.Need(t, "ffmpeg", "gst-launch-1.0", "tshark")
	src := lab.StartSampleOrigin(t, lab.Loopback(t), "")
	gw, dir := capturing(t, lab.Settings{}, node("sample", src.Addr))
	for _, kind := range []lab.PlayerKind{lab.FFmpeg("udp"), lab.GStreamer("tcp")} {
		t.Run(kind.Name, func(t *testing.T) {
			start := time.Now()
			p := lab.Play(t, kind, gw.URL(src.Path()), nil)
			p.WaitFrames(40, 40, playLimit)
			p.End()
			r := lab.WaitRecord(t, gw.settings.Records, recordLimit, since(start))
			lab.Eventually(recordLimit, func() bool { return gw.Sessions() == 0 })
			file := fileOfSession(t, dir, r.ID, ".pcapng")
			ports := []uint16{gw.settings.Listen.Port(), src.Addr.Port()}
			sound(t, file, ports...)
			for iface, want := range []uint64{r.ToClient.Packets, r.FromOrigin.Packets} {
				from := fmt.Sprintf("(rtp || rtcp) && frame.interface_id == %d && ip.src == %v", iface, []netip.Addr{gw.settings.Listen.Addr(), src.Addr.Addr()}[iface])
				n := 0
				for _, line := range dissected(t, file, ports, from, "rtp.seq", "rtcp.pt") {
					media, control, _ := strings.Cut(line, "\t")
					if media != "" {
						n += 1 + strings.Count(media, ",") // several frames in one segment
					}
					n += strings.Count(control, "200") // each compound packet of a sender begins with its report
				}
				if uint64(n) != want {
					t.Errorf("interface %d: tshark counts %d packets of RTP and RTCP, the record has %d", iface, n, want)
				}
			}
			if got := dissected(t, file, ports, "rtsp.method == \"PLAY\"", "frame.interface_name"); strings.Join(got, " ") != "client origin" {
				t.Errorf("PLAY is seen on %v", got)
			}
			judgeTrace(t, fileOfSession(t, dir, r.ID, ".trace"))
			decoded(t, file)
		})
	}
}

// decoded reads a capture or a trace with our own decoder, which must find both
// sides and no fault.
func decoded(t *testing.T, path string) {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	rep, err := decode.Read(f, decode.Limits{})
	if err != nil || rep.File.Cut != "" || len(rep.Conversations) != 2 {
		t.Fatalf("decode %s: error %v, cut %q, %d conversations", filepath.Base(path), err, rep.File.Cut, len(rep.Conversations))
	}
	for _, f := range rep.Findings {
		if f.Level == "error" {
			t.Errorf("decode %s: %s", filepath.Base(path), f.Text)
		}
	}
}

// judgeTrace looks for what a trace of a session that played must have.
func judgeTrace(t *testing.T, path string) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range []string{"| SETUP rtsp://", "| Session: masked-session-1", "- | SETUP rtsp://", "+ | SETUP rtsp://", "+ | Via: ", "| PLAY rtsp://", "| TEARDOWN rtsp://"} {
		if !strings.Contains(string(text), part) {
			t.Errorf("the trace lacks %q", part)
		}
	}
	decoded(t, path)
}

// TestCaptureMMS: the same for VLC over UDP.
func TestCaptureMMS(t *testing.T) {
	lab.Need(t, "vlc", "tshark")
	kind := lab.VLC("mmsu")
	sample := lab.SampleASF(t)
	from := mmsOrigin(t, lab.Loopback(t), origin.Config{}, sample, fileOf(kind))
	gw, dir := capturing(t, lab.Settings{Protocol: "mms"}, from)
	p := lab.PlayMMS(t, kind, mmsURL(gw.settings.Listen.Addr(), fileOf(kind)), nil)
	playsWhole(t, p, sample)
	r := lab.WaitRecord(t, gw.settings.Records, recordLimit, asked(fileOf(kind)))
	lab.Eventually(recordLimit, func() bool { return gw.Sessions() == 0 })
	file := fileOfSession(t, dir, r.ID, ".pcapng")
	sound(t, file)
	for iface, want := range []uint64{r.ToClient.Packets, r.FromOrigin.Packets} {
		filter := fmt.Sprintf("udp && frame.interface_id == %d && ip.src == %v", iface, []netip.Addr{gw.settings.Listen.Addr(), from.Addr.Addr()}[iface])
		if n := len(dissected(t, file, nil, filter, "frame.number")); uint64(n) != want {
			t.Errorf("interface %d: %d datagrams, the record has %d", iface, n, want)
		}
	}
	if n := len(dissected(t, file, nil, "msmms.command", "frame.number")); n < 10 {
		t.Errorf("tshark reads %d messages of MMS", n)
	}
	if names := dissected(t, file, nil, "frame.comment", "frame.comment"); len(names) < 2 {
		t.Errorf("comments: %v", names)
	}
}
