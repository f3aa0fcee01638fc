package lab

import (
	"os"
	"testing"
	"time"
)

func TestMain(m *testing.M) { os.Exit(Main(m)) }

// TestPlayers proves the bed: each player decodes from each origin without a
// gateway between them.
func TestPlayers(t *testing.T) {
	Need(t, "ffmpeg", "gst-launch-1.0", "mplayer", "/usr/bin/python3")
	gst := StartGstOrigin(t, GstOptions{Addr: Loopback(t)})
	sample := StartSampleOrigin(t, Loopback(t), "")
	origins := []struct{ name, url string }{
		{"gstreamer", gst.URL()},
		{"gortsplib", sample.URL()},
	}
	for _, origin := range origins {
		for _, kind := range Players() {
			t.Run(origin.name+"/"+kind.Name, func(t *testing.T) {
				p := Play(t, kind, origin.url, nil)
				p.WaitFrames(25, 25, 30*time.Second)
				p.End()
			})
		}
	}
}
