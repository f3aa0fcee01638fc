package e2e

import (
	"net/netip"
	"testing"
	"time"

	"mediagate/internal/lab"
	"mediagate/internal/origin"
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
