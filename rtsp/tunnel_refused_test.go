package rtsp

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

var worldStranger = netip.MustParseAddrPort("203.0.113.66:40000")

// refused: the newest connection was answered so and closed, and its record says why.
func (w *world) refused(t *testing.T, status, end string) {
	t.Helper()
	if got := string(w.client().receive(t, 0)); !strings.HasPrefix(got, "HTTP/1.0 "+status+" ") {
		t.Errorf("got %q, want %s", got, status)
	}
	time.Sleep(time.Second)
	if err := w.client().isClosed("is closed"); err != nil {
		t.Error(err)
	}
	w.mustEnd(t, end)
}

// TestTunnelRefused: cookies that are missing, contradict each other, are in use or somebody else's.
func TestTunnelRefused(t *testing.T) {
	for _, tc := range []struct{ name, head, status, end string }{
		{"no cookie", "GET /a HTTP/1.0\nAccept: application/x-rtsp-tunnelled", "400", "CA a tunnel was refused: rtsp: open tunnel: one x-sessioncookie"},
		{"empty cookie", "POST /a HTTP/1.1\nx-sessioncookie:", "400", "CA a tunnel was refused"},
		{"long cookie", "GET /a HTTP/1.1\nx-sessioncookie: " + strings.Repeat("c", 129), "400", "CA a tunnel was refused"},
		{"two cookies", "GET /a HTTP/1.1\nx-sessioncookie: a\nX-SessionCookie: b", "400", "CA a tunnel was refused"},
		{"gzip", "POST /a HTTP/1.1\nx-sessioncookie: a\nTransfer-Encoding: gzip, chunked", "400", "CA a tunnel was refused: rtsp: open tunnel: a transfer coding"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			bubble(t, func(t *testing.T, w *world) {
				w.client().send(t, crlf(tc.head))
				w.refused(t, tc.status, tc.end)
				w.noTunnelLeft(t)
			})
		})
	}
}

// TestTunnelCookies: nobody cuts in.
func TestTunnelCookies(t *testing.T) {
	t.Run("POST from another address", func(t *testing.T) {
		bubble(t, func(t *testing.T, w *world) {
			p := w.tunnel(t)
			w.connect(worldStranger)
			w.client().send(t, crlf(fmt.Sprintf(postHead, "c1")))
			w.refused(t, "403", "CA a tunnel was refused: rtsp: open tunnel: the GET with this cookie came from another address")
			p.play(t)
			w.mustRun(t)
		})
	})
	t.Run("GET from another address is a tunnel of its own", func(t *testing.T) {
		bubble(t, func(t *testing.T, w *world) {
			p := w.tunnel(t)
			w.connect(worldStranger)
			w.openGet(t, "c1")
			p.play(t)
			time.Sleep(11 * time.Second)
			w.mustEnd(t, "cA the GET of a tunnel came, and no POST within 10s")
		})
	})
	t.Run("second GET", func(t *testing.T) {
		bubble(t, func(t *testing.T, w *world) {
			p := w.tunnel(t)
			w.connect(worldClient)
			w.client().send(t, crlf(fmt.Sprintf(getHead, "c1")))
			w.refused(t, "403", "CA a tunnel was refused: rtsp: open tunnel: the cookie is in use")
			p.play(t)
			w.mustRun(t)
		})
	})
	t.Run("second POST", func(t *testing.T) {
		bubble(t, func(t *testing.T, w *world) {
			p := w.tunnel(t)
			p.play(t)
			w.openPost(t, "c1", b64(crlf("TEARDOWN rtsp://gw.test/a RTSP/1.0\nCSeq: 9")))
			time.Sleep(secondPost / 2)
			third := w.openPost(t, "c1", "") // where one waits already
			w.refused(t, "403", "CA a tunnel was refused: rtsp: open tunnel: the cookie is in use")
			w.clients = w.clients[:len(w.clients)-1]
			time.Sleep(secondPost / 2)
			w.refused(t, "403", "CA a tunnel was refused: rtsp: open tunnel: the cookie is in use")
			w.clients = append(w.clients, third)
			p.ask(t, "GET_PARAMETER rtsp://gw.test/a RTSP/1.0\nCSeq: 3", "RTSP/1.0 200 OK\nCSeq")
			w.mustRun(t)
		})
	})
	t.Run("POST when the tunnel has ended", func(t *testing.T) {
		bubble(t, func(t *testing.T, w *world) {
			p := w.tunnel(t)
			p.play(t)
			p.get.conn.Close()
			p.post.conn.Close()
			w.mustEnd(t, "CP")
			w.openPost(t, "c1", "")
			time.Sleep(10 * time.Second)
			w.refused(t, "408", "cA a tunnel was refused: rtsp: open tunnel: no GET with this cookie came in time")
			w.noTunnelLeft(t)
		})
	})
	t.Run("POST of the right address with a guess", func(t *testing.T) {
		bubble(t, func(t *testing.T, w *world) {
			p := w.tunnel(t)
			w.openPost(t, "c2", "")
			time.Sleep(10 * time.Second)
			w.refused(t, "408", "cA")
			p.post.conn.Close()
			p.get.conn.Close()
		})
	})
}

