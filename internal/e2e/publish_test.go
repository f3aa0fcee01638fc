package e2e

import (
	"net/netip"
	"testing"
	"time"

	"mediagate/internal/lab"
)

// TestPublish: FFmpeg publishes through the gateway, and what arrives is read
// back through the gateway and decoded.
func TestPublish(t *testing.T) {
	lab.Need(t, "ffmpeg")
	origin := lab.StartOrigin(t, lab.Loopback(t), "")
	gw := program(t, lab.Settings{}, node("gortsplib", origin.Addr))
	for _, lower := range []string{"udp", "tcp"} {
		t.Run(lower, func(t *testing.T) {
			transport := lab.FFmpeg(lower).Transport
			start := time.Now()
			pub := lab.Publish(t, gw.URL("live-"+lower), lower, nil)
			origin.WaitPublished(t, "live-"+lower, playLimit)
			p := lab.Play(t, lab.FFmpeg(lower), gw.URL("live-"+lower), nil)
			p.WaitFrames(40, 40, playLimit)
			p.End()
			lab.EndPublish(pub)
			for _, mode := range []string{"play", "record"} {
				r := lab.WaitRecord(t, gw.Records, recordLimit, func(r lab.Record) bool {
					return since(start)(r) && r.Mode == mode
				})
				judge(t, r, wanted{transport: transport, mode: mode, node: "gortsplib", end: "-T"})
			}
		})
	}
}

// TestPublishGStreamer publishes to GStreamer's RTSP server.
func TestPublishGStreamer(t *testing.T) {
	lab.Need(t, "ffmpeg", "/usr/bin/python3")
	for _, lower := range []string{"udp", "tcp"} {
		t.Run(lower, func(t *testing.T) {
			origin := lab.StartGstOrigin(t, lab.GstOptions{Addr: netip.MustParseAddr("127.0.0.1"), Record: true})
			gw := program(t, lab.Settings{}, node("gst", origin.Addr))
			start := time.Now()
			pub := lab.Publish(t, gw.URL(origin.Path()), lower, nil)
			if !lab.Eventually(playLimit, func() bool { return origin.Recorded() >= 40 }) {
				t.Errorf("%d frames reached the origin\n%s", origin.Recorded(), pub.Output())
			}
			lab.EndPublish(pub)
			r := lab.WaitRecord(t, gw.Records, recordLimit, since(start))
			judge(t, r, wanted{transport: lab.FFmpeg(lower).Transport, mode: "record", node: "gst", end: "-T"})
		})
	}
}
