package rtsp

import (
	"encoding/base64"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"mediagate/rtsp/rtspwire"
)

const (
	getHead  = "GET /a HTTP/1.0\nx-sessioncookie: %s\nAccept: application/x-rtsp-tunnelled\nPragma: no-cache"
	postHead = "POST /a HTTP/1.0\nx-sessioncookie: %s\nContent-Type: application/x-rtsp-tunnelled\nContent-Length: 32767"
)

// pair is a tunnel of the world's player.
type pair struct {
	w         *world
	get, post *end2
}

// openGet makes the newest connection the GET of a tunnel.
func (w *world) openGet(t *testing.T, cookie string) *end2 {
	t.Helper()
	e := w.client()
	e.send(t, crlf(fmt.Sprintf(getHead, cookie)))
	if got := string(e.receive(t, 0)); !strings.HasPrefix(got, "HTTP/1.0 200 OK\r\n") || !strings.Contains(got, "\r\nContent-Type: application/x-rtsp-tunnelled\r\n") {
		t.Fatalf("GET was answered %q", got)
	}
	return e
}

// openPost connects and sends the head of a POST, with more after it.
func (w *world) openPost(t *testing.T, cookie, more string) *end2 {
	t.Helper()
	w.connect(netip.AddrPortFrom(worldClient.Addr(), worldClient.Port()+uint16(len(w.clients))))
	w.client().send(t, append(crlf(fmt.Sprintf(postHead, cookie)), more...))
	return w.client()
}

func (w *world) tunnel(t *testing.T) *pair {
	t.Helper()
	return &pair{w, w.openGet(t, "c1"), w.openPost(t, "c1", "")}
}

func b64(b []byte) string { return base64.StdEncoding.EncodeToString(b) }

// ask sends a request through the tunnel, gives the origin's answer, and returns what the player got.
func (p *pair) ask(t *testing.T, request, response string) string {
	t.Helper()
	p.post.send(t, []byte(b64(crlf(request))))
	return p.answer(t, response)
}

func (p *pair) answer(t *testing.T, response string) string {
	t.Helper()
	got := string(p.w.origin(t).receive(t, 0))
	cseq := got[strings.Index(got, "CSeq: "):]
	cseq = cseq[:strings.Index(cseq, "\r\n")]
	p.w.origin(t).send(t, crlf(strings.Replace(response, "CSeq", cseq, 1)))
	return string(p.get.receive(t, 0))
}

func (p *pair) play(t *testing.T) string {
	t.Helper()
	id := sessionIn(t, p.ask(t, "SETUP rtsp://gw.test/a/track1 RTSP/1.0\nCSeq: 1\nTransport: RTP/AVP/TCP;unicast;interleaved=0-1",
		"RTSP/1.0 200 OK\nCSeq\nSession: 1;timeout=20\nTransport: RTP/AVP/TCP;unicast;interleaved=0-1"))
	p.ask(t, "PLAY rtsp://gw.test/a RTSP/1.0\nCSeq: 2\nSession: "+id, "RTSP/1.0 200 OK\nCSeq\nSession: 1")
	return id
}

// noTunnelLeft: whatever happened, the table is empty.
func (w *world) noTunnelLeft(t *testing.T) {
	t.Helper()
	synctest.Wait()
	ts := w.proxy.tunnels
	ts.mu.Lock()
	defer ts.mu.Unlock()
	if len(ts.ends) != 0 || len(ts.cookies) != 0 || ts.waiting != 0 {
		t.Errorf("%d tunnels, %d cookies are left, %d wait", len(ts.ends), len(ts.cookies), ts.waiting)
	}
}

// TestTunnelPlays: a whole conversation, frames of media both ways, one record.
func TestTunnelPlays(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		p := w.tunnel(t)
		id := p.play(t)
		frame := rtspwire.AppendFrame(nil, 0, rtpPacket(7))
		w.origin(t).send(t, frame)
		if got := string(p.get.receive(t, 0)); got != string(frame) {
			t.Errorf("frame arrived as %q", got)
		}
		report := rtspwire.AppendFrame(nil, 1, []byte{0x80, 201, 0, 1, 0, 0, 0, 1})
		p.post.send(t, []byte(b64(report)))
		if got := string(w.origin(t).receive(t, 0)); got != string(report) {
			t.Errorf("report arrived as %q", got)
		}
		p.ask(t, "TEARDOWN rtsp://gw.test/a RTSP/1.0\nCSeq: 3\nSession: "+id, "RTSP/1.0 200 OK\nCSeq")
		p.get.conn.Close()
		p.post.conn.Close()
		w.mustEnd(t, "-T the player tore the session down")
		if w.ended.Transport != "tunnelled" || w.ended.Client != worldClient || w.ended.Requests != 3 {
			t.Errorf("transport %q, client %s, %d requests", w.ended.Transport, w.ended.Client, w.ended.Requests)
		}
		w.mustRun(t) // no second record
		w.noTunnelLeft(t)
	})
}