// TestHalfTunnels: what waits is bounded in number and in time, and a GET that its player leaves is gone.
func TestHalfTunnels(t *testing.T) {
	t.Run("number", func(t *testing.T) {
		bubble(t, func(t *testing.T, w *world) {
			w.openGet(t, "g1")
			w.openPost(t, "p1", "")
			w.openPost(t, "p2", "")
			w.refused(t, "503", "RA a tunnel was refused: rtsp: open tunnel: too many tunnels wait")
			w.connect(worldClient)
			w.client().send(t, crlf(fmt.Sprintf(getHead, "g2")))
			w.refused(t, "503", "RA a tunnel was refused")
			w.openPost(t, "g1", "") // it makes a whole one of a half
			w.mustRun(t)
			w.connect(worldClient)
			w.openGet(t, "p1")
			w.connect(worldClient)
			w.openGet(t, "g2")
		}, func(c *Config) { c.Connections = 8 })
	})
	t.Run("GET closed", func(t *testing.T) {
		bubble(t, func(t *testing.T, w *world) {
			w.openGet(t, "c1").conn.Close()
			time.Sleep(tunnelLinger)
			w.mustEnd(t, "CA the player closed its connection after the GET of a tunnel, which no POST had joined")
			w.noTunnelLeft(t)
		})
	})
	t.Run("GET that never stops", func(t *testing.T) {
		bubble(t, func(t *testing.T, w *world) {
			e := w.openGet(t, "c1")
			for range maxGetBody/512 + 1 {
				_, _ = e.conn.Write(make([]byte, 512))
			}
			w.mustEnd(t, "CA")
		})
	})
	t.Run("head that never ends", func(t *testing.T) {
		bubble(t, func(t *testing.T, w *world) {
			begun := time.Now()
			w.client().send(t, []byte("GET /a HTTP/1.0\r\nx-sessioncookie: c1\r\n"))
			for len(w.records) == 0 && time.Since(begun) < time.Minute {
				w.client().send(t, []byte("x: y\r\n"))
				time.Sleep(time.Second)
			}
			w.mustEnd(t, "cA no request within 10s")
			if took := time.Since(begun); took > 11*time.Second {
				t.Errorf("it took %s", took)
			}
		})
	})
	t.Run("joined, and then nothing", func(t *testing.T) {
		bubble(t, func(t *testing.T, w *world) {
			p := w.tunnel(t)
			p.post.send(t, []byte("\r\n"))
			time.Sleep(11 * time.Second)
			w.mustEnd(t, "cA no request within 10s")
			w.noTunnelLeft(t)
		})
	})
}

