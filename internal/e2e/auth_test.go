package e2e

import (
	"testing"
	"time"

	"mediagate/internal/lab"
)

// TestCredentials: Basic and Digest pass untouched, and Digest works against
// an origin that insists on the exact URI (gortsplib's) as well as against one
// that does not (GStreamer's).
func TestCredentials(t *testing.T) {
	for _, way := range []string{"basic", "digest"} {
		for _, src := range sources(t, way) {
			gw := program(t, lab.Settings{}, src.node)
			t.Run(way+"/"+src.name, func(t *testing.T) {
				start := time.Now()
				p := lab.Play(t, lab.FFmpeg("tcp"), lab.WithCredentials(gw.URL(src.path)), nil)
				p.WaitFrames(10, 10, playLimit)
				p.End()
				r := lab.WaitRecord(t, gw.Records, recordLimit, since(start))
				judge(t, r, wanted{transport: "interleaved", mode: "play", node: src.node.Name, end: "-T"})
				refused(t, gw, src)
			})
		}
	}
}

// refused: without the password the origin's 401 reaches the player.
func refused(t *testing.T, gw *lab.Gateway, src source) {
	t.Helper()
	reply := lab.Dial(t, gw.Addr).Do("DESCRIBE", gw.URL(src.path), "Accept: application/sdp")
	if reply.Status != 401 || reply.Header.Get("WWW-Authenticate") == "" {
		t.Errorf("DESCRIBE without credentials: %d, challenge %q", reply.Status, reply.Header.Get("WWW-Authenticate"))
	}
}
