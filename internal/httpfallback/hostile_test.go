package httpfallback

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// TestHostileRequests says what becomes of each request that tries to be two, or none. "origin" is what an origin may see
// of it: nothing at all but where net/http's reading is the only one that there is.
func TestHostileRequests(t *testing.T) {
	const end = "\r\n\r\n"
	const smuggled = "GET /smuggled HTTP/1.1\r\nHost: h\r\n\r\n"
	for _, tc := range []struct {
		name, request, want string
		origin              []string
	}{
		{"two lengths", "POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\nContent-Length: 0" + end + smuggled, "400", nil},
		{"two lengths in one field", "POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 4, 0" + end + smuggled, "400", nil},
		{"one length twice", "POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\nContent-Length: 4\r\nConnection: close" + end + "body", "200", []string{"POST /a body"}},
		{"length and chunks", "POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\nTransfer-Encoding: chunked" + end + "0\r\n\r\n" + smuggled, "411", nil},
		{"chunks", "POST /a HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked" + end + "0\r\n\r\n" + smuggled, "411", nil},
		{"chunks of HTTP/1.0", "POST /a HTTP/1.0\r\nHost: h\r\nConnection: keep-alive\r\nTransfer-Encoding: chunked" + end + smuggled, "200", []string{"POST /a "}},
		{"two codings", "POST /a HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: identity" + end + "0\r\n\r\n", "501", nil},
		{"coding with a tab", "POST /a HTTP/1.1\r\nHost: h\r\nTransfer-Encoding:\tchunked" + end + "0\r\n\r\n", "411", nil},
		{"unknown coding", "POST /a HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: xchunked" + end + smuggled, "501", nil},
		{"space before the colon", "POST /a HTTP/1.1\r\nHost: h\r\nContent-Length : 4" + end + smuggled, "400", nil},
		{"signed length", "POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: +4" + end + smuggled, "400", nil},
		{"negative length", "POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: -4" + end, "400", nil},
		{"length beyond counting", "POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 99999999999999999999" + end, "400", nil},
		{"length beyond the limit", "POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 99999999" + end, "413", nil},
		{"bare line feeds", "GET /a HTTP/1.1\nHost: h\nConnection: close\n\n", "200", []string{"GET /a "}},
		{"bare carriage return", "GET /a HTTP/1.1\r\nHost: h\r\nX: a\rContent-Length: 4" + end, "400", nil},
		{"folded line", "GET /a HTTP/1.1\r\nHost: h\r\nX: a\r\n b\r\nConnection: close" + end, "200", []string{"GET /a "}},
		{"zero byte", "GET /a HTTP/1.1\r\nHost: h\r\nX: a\x00b" + end, "400", nil},
		{"two hosts", "GET /a HTTP/1.1\r\nHost: h\r\nHost: i" + end, "400", nil},
		{"no host", "GET /a HTTP/1.1" + end, "400", nil},
		{"host with a path", "GET /a HTTP/1.1\r\nHost: h/x" + end, "400", nil},
		{"request line in the target", "GET /a HTTP/1.1\r\nX: y HTTP/1.1" + end, "400", nil},
		{"line feed in the target", "GET /a%0d%0aX:%20y HTTP/1.1\r\nHost: h\r\nConnection: close" + end, "200", []string{"GET /a%0d%0aX:%20y "}},
		{"CONNECT", "CONNECT example.test:443 HTTP/1.1\r\nHost: example.test:443" + end, "405", nil},
		{"absolute form, a third party", "GET http://example.test/ HTTP/1.1\r\nHost: h" + end, "421", nil},
		{"absolute form, another address", "GET http://127.0.0.131/ HTTP/1.1\r\nHost: h" + end, "421", nil},
		{"absolute form, this address", "GET http://127.0.0.130/a?b HTTP/1.1\r\nHost: h\r\nConnection: close" + end, "200", []string{"GET /a?b "}},
		{"another scheme", "GET gopher://example.test/ HTTP/1.1\r\nHost: h" + end, "421", nil},
		{"upgrade", "GET /a HTTP/1.1\r\nHost: h\r\nConnection: close, Upgrade\r\nUpgrade: websocket" + end, "200", []string{"GET /a "}},
		{"HTTP/2 preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "505", nil},
		{"no HTTP", "hello" + end, "400", nil},
		{"RTSP", "DESCRIBE rtsp://h/a RTSP/1.0\r\nCSeq: 1" + end, "400", nil},
		{"dots", "GET /../../a/./b HTTP/1.1\r\nHost: h\r\nConnection: close" + end, "200", []string{"GET /../../a/./b "}},
		{"double slash", "GET //example.test/a HTTP/1.1\r\nHost: h\r\nConnection: close" + end, "200", []string{"GET //example.test/a "}},
		{"keep-alive of the pipelined mode", "OPTIONS * HTTP/1.1\r\nHost: h\r\nConnection: close" + end, "200", []string{"OPTIONS * "}},
		{"expectation", "POST /a HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 4\r\nConnection: close" + end + "body", "100", []string{"POST /a body"}},
		{"a body that is answered, and what follows it", "POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 4" + end + "bodyGET /b HTTP/1.1\r\nHost: h\r\nConnection: close" + end,
			"200", []string{"POST /a body", "GET /b "}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			o := newOrigin(t, "127.0.0.131", func(conn net.Conn, _ *http.Request) bool {
				io.WriteString(conn, emptyOK)
				return true
			})
			w := newWorld(t, nil, o.addr)
			conn := w.dial()
			io.WriteString(conn, tc.request)
			answer, _ := io.ReadAll(conn) // a reset is an answer too
			_, status, _ := strings.Cut(string(answer), " ")
			if !strings.HasPrefix(status, tc.want) || strings.Contains(string(answer), "101 Switching") {
				t.Errorf("got %q, want %s", answer, tc.want)
			}
			w.proxy.Close()
			o.mu.Lock()
			defer o.mu.Unlock()
			if len(o.seen) > len(tc.origin) {
				t.Errorf("the origin saw %d requests, want %q", len(o.seen), tc.origin)
			}
			for i, r := range o.seen {
				if got := r.Method + " " + r.RequestURI + " " + o.body[i]; i < len(tc.origin) && got != tc.origin[i] || r.Header.Get("Upgrade") != "" {
					t.Errorf("the origin saw %q", got)
				}
			}
		})
	}
}

