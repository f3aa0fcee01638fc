package httpfallback

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"mediagate/internal/sessionlog"
)

// TestOneSession: describe, play, seek and the log on four connections are one session, which the log ends.
func TestOneSession(t *testing.T) {
	origin := &wms{issued: map[string]bool{}}
	o := newOrigin(t, "127.0.0.131", origin.answer)
	w := newWorld(t, func(c *Config) { c.Linger = time.Hour }, o.addr)
	begun := time.Now()
	guid := "Pragma: xClientGUID={11223344-1122-1122-1122-AABBCCDDEEFF}"
	w.ask(requestOf("GET", "/a.wmv", guid))
	w.ask(requestOf("GET", "/a.wmv", guid, "Pragma: client-id=1", "Pragma: xPlayStrm=1"))
	w.ask(requestOf("GET", "/a.wmv", guid, "Pragma: client-id=1", "Pragma: xPlayStrm=1", "Pragma: stream-time=5000"))
	w.ask(requestOf("POST", "/log2", "Pragma: client-id=1", "Content-Type: application/x-wms-LogStats", "Content-Length: 38") + "<XML><c-bytes>6000</c-bytes></XML>    ")
	took := time.Since(begun)
	r := w.ended(1)[0]
	if r.Requests != 4 || r.End.String() != "-T" || !strings.Contains(r.Why, "log") || r.ClientLog == nil || r.ClientLog.BytesReceived != 6000 {
		t.Errorf("record %+v", r)
	}
	if r.FromOrigin != (sessionlog.Traffic{Packets: 6, Bytes: 6000}) || len(r.NodesTried) != 1 || time.Duration(r.Duration) > took {
		t.Errorf("record %+v", r)
	}
}

// TestOtherSession: other content is another session, and so is a second player that says the same of itself.
func TestOtherSession(t *testing.T) {
	hold := make(chan struct{})
	o := newOrigin(t, "127.0.0.131", func(conn net.Conn, r *http.Request) bool {
		io.WriteString(conn, "HTTP/1.0 200 OK\r\nContent-Type: application/x-mms-framed\r\n\r\n"+stream(1))
		if r.RequestURI == "/b" {
			<-hold
		}
		return false
	})
	w := newWorld(t, nil, o.addr)
	const guid = "Pragma: xClientGUID={c77e7400-738a-11d2-9add-0020af0a3278}"
	w.ask(requestOf("GET", "/a", guid))
	one, two := w.dial(), w.dial()
	for _, conn := range []net.Conn{one, two} {
		io.WriteString(conn, requestOf("GET", "/b", guid))
		if _, err := io.ReadFull(conn, make([]byte, 1000)); err != nil {
			t.Fatal(err)
		}
	}
	if n := w.proxy.Sessions(); n < 2 {
		t.Errorf("%d sessions", n)
	}
	close(hold)
	for _, r := range w.ended(3) {
		if r.FromOrigin.Packets != 1 || r.End.String() != "OP" {
			t.Errorf("record %+v", r)
		}
	}
}

// TestOrdinaryBeside: a browser at a player's address meets the player's node, and has a record of its own: what it is
// refused is not the player's.
func TestOrdinaryBeside(t *testing.T) {
	answer := func(conn net.Conn, r *http.Request) bool {
		if r.RequestURI == "/a.wmv" {
			return says(framedHead+stream(2, reason('E', 0)))(conn, r)
		}
		return says("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")(conn, r)
	}
	a, b := newOrigin(t, "127.0.0.131", answer), newOrigin(t, "127.0.0.132", answer)
	w := newWorld(t, func(c *Config) { c.Linger = time.Hour }, a.addr, b.addr)
	browse := func(path string) { w.ask("GET " + path + " HTTP/1.1\r\nHost: gate.test\r\nConnection: close\r\n\r\n") }
	w.ask(requestOf("GET", "/b.wmv", "Pragma: xClientGUID={1}")) // the next goes to b
	w.ask(requestOf("GET", "/a.wmv", "Pragma: xClientGUID={2}"))
	browse("/favicon.ico")
	w.ask(requestOf("GET", "/a.wmv", "Pragma: xClientGUID={2}"))
	browse("/robots.txt")
	if n := len(a.requests()); n != 1 {
		t.Errorf("the other node has %d requests, want 1", n)
	}
	all := w.over()
	if len(all) != 3 {
		t.Errorf("%d records", len(all))
	}
	for _, r := range all {
		want := map[string]string{"NSPlayer/7.10.0.3059 /a.wmv": "b -T 2 4", "NSPlayer/7.10.0.3059 /b.wmv": "a OD 1 0", " /favicon.ico": "b OD 2 0"}
		what := r.UserAgent + " " + strings.TrimPrefix(r.URL, "http://gate.test")
		if got := fmt.Sprint(r.Node, " ", r.End, " ", r.Requests, " ", r.FromOrigin.Packets); got != want[what] {
			t.Errorf("%s: %s, want %s", what, got, want[what])
		}
	}
}

