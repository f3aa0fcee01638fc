package httpfallback

import (
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"mediagate/internal/sessionlog"
)

func head(t *testing.T, answer string) (head, body string) {
	t.Helper()
	head, body, ok := strings.Cut(answer, "\r\n\r\n")
	if !ok {
		t.Fatalf("no head in %q", answer)
	}
	return head, body
}

// TestPlay: a response of HTTP/1.0 that ends with its connection reaches the player byte for byte, and is counted.
func TestPlay(t *testing.T) {
	media := stream(20, reason('E', 0))
	o := newOrigin(t, "127.0.0.131", says(framedHead+media))
	w := newWorld(t, func(c *Config) { c.Linger = time.Hour }, o.addr)
	for _, version := range []string{"HTTP/1.0", "HTTP/1.1"} {
		request := strings.Replace(requestOf("GET", "/a%20b/c.wmv?x=1;y", "Pragma: no-cache,rate=1.000000,stream-time=0", "Pragma: xPlayStrm=1"), "HTTP/1.0", version, 1)
		h, body := head(t, w.ask(request))
		if body != media {
			t.Errorf("%s: got %d bytes, want %d", version, len(body), len(media))
		}
		if strings.Contains(h, "chunked") || strings.Contains(h, "Transfer-Encoding") || !strings.Contains(h, "Pragma: no-cache, client-id=77, timeout=60000") {
			t.Errorf("%s: head %q", version, h)
		}
	}
	r := w.over()[0]
	want := sessionlog.Traffic{Packets: 40, Bytes: 40000}
	if r.FromOrigin != want || r.ToClient != want || r.FirstMedia == nil || r.Mode != sessionlog.ModePlay || r.Transport != sessionlog.TransportHTTP {
		t.Errorf("record %+v", r)
	}
	if r.End.String() != "-T" || r.Node != "a" || r.Requests != 2 || r.URL != "http://gate.test/a%20b/c.wmv?x=1;y" || r.ControlOrigin.In < uint64(2*len(media)) || r.ControlClient.Out < uint64(2*len(media)) {
		t.Errorf("record %+v", r)
	}
	if got := o.requests()[0].RequestURI; got != "/a%20b/c.wmv?x=1;y" {
		t.Errorf("target %q", got)
	}
}

// TestFlush: media is not held back, headers neither.
func TestFlush(t *testing.T) {
	next := make(chan string)
	o := newOrigin(t, "127.0.0.131", func(conn net.Conn, _ *http.Request) bool {
		for s := range next {
			io.WriteString(conn, s)
		}
		return false
	})
	w := newWorld(t, nil, o.addr)
	conn := w.dial()
	io.WriteString(conn, requestOf("GET", "/live", "Pragma: xPlayStrm=1"))
	buf := make([]byte, 4096)
	for _, s := range []string{framedHead, "$H\x00\x00", "$D\x01\x00x"} {
		next <- s
		n, err := conn.Read(buf)
		if err != nil || n == 0 {
			t.Fatal(n, err)
		}
	}
	close(next)
	if _, err := io.ReadAll(conn); err != nil {
		t.Fatal(err)
	}
	if r := w.ended(1)[0]; r.End.String() != "OP" || !strings.Contains(r.Why, "without an end") {
		t.Errorf("%v %s", r.End, r.Why)
	}
}

// TestChunks: what the origin chunked is chunked for HTTP/1.1, and not for HTTP/1.0.
func TestChunks(t *testing.T) {
	o := newOrigin(t, "127.0.0.131", says("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Type: text/plain\r\n\r\n5\r\nhello\r\n0\r\n\r\n"))
	w := newWorld(t, nil, o.addr)
	h, body := head(t, w.ask("GET / HTTP/1.1\r\nHost: g\r\nConnection: close\r\n\r\n"))
	if !strings.Contains(h, "Transfer-Encoding: chunked") || body != "5\r\nhello\r\n0\r\n\r\n" {
		t.Errorf("%q %q", h, body)
	}
	h, body = head(t, w.ask("GET / HTTP/1.0\r\nHost: g\r\n\r\n"))
	if strings.Contains(h, "Transfer-Encoding") || body != "hello" {
		t.Errorf("%q %q", h, body)
	}
}

