package rtsp

import (
	"testing"
	"testing/synctest"
	"time"
)

// TestDurationEndsAtTheTeardown: how long the player keeps the connection open after its TEARDOWN is not counted, unless
// it goes on with something else.
func TestDurationEndsAtTheTeardown(t *testing.T) {
	for _, tc := range []struct {
		name string
		more bool
		want time.Duration
	}{
		{"closes later", false, 7 * time.Second},
		{"plays again", true, 30 * time.Second},
	} {
		t.Run(tc.name, func(t *testing.T) {
			bubble(t, func(t *testing.T, w *world) {
				play := func() {
					id := w.playTCP(t)
					time.Sleep(3 * time.Second)
					w.ask(t, "TEARDOWN rtsp://gw.test/a RTSP/1.0\nCSeq: 3\nSession: "+id, "RTSP/1.0 200 OK\nCSeq")
				}
				time.Sleep(4 * time.Second)
				play()
				time.Sleep(20 * time.Second)
				if tc.more {
					play()
					time.Sleep(20 * time.Second)
				}
				w.client().conn.Close()
				w.mustEnd(t, "-T the player tore the session down")
				if got := time.Duration(w.ended.Duration); got != tc.want {
					t.Errorf("duration %v, want %v", got, tc.want)
				}
			})
		})
	}
}

// TestShutdownAfterTheTeardown: what ends a conversation that is over does not change how it ended.
func TestShutdownAfterTheTeardown(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		id := w.playTCP(t)
		w.ask(t, "TEARDOWN rtsp://gw.test/a RTSP/1.0\nCSeq: 3\nSession: "+id, "RTSP/1.0 200 OK\nCSeq")
		w.proxy.Close()
		w.mustEnd(t, "-T the player tore the session down")
	})
}

// TestPausedIsPlaying: a paused player is one that plays, for the phase of the record.
func TestPausedIsPlaying(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		id := w.playTCP(t)
		w.ask(t, "PAUSE rtsp://gw.test/a RTSP/1.0\nCSeq: 3\nSession: "+id, "RTSP/1.0 200 OK\nCSeq\nSession: 1")
		w.client().conn.Close()
		synctest.Wait()
		w.mustEnd(t, "CP without a TEARDOWN")
	})
}