// TestLoop: a request that has come through this gateway is refused.
func TestLoop(t *testing.T) {
	o := newOrigin(t, "127.0.0.131", says(emptyOK))
	w := newWorld(t, nil, o.addr)
	if got := w.ask(requestOf("GET", "/a", "Via: 1.1 x, 1.1 "+w.proxy.receivedBy+" (m)")); !strings.HasPrefix(got, "HTTP/1.0 508") || len(o.requests()) != 0 {
		t.Errorf("got %q", got)
	}
}

// TestOriginSwitches: an origin cannot take a connection out of HTTP.
func TestOriginSwitches(t *testing.T) {
	o := newOrigin(t, "127.0.0.131", says("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\nraw"))
	w := newWorld(t, nil, o.addr)
	if got := w.ask(requestOf("GET", "/a")); !strings.HasPrefix(got, "HTTP/1.0 502") {
		t.Errorf("got %q", got)
	}
}

// TestEndlessHeader: a head that does not end costs no more than its limit.
func TestEndlessHeader(t *testing.T) {
	w := newWorld(t, func(c *Config) { c.Limits.Header = 8 << 10 }, closed(t, "127.0.0.131"))
	conn := w.dial()
	io.WriteString(conn, "GET / HTTP/1.1\r\nHost: h\r\n")
	sent := 0
	for ; sent < 64<<20; sent += 1024 {
		if _, err := io.WriteString(conn, "X: "+strings.Repeat("a", 1019)+"\r\n"); err != nil {
			break
		}
	}
	if sent > 32<<20 {
		t.Errorf("%d bytes of a head were taken", sent)
	}
}