// TestTakingTurns: two players of one address that say the same of themselves, and ask in turn for two clips, have a record
// each, with their describes.
func TestTakingTurns(t *testing.T) {
	origin := &wms{issued: map[string]bool{}}
	o := newOrigin(t, "127.0.0.131", origin.answer)
	w := newWorld(t, func(c *Config) { c.Linger = time.Hour }, o.addr)
	const guid = "Pragma: xClientGUID={c77e7400-738a-11d2-9add-0020af0a3278}"
	for range 3 {
		for _, path := range []string{"/a", "/b"} {
			w.ask(requestOf("GET", path, guid))
		}
	}
	all := w.over()
	if len(all) != 2 {
		t.Errorf("%d records", len(all))
	}
	for _, r := range all {
		if r.Requests != 3 || r.FromOrigin.Packets != 6 || r.End.String() != "-T" {
			t.Errorf("record %+v", r)
		}
	}
	if w.proxy.mu.Lock(); len(w.proxy.players.players) == 0 {
		t.Error("the player is forgotten")
	}
	for _, pl := range w.proxy.players.players {
		if len(pl.byPath) != 0 || pl.session != nil {
			t.Errorf("ended sessions are kept: %v", pl.byPath)
		}
	}
	w.proxy.mu.Unlock()
}

// TestPausedSession: KeepAlives hold a session for as long as the origin says that it does.
func TestPausedSession(t *testing.T) {
	o := newOrigin(t, "127.0.0.131", says("HTTP/1.1 200 OK\r\nPragma: no-cache, timeout=60000\r\nContent-Length: 0\r\n\r\n"))
	w := newWorld(t, nil, o.addr)
	w.ask(requestOf("POST", "/a", "Pragma: xKeepAliveInPause=1", "Pragma: client-id=1", "Content-Length: 0"))
	<-time.After(200 * time.Millisecond) // four times Linger
	if n := w.proxy.Sessions(); n != 1 {
		t.Errorf("%d sessions", n)
	}
}

// TestAnnounce: the gateway writes the announcement, and nobody else's.
func TestAnnounce(t *testing.T) {
	o := newOrigin(t, "127.0.0.131", says("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"))
	announce := func(host, path string) []string {
		if path == "/none" {
			return nil
		}
		return []string{"rtspu://" + host + path, `http://` + host + path + `?a="<&>`}
	}
	const asx = "<ASX VERSION=\"3.0\">\r\n<ENTRY>\r\n<REF HREF=\"rtspu://gate.test/x/a%20b.wmv\" />\r\n" +
		"<REF HREF=\"http://gate.test/x/a%20b.wmv?a=&#34;&lt;&amp;&gt;\" />\r\n</ENTRY>\r\n</ASX>\r\n"
	for _, tc := range []struct {
		name, method, path string
		status, body       string
		asked              int // requests to the origin
	}{
		{"written", "GET", "/announce/x/a%20b.wmv.asx", "200", asx, 0},
		{"head", "HEAD", "/announce/x/a%20b.wmv.asx", "200", "", 0},
		{"not to be written to", "POST", "/announce/x.asx", "405", "an announcement is only read\n", 0},
		{"nothing there", "GET", "/announce/none.asx", "404", "there is nothing to announce\n", 0},
		{"no path", "GET", "/announce/.asx", "404", "an announcement is /announce/PATH.asx\n", 0},
		{"another kind", "GET", "/announce/x.nsc", "404", "an announcement is /announce/PATH.asx\n", 0},
		{"a path that only looks like it", "GET", "/announcements.asx", "404", "", 1},
	} {
		t.Run(tc.name, func(t *testing.T) {
			before := len(o.requests())
			w := newWorld(t, func(c *Config) { c.Announce = announce }, o.addr)
			h, body := head(t, w.ask(requestOf(tc.method, tc.path)))
			if !strings.HasPrefix(h, "HTTP/1.0 "+tc.status) || body != tc.body || len(o.requests())-before != tc.asked {
				t.Errorf("got %q %q", h, body)
			}
			if tc.status == "200" && !strings.Contains(h, "Content-Type: video/x-ms-asf\r\n") {
				t.Errorf("head %q", h)
			}
		})
	}
	t.Run("not configured", func(t *testing.T) {
		w := newWorld(t, nil, o.addr)
		before := len(o.requests())
		if got := w.ask(requestOf("GET", "/announce/x.asx")); !strings.HasPrefix(got, "HTTP/1.0 404") || len(o.requests()) != before+1 {
			t.Errorf("got %q", got)
		}
	})
}