// TestTunnelEncodings: however the player encodes and cuts its requests, the origin gets them.
func TestTunnelEncodings(t *testing.T) {
	one, two := string(crlf("OPTIONS rtsp://gw.test/a RTSP/1.0\nCSeq: 1")), string(crlf("OPTIONS rtsp://gw.test/ab RTSP/1.0\nCSeq: 22"))
	if len(one)%3 == 0 {
		t.Fatal("the first request needs no padding")
	}
	lines := func(s string, n int) string {
		var b strings.Builder
		for len(s) > n {
			b.WriteString(s[:n] + "\r\n")
			s = s[n:]
		}
		return b.String() + s + "\r\n"
	}
	all := b64([]byte(one + two))
	for _, tc := range []struct {
		name, body string
		step       int // bytes for each write, 0: all
	}{
		{"each by itself", b64([]byte(one)) + b64([]byte(two)), 0},
		{"each by itself, on lines", b64([]byte(one)) + "\r\n" + b64([]byte(two)) + "\r\n", 0},
		{"as one", all, 0},
		{"lines of 76", lines(all, 76), 0},
		{"lines of 7", lines(all, 7), 0},
		{"no padding", strings.TrimRight(all, "="), 0},
		{"byte by byte", lines(b64([]byte(one))+b64([]byte(two)), 50), 1},
		{"one = where two are due", strings.Replace(b64([]byte(one)), "==", "=", 1) + b64([]byte(two)), 3},
	} {
		t.Run(tc.name, func(t *testing.T) {
			bubble(t, func(t *testing.T, w *world) {
				p := w.tunnel(t)
				for body := tc.body; body != ""; {
					n := len(body)
					if tc.step > 0 {
						n = min(n, tc.step)
					}
					p.post.send(t, []byte(body[:n]))
					body = body[n:]
				}
				for range 2 {
					if got := p.answer(t, "RTSP/1.0 200 OK\nCSeq"); !strings.HasPrefix(got, "RTSP/1.0 200 OK") {
						t.Errorf("got %q", got)
					}
				}
				w.mustRun(t)
			})
		})
	}
	t.Run("with the head", func(t *testing.T) {
		bubble(t, func(t *testing.T, w *world) {
			p := &pair{w: w, get: w.openGet(t, "c1")}
			p.post = w.openPost(t, "c1", b64([]byte(one)))
			p.answer(t, "RTSP/1.0 200 OK\nCSeq")
		})
	})
	t.Run("chunked", func(t *testing.T) {
		bubble(t, func(t *testing.T, w *world) {
			p := &pair{w: w, get: w.openGet(t, "c1")}
			w.connect(worldClient)
			p.post = w.client()
			p.post.send(t, crlf("POST /a HTTP/1.1\nX-SessionCookie: c1\nTransfer-Encoding: chunked"))
			p.post.send(t, fmt.Appendf(nil, "4\r\n%s\r\n%x\r\n%s\r\n", all[:4], len(all)-4, all[4:]))
			p.answer(t, "RTSP/1.0 200 OK\nCSeq")
			p.answer(t, "RTSP/1.0 200 OK\nCSeq")
		})
	})
}

// TestTunnelPostFirst: the halves may come in any order, in pieces, and the POST may have said its request already.
func TestTunnelPostFirst(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		get := w.client()
		post := w.openPost(t, "c1", b64(crlf("OPTIONS rtsp://gw.test/a RTSP/1.0\nCSeq: 1")))
		time.Sleep(3 * time.Second)
		head := crlf(fmt.Sprintf(getHead, "c1"))
		get.send(t, head[:2])
		get.send(t, head[2:30])
		get.send(t, head[30:])
		get.receive(t, 0)
		p := &pair{w, get, post}
		p.answer(t, "RTSP/1.0 200 OK\nCSeq")
		w.mustRun(t)
		p.play(t)
		if n := w.proxy.Sessions(); n != 1 {
			t.Errorf("%d conversations", n)
		}
	})
}