// TestTunnelAtTheLimit: the POST of a tunnel that is here needs no place, everything else is refused in HTTP.
func TestTunnelAtTheLimit(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		get := w.openGet(t, "c1")
		w.connect(worldClient)
		w.client().send(t, crlf(fmt.Sprintf(getHead, "c2")))
		w.refused(t, "503", "RA the limit of connections is reached")
		w.openPost(t, "c2", "")
		w.refused(t, "503", "RA the limit of connections is reached")
		p := &pair{w, get, w.openPost(t, "c1", "")}
		p.play(t)
		time.Sleep(2 * surplusWait)
		w.mustRun(t)
		for range maxSurplus {
			w.connect(worldClient)
		}
		near, far := duplex()
		w.clients = append(w.clients, newEnd(near))
		w.proxy.ServeTunnel(&namedConn{halfConn: far, local: worldLocal, remote: worldClient})
		w.refused(t, "503", "RA the limit of connections is reached")
	}, func(c *Config) { c.Connections = 1 })
}

// TestServeTunnel: what is no tunnel is refused in HTTP, what is one is served.
func TestServeTunnel(t *testing.T) {
	for _, tc := range []struct{ name, sent string }{
		{"RTSP", "OPTIONS rtsp://gw.test/a RTSP/1.0\r\nCSeq: 1\r\n\r\n"},
		{"HTTP", "GET / HTTP/1.1\r\nHost: gw.test\r\n\r\n"},
		{"head of 8 KiB", "GET / HTTP/1.1\r\nx: " + strings.Repeat("y", maxTunnelHead)},
	} {
		t.Run(tc.name, func(t *testing.T) {
			bubble(t, func(t *testing.T, w *world) {
				near, far := duplex()
				w.clients = append(w.clients, newEnd(near))
				w.proxy.ServeTunnel(&namedConn{halfConn: far, local: worldLocal, remote: worldClient})
				w.client().send(t, []byte(tc.sent))
				w.refused(t, "400", "CA a tunnel was refused: rtsp: open tunnel: this is not the GET or POST of a tunnel")
			})
		})
	}
	t.Run("tunnel", func(t *testing.T) {
		bubble(t, func(t *testing.T, w *world) {
			open := func() *end2 {
				near, far := duplex()
				w.clients = append(w.clients, newEnd(near))
				w.proxy.ServeTunnel(&namedConn{halfConn: far, local: worldLocal, remote: worldClient})
				return w.client()
			}
			p := &pair{w: w, get: open()}
			w.openGet(t, "c1")
			p.post = open()
			p.post.send(t, crlf(fmt.Sprintf(postHead, "c1")))
			p.play(t)
		})
	})
}

// TestTunnelCloseAtAnyStep: Close ends everything, wherever a tunnel stands.
func TestTunnelCloseAtAnyStep(t *testing.T) {
	steps := []func(t *testing.T, p *pair){
		func(t *testing.T, p *pair) { p.get.send(t, []byte("GET /a HT")) },
		func(t *testing.T, p *pair) { p.w.openPost(t, "c1", "T1BU") },
		func(t *testing.T, p *pair) { p.w.openPost(t, "c1", "") },
		func(t *testing.T, p *pair) { p.get.send(t, crlf("TP/1.0\nx-sessioncookie: c1")) },
		func(t *testing.T, p *pair) { p.w.openPost(t, "c1", "T1BU") },
		func(_ *testing.T, p *pair) { p.w.clients[1].conn.Close(); synctest.Wait() },
		func(_ *testing.T, p *pair) { p.get.conn.Close(); synctest.Wait() },
	}
	for n := range len(steps) + 1 {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			bubble(t, func(t *testing.T, w *world) {
				p := &pair{w: w, get: w.client()}
				for _, step := range steps[:n] {
					step(t, p)
				}
				begun := time.Now()
				w.proxy.Close()
				if took := time.Since(begun); took > 2*time.Second {
					t.Errorf("closing took %s", took)
				}
				w.nothingLeft(t)
				w.noTunnelLeft(t)
			})
		})
	}
}
