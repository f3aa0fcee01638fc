package e2e

import (
	"testing"
	"time"

	"mediagate/internal/lab"
	"mediagate/internal/origin"
	"mediagate/internal/player"
)

// TestTunnelInterop plays through RTSP tunnelled in HTTP at the RTSP port, by
// both players that know it, from both origins that we did not write: they see
// plain RTSP with interleaved media.
func TestTunnelInterop(t *testing.T) {
	for _, src := range sources(t, "") {
		gw := program(t, lab.Settings{}, src.node)
		for _, kind := range lab.TunnelPlayers() {
			t.Run(src.name+"/"+kind.Name, func(t *testing.T) { playTunnelled(t, gw, kind, src.path, src.node.Name) })
		}
	}
}

// TestTunnelWindowsMedia plays x-asf-pf of the embedded origin through tunnels.
func TestTunnelWindowsMedia(t *testing.T) {
	lab.Need(t, "ffmpeg", "gst-launch-1.0")
	gw := program(t, lab.Settings{}, windowsMedia(t, origin.Config{}))
	for _, kind := range []lab.PlayerKind{lab.FFmpegTunnel(), lab.InTunnel(lab.GStreamerASF("tcp"))} {
		t.Run(kind.Name, func(t *testing.T) { playTunnelled(t, gw, kind, "sample.wmv", "wms") })
	}
}

// TestTunnelBuiltInPlayer: the built-in player tunnels as QuickTime does; what it
// gets is whole.
func TestTunnelBuiltInPlayer(t *testing.T) {
	gw := program(t, lab.Settings{}, windowsMedia(t, origin.Config{Speed: 4}))
	report, err := player.Play(t.Context(), player.Options{URL: gw.URL("sample.wmv"), Transport: "tunnel"})
	if err != nil {
		t.Fatalf("play: %v: %+v", err, report)
	}
	if report.Transport != "tunnel" || report.Lost != 0 || !report.EndOfStream || report.Packets < 20 {
		t.Errorf("report: %+v", report)
	}
	r := lab.WaitRecord(t, gw.Records, recordLimit, func(r lab.Record) bool { return r.FirstMedia != nil })
	judge(t, r, wanted{transport: "tunnelled", mode: "play", node: "wms", end: "-T"})
}

// playTunnelled plays and tears down; there is one record for both connections.
func playTunnelled(t *testing.T, gw *lab.Gateway, kind lab.PlayerKind, path, origin string) {
	start := time.Now()
	p := lab.Play(t, kind, gw.URL(path), nil)
	p.WaitFrames(40, 40, playLimit)
	p.End()
	r := lab.WaitRecord(t, gw.Records, recordLimit, since(start))
	judge(t, r, wanted{transport: "tunnelled", mode: "play", node: origin, end: "-T"})
	for _, other := range lab.Records(t, gw.Records) {
		if other.Start.After(start) && other.ID != r.ID {
			t.Errorf("one more record: %+v", other)
		}
	}
}

// TestTunnelInteropAtOnce plays by several players of one address, through
// tunnels and without, at the same time.
func TestTunnelInteropAtOnce(t *testing.T) {
	src := sources(t, "")[1]
	gw := program(t, lab.Settings{}, src.node)
	var players []*lab.Player
	for _, kind := range append(lab.TunnelPlayers(), lab.FFmpegTunnel(), lab.FFmpeg("tcp"), lab.FFmpeg("udp")) {
		p := lab.Play(t, kind, gw.URL(src.path), nil)
		p.WaitFrames(1, 0, playLimit) // one by one, see TestInteropAtOnce
		players = append(players, p)
	}
	for _, p := range players {
		p.WaitFrames(40, 40, playLimit)
	}
	for _, p := range players {
		p.End()
	}
	lab.Eventually(recordLimit, func() bool { return len(lab.Records(t, gw.Records)) >= len(players) })
	of := map[string]int{}
	for _, r := range lab.Records(t, gw.Records) {
		of[r.Transport]++
		if r.End != "-T" {
			t.Errorf("record: %+v", r)
		}
	}
	if of["tunnelled"] != 3 || of["interleaved"] != 1 || of["udp"] != 1 {
		t.Errorf("records by transport: %v", of)
	}
}