// TestTunnelPostAgain: the POST ends, in the middle of a request or between two, and another goes on.
func TestTunnelPostAgain(t *testing.T) {
	request := crlf("GET_PARAMETER rtsp://gw.test/a RTSP/1.0\nCSeq: 5\nX: y")
	for _, cut := range []int{0, 1, 2, 3, 20, len(request) - 1, len(request)} {
		t.Run(fmt.Sprint(cut), func(t *testing.T) {
			bubble(t, func(t *testing.T, w *world) {
				p := w.tunnel(t)
				p.play(t)
				for range 3 {
					p.post.send(t, []byte(strings.TrimRight(b64(request[:cut]), "="))) // cut off without its padding
					p.post.conn.Close()
					time.Sleep(5 * time.Second)
					p.post = w.openPost(t, "c1", "")
					p.post.send(t, []byte(b64(request[cut:])))
					if got := p.answer(t, "RTSP/1.0 200 OK\nCSeq"); !strings.Contains(got, "\r\nCSeq: 5\r\n") {
						t.Errorf("got %q", got)
					}
				}
				w.mustRun(t)
			})
		})
	}
	t.Run("new one opened before the old one ends", func(t *testing.T) {
		bubble(t, func(t *testing.T, w *world) {
			p := w.tunnel(t)
			p.play(t)
			second := w.openPost(t, "c1", b64(request))
			time.Sleep(time.Second)
			p.post.conn.Close()
			p.post = second
			p.answer(t, "RTSP/1.0 200 OK\nCSeq")
			w.mustRun(t)
		})
	})
}

// TestTunnelHasNoUDP: 461, so that the player asks for interleaved media; an alternative over TCP is taken.
func TestTunnelHasNoUDP(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		p := w.tunnel(t)
		p.post.send(t, []byte(b64(crlf("SETUP rtsp://gw.test/a RTSP/1.0\nCSeq: 1\nTransport: RTP/AVP;unicast;client_port=50000-50001"))))
		if got := string(p.get.receive(t, 0)); !strings.HasPrefix(got, "RTSP/1.0 461 ") {
			t.Errorf("got %q", got)
		}
		got := p.ask(t, "SETUP rtsp://gw.test/a RTSP/1.0\nCSeq: 2\nTransport: RTP/AVP;unicast;client_port=50000-50001,RTP/AVP/TCP;unicast;interleaved=0-1",
			"RTSP/1.0 200 OK\nCSeq\nSession: 1\nTransport: RTP/AVP/TCP;unicast;interleaved=0-1")
		if !strings.Contains(got, "RTP/AVP/TCP") {
			t.Errorf("got %q", got)
		}
	})
}

// TestTunnelEnds: how it ends, and what the record says.
func TestTunnelEnds(t *testing.T) {
	t.Run("TEARDOWN under way when the GET closes", func(t *testing.T) {
		bubble(t, func(t *testing.T, w *world) {
			p := w.tunnel(t)
			id := p.play(t)
			teardown := b64(crlf("TEARDOWN rtsp://gw.test/a RTSP/1.0\nCSeq: 3\nSession: " + id))
			p.post.send(t, []byte(teardown[:10]))
			p.get.conn.Close()
			p.post.send(t, []byte(teardown[10:]))
			got := string(w.origin(t).receive(t, 0))
			if !strings.HasPrefix(got, "TEARDOWN ") {
				t.Fatalf("origin got %q", got)
			}
			w.origin(t).send(t, crlf("RTSP/1.0 200 OK\nCSeq: 3"))
			time.Sleep(2 * time.Second)
			w.mustEnd(t, "-T the player tore the session down")
			w.noTunnelLeft(t)
		})
	})
	t.Run("GET closes, POST stays", func(t *testing.T) {
		bubble(t, func(t *testing.T, w *world) {
			p := w.tunnel(t)
			p.play(t)
			p.get.conn.Close()
			time.Sleep(tunnelLinger + time.Second)
			w.mustEnd(t, "CP the player closed its connection without a TEARDOWN")
			if err := p.post.isClosed("is closed"); err != nil {
				t.Error(err)
			}
			w.noTunnelLeft(t)
		})
	})
	t.Run("POST gone for good", func(t *testing.T) {
		bubble(t, func(t *testing.T, w *world) {
			p := w.tunnel(t)
			p.play(t)
			p.post.conn.Close()
			time.Sleep(20*time.Second + lifeGrace)
			w.mustEnd(t, "cP no request, no media and no report for")
			w.noTunnelLeft(t)
		})
	})
	t.Run("what is no base64", func(t *testing.T) {
		bubble(t, func(t *testing.T, w *world) {
			p := w.tunnel(t)
			p.play(t)
			p.post.send(t, []byte("OPTIONS rtsp://gw.test/a"))
			if got := string(p.get.receive(t, 0)); !strings.HasPrefix(got, "RTSP/1.0 400 ") {
				t.Errorf("got %q", got)
			}
			w.mustEnd(t, `CP the player sent what cannot be read: rtspwire: read "POST of the tunnel" at byte 244: byte 0x3a is no base64 there`)
			w.noTunnelLeft(t)
		})
	})
	t.Run("origin dies", func(t *testing.T) {
		bubble(t, func(t *testing.T, w *world) {
			p := w.tunnel(t)
			p.play(t)
			w.origin(t).conn.Close()
			time.Sleep(time.Second)
			w.mustEnd(t, "OP")
			for _, e := range []*end2{p.get, p.post} {
				if err := e.isClosed("is closed"); err != nil {
					t.Error(err)
				}
			}
		})
	})
}
