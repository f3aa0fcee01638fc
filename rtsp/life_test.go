package rtsp

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"mediagate/rtsp/rtspwire"
)

// bubble runs a test against a world of its own, in made-up time.
func bubble(t *testing.T, f func(t *testing.T, w *world), changes ...func(*Config)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, changes...)
		defer w.close()
		f(t, w)
	})
}

// ask sends a request of the player, gives the origin's answer to it, and returns what the player got.
func (w *world) ask(t *testing.T, request, response string) string {
	t.Helper()
	w.client().send(t, crlf(request))
	got := string(w.origin(t).receive(t, 0))
	cseq := got[strings.Index(got, "CSeq: "):]
	cseq = cseq[:strings.Index(cseq, "\r\n")]
	w.origin(t).send(t, crlf(strings.Replace(response, "CSeq", cseq, 1)))
	return string(w.client().receive(t, 0))
}

// crlf turns a message written with plain line ends into what is sent: the empty line is added.
func crlf(s string) []byte {
	return []byte(strings.ReplaceAll(s, "\n", "\r\n") + "\r\n\r\n")
}

// sessionIn is the session ID in a message.
func sessionIn(t *testing.T, message string) string {
	t.Helper()
	_, rest, ok := strings.Cut(message, "Session: ")
	if !ok {
		t.Fatalf("no session in %q", message)
	}
	return rest[:strings.IndexAny(rest, ";\r")]
}

// playTCP sets one stream up over TCP and plays it; the session's ID is returned.
func (w *world) playTCP(t *testing.T) string {
	t.Helper()
	answer := w.ask(t, "SETUP rtsp://gw.test/a/track1 RTSP/1.0\nCSeq: 1\nTransport: RTP/AVP/TCP;unicast;interleaved=0-1",
		"RTSP/1.0 200 OK\nCSeq\nSession: 1;timeout=20\nTransport: RTP/AVP/TCP;unicast;interleaved=0-1")
	id := sessionIn(t, answer)
	w.ask(t, "PLAY rtsp://gw.test/a RTSP/1.0\nCSeq: 2\nSession: "+id, "RTSP/1.0 200 OK\nCSeq\nSession: 1")
	return id
}

// session is the one conversation that runs, for a look at what it holds while everything stands still.
func (w *world) session(t *testing.T) *session {
	t.Helper()
	synctest.Wait()
	w.proxy.mu.Lock()
	defer w.proxy.mu.Unlock()
	for _, s := range w.proxy.bound {
		return s
	}
	t.Fatal("no session has an ID")
	return nil
}

func (w *world) mustEnd(t *testing.T, want string) {
	t.Helper()
	synctest.Wait()
	if err := w.checkEnd(want); err != nil {
		t.Error(err)
	}
}

func (w *world) mustRun(t *testing.T) {
	t.Helper()
	synctest.Wait()
	select {
	case r := <-w.records:
		t.Fatalf("the session ended: %s %s", r.End, r.Why)
	default:
	}
}

// TestMessageTimeCountsEachMessage: media in a busy connection is cut anywhere by reads; each frame has its own time.
func TestMessageTimeCountsEachMessage(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.playTCP(t)
		var stream []byte
		for i := range 60 {
			stream = rtspwire.AppendFrame(stream, 0, rtpPacket(uint16(i)))
		}
		const step = 11 // no divisor of a frame's length: nearly every read ends within a frame
		for len(stream) > 0 {
			n := min(step, len(stream))
			w.origin(t).send(t, stream[:n])
			stream = stream[n:]
			time.Sleep(time.Second)
			w.mustRun(t)
			for len(w.client().got) > 0 {
				<-w.client().got
			}
		}
	})
}

// TestSlowLoris: one byte each few seconds, of either side, ends when the message has taken Timeouts.Message.
func TestSlowLoris(t *testing.T) {
	for _, tc := range []struct {
		name string
		side string
		text string
		end  string
	}{
		{"request line", "client", strings.Repeat("OPTIONS", 40), "cA did not finish a message in time"},
		{"header", "client", "OPTIONS rtsp://gw.test/a RTSP/1.0\r\nX-Long: " + strings.Repeat("x", 100), "cA did not finish a message in time"},
		{"frame", "client", "$\x00\x10\x00" + strings.Repeat("x", 100), "cA did not finish a message in time"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			bubble(t, func(t *testing.T, w *world) {
				begun := time.Now()
				for i := range len(tc.text) {
					w.client().send(t, []byte(tc.text[i:i+1]))
					time.Sleep(4 * time.Second)
					if len(w.records) > 0 {
						break
					}
				}
				w.mustEnd(t, tc.end)
				if took := time.Since(begun); took > 20*time.Second {
					t.Errorf("it took %s", took)
				}
			}, func(c *Config) { c.Timeouts.FirstRequest = time.Hour })
		})
	}
}

// TestTimerDoesNotSpin: a request in hand outlives the time of a silent player; the owner waits for it and does not turn.
func TestTimerDoesNotSpin(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.client().send(t, crlf("DESCRIBE rtsp://gw.test/a RTSP/1.0\nCSeq: 1"))
		w.origin(t).receive(t, 0)
		time.Sleep(5 * time.Minute) // a spinning owner would never let the made-up clock go on
		w.mustRun(t)
		w.origin(t).send(t, crlf("RTSP/1.0 200 OK\nCSeq: 1"))
		if got := string(w.client().receive(t, 0)); !strings.HasPrefix(got, "RTSP/1.0 200") {
			t.Errorf("got %q", got)
		}
		w.mustRun(t) // the answer was a while coming: the player has its time to go on
		time.Sleep(76 * time.Second)
		w.mustEnd(t, "cD nothing was set up and no request came")
	}, func(c *Config) { c.Timeouts.Response = 10 * time.Minute })
}

// TestProvisionalAnswersEnd: an origin that says 100 again and again does not hold a request for ever.
func TestProvisionalAnswersEnd(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.client().send(t, crlf("DESCRIBE rtsp://gw.test/a RTSP/1.0\nCSeq: 1"))
		w.origin(t).receive(t, 0)
		for range 60 {
			w.origin(t).send(t, crlf("RTSP/1.0 100 Continue\nCSeq: 1"))
			time.Sleep(9 * time.Second)
			if len(w.client().got) > 0 {
				break
			}
		}
		if got := string(w.client().receive(t, 0)); !strings.HasPrefix(got, "RTSP/1.0 504") {
			t.Errorf("got %q", got)
		}
	})
}

// TestReportsAreLife: a paused player over TCP that sends nothing but receiver reports is alive.
func TestReportsAreLife(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.playTCP(t)
		for range 20 {
			time.Sleep(8 * time.Second)
			w.client().send(t, rtspwire.AppendFrame(nil, 1, []byte{0x80, 201, 0, 1, 0, 0, 0, 1}))
			w.mustRun(t)
		}
		time.Sleep(31 * time.Second)
		w.mustEnd(t, "cP no request, no media and no report for 30s")
	})
}