// TestSlow: neither silence, nor a head or a body in drops, holds a connection for ever.
func TestSlow(t *testing.T) {
	for name, first := range map[string]string{"silent": "", "head": "GET / HTTP/1.1\r\nHo", "body": requestOf("POST", "/a", "Content-Length: 5") + "x", "idle": "GET / HTTP/1.1\r\nHost: h\r\n\r\n"} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newStill(t, says(emptyOK), func(c *Config) {
					c.Timeouts.FirstRequest, c.Timeouts.Message, c.Timeouts.Idle = 100*time.Millisecond, 150*time.Millisecond, 100*time.Millisecond
				})
				near, far := net.Pipe()
				s.proxy.ServeConn(far)
				begun := time.Now()
				go func() { _, _ = io.WriteString(near, first) }()
				got, err := io.ReadAll(near)
				if took := time.Since(begun); took > time.Second {
					t.Errorf("it was held for %s", took)
				}
				want := map[string]string{"head": "HTTP/1.1 400", "body": "HTTP/1.0 408", "idle": "HTTP/1.1 200"}[name]
				if err != nil || !strings.HasPrefix(string(got), want) || want == "" && len(got) > 0 {
					t.Errorf("%q %v", got, err)
				}
				synctest.Wait()
				if n := s.proxy.open.Load(); n != 0 {
					t.Errorf("%d connections are not given back", n)
				}
				_ = s.proxy.Close()
			})
		})
	}
}

// TestBusy: the connection beyond the limit, and large bodies beyond the room for them, get 503.
func TestBusy(t *testing.T) {
	o := newOrigin(t, "127.0.0.131", says(emptyOK))
	w := newWorld(t, func(c *Config) { c.Connections, c.Limits.Body = 1, 10 }, o.addr)
	first := w.dial()
	eventually(t, "first accepted", func() bool { return w.proxy.open.Load() == 1 })
	if got, _ := io.ReadAll(w.dial()); !strings.HasPrefix(string(got), "HTTP/1.1 503") {
		t.Errorf("got %q", got)
	}
	first.Close()
	eventually(t, "room for another", func() bool { return w.proxy.open.Load() == 0 })
	w.proxy.bodies.Store(10*bodiesFactor - 3)
	if got := w.ask(requestOf("POST", "/a", "Content-Length: 4")); !strings.HasPrefix(got, "HTTP/1.0 503") {
		t.Errorf("got %q", got)
	}
	if n := w.proxy.bodies.Load(); n != 10*bodiesFactor-3 {
		t.Errorf("%d bytes of bodies left over", n-10*bodiesFactor+3)
	}
}

// TestStalledReadersMemory: players that read nothing hold a bounded amount each.
func TestStalledReadersMemory(t *testing.T) {
	o := newOrigin(t, "127.0.0.131", func(conn net.Conn, _ *http.Request) bool {
		io.WriteString(conn, framedHead)
		for p := packet('D', 60000); ; {
			if _, err := conn.Write(p); err != nil {
				return false
			}
		}
	})
	w := newWorld(t, nil, o.addr)
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	const players = 100
	for i := range players {
		io.WriteString(w.dial(), requestOf("GET", "/a", fmt.Sprintf("Pragma: xClientGUID={%d}", i)))
	}
	eventually(t, "all stream", func() bool { return w.proxy.Sessions() == players })
	<-time.After(200 * time.Millisecond) // what could grow would grow now
	runtime.GC()
	runtime.ReadMemStats(&after)
	if each := (int64(after.HeapInuse) - int64(before.HeapInuse)) / players; each > 256<<10 {
		t.Errorf("%d bytes for each stalled player", each)
	}
}