// TestShutdown: a stream runs on until it ends; then nothing is left.
func TestShutdown(t *testing.T) {
	hold := make(chan struct{})
	o := newOrigin(t, "127.0.0.131", func(conn net.Conn, _ *http.Request) bool {
		io.WriteString(conn, framedHead+stream(1))
		<-hold
		conn.Write(reason('E', 0))
		return false
	})
	w := newWorld(t, func(c *Config) { c.Linger = time.Hour }, o.addr)
	conn := w.dial()
	io.WriteString(conn, requestOf("GET", "/a"))
	if _, err := io.ReadFull(conn, make([]byte, 1000)); err != nil {
		t.Fatal(err)
	}
	done := make(chan error)
	go func() { done <- w.proxy.Shutdown(context.Background()) }()
	eventually(t, "no new connections", func() bool {
		w.proxy.mu.Lock()
		defer w.proxy.mu.Unlock()
		return w.proxy.draining
	})
	close(hold)
	if rest, err := io.ReadAll(conn); err != nil || !strings.HasSuffix(string(rest), string(reason('E', 0))) {
		t.Errorf("%q %v", rest, err)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
	if r := w.ended(1)[0]; r.End.String() != "-T" || w.proxy.Sessions() != 0 {
		t.Errorf("%v %s", r.End, r.Why)
	}
	mine, theirs := net.Pipe()
	go w.proxy.ServeConn(theirs)
	if got, _ := io.ReadAll(mine); !strings.HasPrefix(string(got), "HTTP/1.1 503") {
		t.Errorf("got %q", got)
	}
}

// TestShutdownRunsOut: what has not ended when the context does is broken off, by the gateway.
func TestShutdownRunsOut(t *testing.T) {
	o := newOrigin(t, "127.0.0.131", func(conn net.Conn, _ *http.Request) bool {
		io.WriteString(conn, framedHead+stream(1))
		_, _ = conn.Read(make([]byte, 1))
		return false
	})
	w := newWorld(t, nil, o.addr)
	conn := w.dial()
	io.WriteString(conn, requestOf("GET", "/a"))
	if _, err := io.ReadFull(conn, make([]byte, 1000)); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	if err := w.proxy.Shutdown(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
	if r := w.ended(1)[0]; r.End.String() != "GP" {
		t.Errorf("%v %s", r.End, r.Why)
	}
}

// TestNew: a pool is required.
func TestNew(t *testing.T) {
	if _, err := New(Config{}); err == nil || !strings.HasPrefix(err.Error(), "httpfallback: new proxy:") {
		t.Error(err)
	}
}

// TestGatewaysOwnFault: a panic ends one exchange, and the record says whose fault it was.
func TestGatewaysOwnFault(t *testing.T) {
	w := newWorld(t, func(c *Config) { c.Dial = nil }, closed(t, "127.0.0.131"))
	w.proxy.reverse.Transport = roundTripper(func(*http.Request) (*http.Response, error) { panic("broken") })
	if got := w.ask(requestOf("GET", "/a")); got != "" {
		t.Errorf("got %q", got)
	}
	if r := w.ended(1)[0]; r.End.String() != "ID" || !strings.Contains(r.Why, "broken") {
		t.Errorf("%v %s", r.End, r.Why)
	}
}