// TestFields: what a player says reaches the origin as it said it, with what a proxy must add.
func TestFields(t *testing.T) {
	for _, tc := range []struct {
		name, request string
		want          map[string][]string
	}{
		{"ffmpeg", "GET /a HTTP/1.1\r\nAccept: */*\r\nRange: bytes=0-\r\nIcy-MetaData: 1\r\nUser-Agent: NSPlayer/4.1.0.3856\r\nHost: gate.test:80\r\n" +
			"Pragma: xPlayStrm=1,stream-switch-count=2,stream-switch-entry=ffff:1:0 ffff:2:0\r\nPragma: xClientGUID={c77e7400-738a-11d2-9add-0020af0a3278}\r\n" +
			"Pragma: no-cache,rate=1.000000,stream-time=0Connection: Close\r\n\r\n", map[string][]string{
			"Accept": {"*/*"}, "Range": {"bytes=0-"}, "Icy-Metadata": {"1"}, "User-Agent": {"NSPlayer/4.1.0.3856"},
			"Pragma": {"xPlayStrm=1,stream-switch-count=2,stream-switch-entry=ffff:1:0 ffff:2:0", "xClientGUID={c77e7400-738a-11d2-9add-0020af0a3278}",
				"no-cache,rate=1.000000,stream-time=0Connection: Close", `proxy-client-agent="NSPlayer/4.1.0.3856"`},
			"X-Proxy-Client-Verb": {"GET"}, "Via": {"1.1 GATE (mediagate/1.0)"}, "host": {"gate.test:80"},
		}},
		{"behind a proxy", requestOf("GET", "/a", "Via: HTTP/1.1 WMCacheProxy (WMCacheProxy/9.0.0.3177)", "Supported: com.microsoft.wm.srvppair, com.microsoft.wm.sswitch",
			"X-Accept-Authentication: Negotiate, NTLM, Digest, Basic", "X-Proxy-Client-Verb: DESCRIBE", `Pragma: proxy-client-agent="NSPlayer/9.0.0.0"`,
			"X-Forwarded-For: 192.0.2.1", "Upgrade: h2c", "Keep-Alive: 5", "Cookie: a=b"), map[string][]string{
			"Accept": {"*/*"}, "User-Agent": {"NSPlayer/7.10.0.3059"}, "Via": {"HTTP/1.1 WMCacheProxy (WMCacheProxy/9.0.0.3177)", "1.0 GATE (mediagate/1.0)"},
			"Supported": {"com.microsoft.wm.srvppair, com.microsoft.wm.sswitch"}, "X-Accept-Authentication": {"Negotiate, NTLM, Digest, Basic"},
			"X-Proxy-Client-Verb": {"DESCRIBE"}, "Pragma": {`proxy-client-agent="NSPlayer/9.0.0.0"`}, "Connection": {"close"}, "Cookie": {"a=b"}, "host": {"gate.test"},
		}},
		{"ordinary", "GET /x.nsc HTTP/1.0\r\nuser-agent: Mozilla/4.0\r\n\r\n", map[string][]string{
			"User-Agent": {"Mozilla/4.0"}, "Via": {"1.0 GATE (mediagate/1.0)"}, "Connection": {"close"}, "host": {"NODE"},
		}},
		{"no agent", "GET /x HTTP/1.0\r\nHost: h\r\nPragma: xClientGUID={1}\r\n\r\n", map[string][]string{
			"Via": {"1.0 GATE (mediagate/1.0)"}, "Connection": {"close"}, "host": {"h"}, "Pragma": {"xClientGUID={1}"}, "X-Proxy-Client-Verb": {"GET"},
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			o := newOrigin(t, "127.0.0.131", says("HTTP/1.0 200 OK\r\n\r\n"))
			w := newWorld(t, nil, o.addr)
			w.ask(tc.request)
			r := o.requests()[0]
			got := map[string][]string{"host": {strings.ReplaceAll(r.Host, o.addr.String(), "NODE")}}
			for k, v := range r.Header {
				for i := range v {
					v[i] = strings.ReplaceAll(v[i], w.proxy.receivedBy, "GATE")
				}
				got[k] = v
			}
			if r.Close {
				got["Connection"] = []string{"close"}
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// TestNothingAdded: net/http guesses no type for an answer that has none.
func TestNothingAdded(t *testing.T) {
	o := newOrigin(t, "127.0.0.131", says("HTTP/1.0 404 Not Found\r\nDate: x\r\nX-Startupprofile: Rate=1\r\nContent-Length: 4\r\n\r\nnone"))
	w := newWorld(t, nil, o.addr)
	got := w.ask(requestOf("GET", "/a"))
	if want := "HTTP/1.0 404 Not Found\r\nConnection: close\r\nContent-Length: 4\r\nDate: x\r\nX-Startupprofile: Rate=1\r\n\r\nnone"; got != want {
		t.Errorf("got %q", got)
	}
	if r := w.ended(1)[0]; r.End.String() != "OD" || !strings.Contains(r.Why, "404") {
		t.Errorf("%v %s", r.End, r.Why)
	}
}

// TestPipelineTest: the test for the pipelined mode fails, and does not wait for the origin's timer.
func TestPipelineTest(t *testing.T) {
	o := newOrigin(t, "127.0.0.131", func(conn net.Conn, r *http.Request) bool {
		switch len(r.Header["X-Second"]) {
		case 0:
			io.WriteString(conn, "HTTP/1.1 200 OK\r\nPragma: no-cache, client-id=5\r\nTransfer-Encoding: chunked\r\n\r\n4\r\n$T\x00\x00\r\n")
			_, _ = conn.Read(make([]byte, 1)) // until somebody gives up
		default:
			io.WriteString(conn, "HTTP/1.1 200 OK\r\nPragma: no-cache, pipeline-result=1, pipeline-experiment=1, client-id=5\r\nContent-Length: 0\r\n\r\n")
		}
		return false
	})
	w := newWorld(t, nil, o.addr)
	const request = "GET /a HTTP/1.1\r\nUser-Agent: NSPlayer/12.0.7680.0\r\nHost: g\r\nPragma: pipeline-request=1\r\n"
	got := w.ask(request + "Connection: keep-alive\r\n\r\n" + request + "X-Second: 1\r\nConnection: close\r\n\r\n")
	if !strings.Contains(got, "4\r\n$T\x00\x00\r\n0\r\n\r\nHTTP/1.1 200 OK") || !strings.Contains(got, "Pragma: no-cache, pipeline-result=0, pipeline-experiment=0, client-id=5\r\n") {
		t.Errorf("got %q", got)
	}
}

// TestStalledReader: a player that takes nothing is let go, and the origin with it.
func TestStalledReader(t *testing.T) {
	gone := make(chan struct{})
	o := newOrigin(t, "127.0.0.131", func(conn net.Conn, _ *http.Request) bool {
		defer close(gone)
		io.WriteString(conn, framedHead)
		for {
			if _, err := conn.Write(packet('D', 60000)); err != nil {
				return false
			}
		}
	})
	w := newWorld(t, func(c *Config) { c.Timeouts.Write = 100 * time.Millisecond }, o.addr)
	conn := w.dial()
	io.WriteString(conn, requestOf("GET", "/a", "Pragma: xPlayStrm=1"))
	<-gone
	if r := w.ended(1)[0]; r.End.String() != "cP" || r.ToClient.Packets == 0 || r.FromOrigin.Packets < r.ToClient.Packets {
		t.Errorf("%v %s %+v", r.End, r.Why, r.ToClient)
	}
}

// TestPlayerLeaves: a player that closes in mid stream ends the origin's connection at once.
func TestPlayerLeaves(t *testing.T) {
	gone := make(chan struct{})
	o := newOrigin(t, "127.0.0.131", func(conn net.Conn, _ *http.Request) bool {
		io.WriteString(conn, framedHead+stream(3))
		_, _ = conn.Read(make([]byte, 1))
		close(gone)
		return false
	})
	w := newWorld(t, nil, o.addr)
	conn := w.dial()
	io.WriteString(conn, requestOf("GET", "/a", "Pragma: xPlayStrm=1"))
	if _, err := io.ReadFull(conn, make([]byte, 3000)); err != nil {
		t.Fatal(err)
	}
	conn.Close()
	<-gone
	if r := w.ended(1)[0]; r.End.String() != "CP" || r.FromOrigin.Packets != 3 {
		t.Errorf("%v %s %+v", r.End, r.Why, r.FromOrigin)
	}
}

// TestOriginBreaks: a body that is shorter than was said breaks the player's connection too.
func TestOriginBreaks(t *testing.T) {
	o := newOrigin(t, "127.0.0.131", says("HTTP/1.1 200 OK\r\nContent-Type: video/x-ms-wmv\r\nContent-Length: 1000\r\n\r\nshort"))
	w := newWorld(t, nil, o.addr)
	conn := w.dial()
	io.WriteString(conn, "GET /a.wmv HTTP/1.1\r\nHost: g\r\n\r\n")
	res, err := http.ReadResponse(newReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	if body, err := io.ReadAll(res.Body); err == nil || string(body) != "short" {
		t.Errorf("%q %v", body, err)
	}
	if r := w.ended(1)[0]; r.End.String() != "OP" || r.FromOrigin != (sessionlog.Traffic{Bytes: 5}) {
		t.Errorf("%v %s %+v", r.End, r.Why, r.FromOrigin)
	}
}
