package rtsp

import (
	"encoding/binary"
	"testing"
	"testing/synctest"
	"time"

	"mediagate/rtsp/rtspwire"
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

// TestPauseIsNoJitter: the time for which a player pauses, and where it goes on, are not measured.
func TestPauseIsNoJitter(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		id := w.playTCP(t)
		seq, stamp := uint16(0), uint32(0)
		play := func() {
			for range 100 {
				p := rtpPacket(seq)
				p[1] = 32 // 90000 Hz
				binary.BigEndian.PutUint32(p[4:], stamp)
				w.origin(t).send(t, rtspwire.AppendFrame(nil, 0, p))
				w.client().receive(t, 0)
				seq, stamp = seq+1, stamp+1800
				time.Sleep(20 * time.Millisecond)
			}
		}
		play()
		for range 20 {
			w.ask(t, "PAUSE rtsp://gw.test/a RTSP/1.0\nCSeq: 3\nSession: "+id, "RTSP/1.0 200 OK\nCSeq\nSession: 1")
			time.Sleep(700 * time.Millisecond)
			w.ask(t, "PLAY rtsp://gw.test/a RTSP/1.0\nCSeq: 4\nSession: "+id, "RTSP/1.0 200 OK\nCSeq\nSession: 1")
			play()
		}
		w.client().conn.Close()
		w.mustEnd(t, "CP without a TEARDOWN")
		if w.ended.Jitter != 0 {
			t.Errorf("jitter %v of a steady stream", time.Duration(w.ended.Jitter))
		}
	})
}
