package e2e

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"mediagate/internal/lab"
	"mediagate/internal/origin"
	"mediagate/internal/player"
)

// windowsMedia runs the embedded Windows-Media-like origin at a loopback
// address of its own.
func windowsMedia(t *testing.T, cfg origin.Config) lab.Node {
	t.Helper()
	addr := lab.Loopback(t)
	cfg.Listen = lab.FreePort(t, addr)
	cfg.Media = lab.FreePair(t, addr)
	srv, err := origin.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := srv.Close(); err != nil {
			t.Errorf("close origin: %v", err)
		}
	})
	if err := srv.Start(); err != nil {
		t.Fatal(err)
	}
	return node("wms", netip.AddrPortFrom(addr, cfg.Listen.Port()))
}

// TestWindowsMedia plays x-asf-pf with players that we did not write: they know
// the origin by its Server field, and FFmpeg reads the third SETUP's port from
// the reply to the second.
func TestWindowsMedia(t *testing.T) {
	lab.Need(t, "ffmpeg", "gst-launch-1.0")
	gw := program(t, lab.Settings{}, windowsMedia(t, origin.Config{}))
	for _, kind := range []lab.PlayerKind{
		lab.FFmpeg("udp"), lab.FFmpeg("tcp"), lab.GStreamerASF("udp"), lab.GStreamerASF("tcp"),
	} {
		t.Run(kind.Name, func(t *testing.T) {
			start := time.Now()
			p := lab.Play(t, kind, gw.URL("sample.wmv"), nil)
			p.WaitFrames(60, 40, playLimit)
			p.End()
			r := lab.WaitRecord(t, gw.Records, recordLimit, since(start))
			judge(t, r, wanted{transport: kind.Transport, mode: "play", node: "wms", end: "-T"})
		})
	}
}

// TestWindowsMediaHabits: what Windows Media Player does and no player here:
// packet pairs, resend requests, entries of a playlist with an ANNOUNCE each,
// the end of a stream, and a Digest with the exact URI. The built-in player
// does it; its media must come from the gateway's one port only.
func TestWindowsMediaHabits(t *testing.T) {
	users := map[string]string{lab.User: lab.Password}
	cases := []struct {
		name   string
		cfg    origin.Config
		scheme string
		resent bool
	}{
		{"udp", origin.Config{}, "rtspu", false},
		{"tcp", origin.Config{}, "rtspt", false},
		{"resends", origin.Config{DropEvery: 10}, "rtspu", true},
		{"playlist udp", origin.Config{Playlist: true}, "rtspu", false},
		{"playlist tcp", origin.Config{Playlist: true}, "rtspt", false},
		{"digest", origin.Config{Users: users, StrictURI: true}, "rtspu", false},
	}
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			tc.cfg.Speed = 4
			gw := program(t, lab.Settings{}, windowsMedia(t, tc.cfg))
			url := tc.scheme + strings.TrimPrefix(lab.WithCredentials(gw.URL("sample.wmv")), "rtsp")
			report, err := player.Play(t.Context(), player.Options{URL: url, Resend: true, PacketPair: true})
			if err != nil {
				t.Fatalf("play: %v: %+v", err, report)
			}
			if report.Lost != 0 || !report.EndOfStream || report.Packets < 20 || (report.Resent > 0) != tc.resent {
				t.Errorf("report: %+v", report)
			}
			for _, from := range report.MediaSources {
				if from != netip.AddrPortFrom(gw.Addr.Addr(), 5004) {
					t.Errorf("media came from %v", from)
				}
			}
			r := lab.WaitRecord(t, gw.Records, recordLimit, func(r lab.Record) bool { return r.FirstMedia != nil })
			if (r.ResendRequests > 0) != tc.resent || r.End != "-T" || r.Node != "wms" {
				t.Errorf("record: %+v", r)
			}
		})
	}
}
