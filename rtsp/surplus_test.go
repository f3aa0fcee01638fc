package rtsp

import (
	"strings"
	"testing"
	"time"

	"mediagate/rtsp/rtspwire"
)

// TestConnectionLimit: one connection too many is told so, in an answer to what it asked, and recorded.
func TestConnectionLimit(t *testing.T) {
	two := func(c *Config) { c.Connections = 2 }
	t.Run("asks", func(t *testing.T) {
		bubble(t, func(t *testing.T, w *world) {
			w.connect(worldClient)
			w.connect(worldClient)
			w.client().send(t, crlf("DESCRIBE rtsp://gw.test/a RTSP/1.0\nCSeq: 7"))
			if got := string(w.client().receive(t, 0)); got != "RTSP/1.0 503 Service Unavailable\r\nCSeq: 7\r\n\r\n" {
				t.Errorf("got %q", got)
			}
			if err := w.client().isClosed("is closed"); err != nil {
				t.Error(err)
			}
			w.mustEnd(t, "RD the limit of connections is reached")
			if n := w.proxy.Sessions(); n != 2 {
				t.Errorf("%d conversations", n)
			}
		}, two)
	})
	t.Run("says nothing", func(t *testing.T) {
		bubble(t, func(t *testing.T, w *world) {
			w.connect(worldClient)
			w.connect(worldClient)
			time.Sleep(surplusWait)
			if got := string(w.client().receive(t, 0)); got != "RTSP/1.0 503 Service Unavailable\r\n\r\n" {
				t.Errorf("got %q", got)
			}
			w.mustEnd(t, "RA the limit of connections is reached")
		}, two)
	})
	t.Run("says what cannot be read, slowly", func(t *testing.T) {
		bubble(t, func(t *testing.T, w *world) {
			w.connect(worldClient)
			w.connect(worldClient)
			begun := time.Now()
			for range 20 {
				w.client().send(t, crlf("OPTIONS"))
				if len(w.records) > 0 {
					break
				}
				time.Sleep(surplusWait / 2)
			}
			w.mustEnd(t, "RD the limit of connections is reached")
			if took := time.Since(begun); took > 2*surplusWait {
				t.Errorf("it took %s", took)
			}
		}, two, func(c *Config) { c.SyntaxErrors = 100 })
	})
}

// TestMoreThanTheLimit: those that may wait are bounded; one more is told at once, and recorded too.
func TestMoreThanTheLimit(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		for range maxSurplus {
			w.connect(worldClient)
		}
		w.connect(worldClient)
		if got := string(w.client().receive(t, 0)); got != "RTSP/1.0 503 Service Unavailable\r\n\r\n" {
			t.Errorf("got %q", got)
		}
		w.mustEnd(t, "RA the limit of connections is reached")
		w.mustRun(t)
	}, func(c *Config) { c.Connections = 1 })
}

// TestComeBackAtTheLimit: a player that comes back to its session needs no place of its own.
func TestComeBackAtTheLimit(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		id := w.playUDP(t)
		w.client().conn.Close()
		w.connect(worldClient)
		got := w.ask(t, "TEARDOWN rtsp://gw.test/a RTSP/1.0\nCSeq: 9\nSession: "+id, "RTSP/1.0 200 OK\nCSeq")
		if !strings.HasPrefix(got, "RTSP/1.0 200") {
			t.Errorf("got %q", got)
		}
		w.mustEnd(t, "-D went over")
	}, func(c *Config) { c.Connections = 1 })
}

// playUDP sets one stream up over UDP and plays it; the session's ID is returned.
func (w *world) playUDP(t *testing.T) string {
	t.Helper()
	id := sessionIn(t, w.ask(t, "SETUP rtsp://gw.test/a/track1 RTSP/1.0\nCSeq: 1\nTransport: RTP/AVP;unicast;client_port=50000-50001",
		"RTSP/1.0 200 OK\nCSeq\nSession: 1;timeout=20\nTransport: RTP/AVP;unicast;server_port=6970-6971"))
	w.ask(t, "PLAY rtsp://gw.test/a RTSP/1.0\nCSeq: 2\nSession: "+id, "RTSP/1.0 200 OK\nCSeq\nSession: 1")
	return id
}

// TestNotRTSP: who speaks another protocol is refused at once, and the record says what it was.
func TestNotRTSP(t *testing.T) {
	for _, tc := range []struct{ name, sent, answer, end string }{
		{"TLS", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", "RTSP/1.0 400 ", "CA the player sent what cannot be read: rtspwire: read \"TLS handshake\""},
		{"HTTP", "GET / HTTP/1.1\r\nHost: gw.test\r\n\r\n", "RTSP/1.0 505 ", "CD the player spoke HTTP/1.1, which is no RTSP"},
		{"HTTP with CSeq", "POST /a HTTP/1.0\r\nCSeq: 4\r\n\r\n", "RTSP/1.0 505 ", "CD the player spoke HTTP/1.0, which is no RTSP"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			bubble(t, func(t *testing.T, w *world) {
				w.client().send(t, []byte(tc.sent))
				if got := string(w.client().receive(t, 0)); !strings.HasPrefix(got, tc.answer) {
					t.Errorf("got %q", got)
				}
				if err := w.client().isClosed("is closed"); err != nil {
					t.Error(err)
				}
				w.mustEnd(t, tc.end)
				if strings.Count(w.ended.Why, "rtsp") > 1 {
					t.Errorf("said twice: %s", w.ended.Why)
				}
			})
		})
	}
	t.Run("TLS byte by byte", func(t *testing.T) {
		bubble(t, func(t *testing.T, w *world) {
			for _, b := range []byte("\x16\x03\x01") {
				w.client().send(t, []byte{b})
			}
			w.mustEnd(t, "CA the player sent what cannot be read")
		})
	})
	t.Run("a byte of garbage that TLS begins with", func(t *testing.T) {
		bubble(t, func(t *testing.T, w *world) {
			w.client().send(t, append([]byte{0x16}, crlf("OPTIONS rtsp://gw.test/a RTSP/1.0\nCSeq: 1")...))
			if _, err := rtspwire.NewReader(strings.NewReader(string(w.origin(t).receive(t, 0))), rtspwire.Limits{}).Read(); err != nil {
				t.Error(err)
			}
		})
	})
}
