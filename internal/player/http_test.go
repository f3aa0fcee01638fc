package player_test

import (
	"bytes"
	"context"
	"encoding/xml"
	"errors"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"mediagate/internal/asf"
	"mediagate/internal/player"
)

const aliceAsks = `Digest realm="here", nonce="NONCE", opaque="o"`

func TestPlayHTTP(t *testing.T) {
	for _, c := range []struct {
		name, address string
		script        web
		opts          player.Options
		packets, lost uint64
		conns         int
	}{
		{"plain", "127.0.0.120", web{}, player.Options{}, 40, 0, 2},
		{"old server", "127.0.0.120", web{server: "Cougar 4.1.0.3921"}, player.Options{}, 40, 0, 2},
		{"encoder", "127.0.0.120", web{server: "Rex/9.0.0.2833"}, player.Options{}, 40, 0, 2},
		{"packet pair", "127.0.0.121", web{pairs: true, interim: true}, player.Options{PacketPair: true}, 40, 0, 2},
		{"in chunks", "127.0.0.121", web{chunked: true}, player.Options{}, 40, 0, 2},
		{"header once", "127.0.0.121", web{noHeader: true}, player.Options{}, 40, 0, 2},
		{"header twice", "127.0.0.121", web{newHeader: true}, player.Options{}, 40, 0, 3},
		{"packets left out", "127.0.0.122", web{leave: []int{3, 4, 20}}, player.Options{}, 37, 3, 2},
		{"packets lost", "127.0.0.122", web{lose: []int{3, 4, 20}, leave: []int{30}}, player.Options{}, 36, 4, 2},
		{"playlist", "127.0.0.123", web{entries: 3}, player.Options{}, 120, 0, 6},
		{"playlist with a pause", "127.0.0.123", web{entries: 2, pause: true}, player.Options{}, 80, 0, 6},
		{"basic", "127.0.0.124", web{challenge: []string{"NTLM", `Basic realm="here"`}}, player.Options{}, 40, 0, 2},
		{"digest", "127.0.0.124", web{challenge: []string{`Basic realm="here"`, aliceAsks}}, player.Options{}, 40, 0, 2},
		{"digest with qop", "127.0.0.124", web{challenge: []string{aliceAsks + `, qop="auth,auth-int", algorithm=MD5`}}, player.Options{}, 40, 0, 2},
		{
			"nonce gets old", "127.0.0.124", web{challenge: []string{aliceAsks + `, stale=true, qop="auth"`}, nonces: 1},
			player.Options{}, 40, 0, 2,
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			defer within(t, 10*time.Second)()
			x := serveWeb(t, c.address, c.script)
			var file memory
			c.opts.URL, c.opts.Output = x.url(), &file
			if c.script.challenge != nil {
				c.opts.URL = strings.Replace(c.opts.URL, "://", "://alice:secret@", 1)
			}
			r := play(t, c.opts)
			if r.Packets != c.packets || r.Lost != c.lost || !r.EndOfStream || r.Streams != 2 || r.Session != "4711" ||
				r.Transport != "http" || len(r.Local) != c.conns {
				t.Errorf("report %+v, want %d packets, %d lost, %d connections", r, c.packets, c.lost, c.conns)
			}
			checkRequests(t, x)
			if c.lost > 0 {
				return
			}
			f, err := asf.Parse(file.b)
			if err != nil || !slices.EqualFunc(f.Packets, x.file.Packets, bytes.Equal) || f.PacketCount != 40 {
				t.Errorf("the file is not that of the server: %v", err)
			}
		})
	}
}

// checkRequests holds what all requests must have, and what logs say.
func checkRequests(t *testing.T, x *scriptedWeb) {
	t.Helper()
	x.mu.Lock()
	defer x.mu.Unlock()
	guid, described := "", false
	for i, q := range x.asked {
		pragma := strings.Join(q.Header.Values("Pragma"), ",")
		_, id, _ := strings.Cut(pragma, "xClientGUID={")
		if guid == "" {
			guid = id
		}
		if q.RequestURI != "/media/a%20b.wmv?x=1" || id != guid || !strings.HasPrefix(q.UserAgent(), "NSPlayer/9.") ||
			described && !strings.Contains(pragma, "client-id=4711") {
			t.Errorf("%s %s with %q", q.Method, q.RequestURI, q.Header)
		}
		described = described || x.challenge == nil || q.Header.Get("Authorization") != ""
		if q.Method == "POST" && (strings.Contains(pragma, "log-line=") || x.told[i] != "") {
			checkLog(t, q.Header.Values("Pragma"), x.told[i], x)
		}
	}
}

func checkLog(t *testing.T, pragma []string, body string, x *scriptedWeb) {
	t.Helper()
	line := ""
	for _, p := range pragma {
		if l, ok := strings.CutPrefix(p, "log-line="); ok {
			line = l
		}
	}
	fields := 44
	if body != "" {
		var log struct {
			Summary  string
			Received int    `xml:"c-pkts-received"`
			Lost     int    `xml:"c-pkts-lost-client"`
			Net      int    `xml:"c-pkts-lost-net"`
			ID       string `xml:"c-playerid"`
			URL      string `xml:"cs-url"`
		}
		if err := xml.Unmarshal([]byte(body), &log); err != nil {
			t.Fatal(err)
		}
		lost := len(x.leave) + len(x.lose)
		if log.Received != 40-lost || log.Lost != lost || log.Net != len(x.lose) || log.URL != x.url() || !strings.HasPrefix(log.ID, "{") {
			t.Errorf("log %+v", log)
		}
		line, fields = log.Summary, 45
	}
	if (body != "") != strings.HasPrefix(x.head(200), "HTTP/1.1 200 OK\r\nServer: Cougar/9") && !x.interim || len(strings.Fields(line)) != fields {
		t.Errorf("log line of %d fields: %q, body %q", len(strings.Fields(line)), line, body)
	}
}

func TestHTTPFails(t *testing.T) {
	long := "Warning: " + strings.Repeat("x", 100<<10)
	for _, c := range []struct {
		name   string
		script web
		want   string
	}{
		{"no such file", web{status: 404}, "404 Not Found"},
		{"busy", web{status: 503}, "503"},
		{"ordinary server", web{server: "nginx/1.24"}, "none for Windows Media"},
		{"not framed", web{junk: "<html>"}, "not framed"},
		{"unknown packet", web{junk: "$Z\x00\x00"}, "not framed"},
		{"short packet", web{junk: "$D\x07\x001234567"}, "not framed"},
		{"cut off", web{junk: "$D\xff\xff"}, "unexpected EOF"},
		{"breaks off", web{breakAt: 5}, "unexpected EOF"},
		{"no credentials", web{challenge: []string{aliceAsks}}, "401"},
		{"only NTLM", web{challenge: []string{"NTLM", "Negotiate"}}, "neither Digest nor Basic"},
		{"unknown digest", web{challenge: []string{`Digest realm="x", nonce="y", algorithm=SHA-512-256`}}, "neither Digest nor Basic"},
		{"error at the end", web{reason: 0x80004005}, "0x80004005"},
		{"redirected for ever", web{redirect: "/media/other.wmv"}, "moved 5 times"},
		{"redirected to nowhere", web{redirect: "ftp://192.0.2.1/x"}, "302"},
		{"long head", web{server: "Cougar/9.0\r\n" + long}, "unexpected EOF"},
	} {
		t.Run(c.name, func(t *testing.T) {
			defer within(t, 9*time.Second)() // all that it may wait for takes ten
			x := serveWeb(t, "127.0.0.125", c.script)
			u := x.url()
			if strings.Contains(c.want, "Digest") {
				u = strings.Replace(u, "://", "://alice:secret@", 1)
			}
			r, err := player.Play(t.Context(), player.Options{URL: u})
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want %q; steps %q", err, c.want, r.Steps)
			}
		})
	}
}

func TestHTTPRedirect(t *testing.T) {
	to := serveWeb(t, "127.0.0.126", web{})
	x := serveWeb(t, "127.0.0.127", web{redirect: strings.Replace(to.url(), "http", "mmsh", 1)})
	r := play(t, player.Options{URL: x.url()})
	if r.Packets != 40 || len(to.asked) != 3 {
		t.Errorf("report %+v, %d requests", r, len(to.asked))
	}
	checkRequests(t, to)
}

// TestHTTPSilence holds that a server that says nothing is left at the end of the caller's patience.
func TestHTTPSilence(t *testing.T) {
	defer within(t, 9*time.Second)() // all that it may wait for takes ten
	x := serveWeb(t, "127.0.0.126", web{deaf: true})
	l, err := net.Listen("tcp", "127.0.0.127:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	for _, u := range []string{x.url(), "http://" + l.Addr().String() + "/x.wmv", "rtsph://" + l.Addr().String() + "/x.wmv"} {
		patience := errors.New("patience is over")
		ctx, cancel := context.WithTimeoutCause(t.Context(), 300*time.Millisecond, patience)
		_, err := player.Play(ctx, player.Options{URL: u})
		cancel()
		if err == nil {
			t.Errorf("%s: no error", u)
		}
	}
}

func TestHTTPURLs(t *testing.T) {
	for _, c := range []struct{ url, transport string }{
		{"https://192.0.2.1/x", ""}, {"http:///x", ""}, {"mms://192.0.2.1/x", "tunnel"}, {"rtsp://192.0.2.1/x", "http"},
	} {
		if _, err := player.Play(t.Context(), player.Options{URL: c.url, Transport: c.transport}); err == nil {
			t.Errorf("%s by %q: no error", c.url, c.transport)
		}
	}
	for _, o := range []player.Options{
		{URL: "rtspu://192.0.2.1/x"}, {URL: "http://192.0.2.1/x"}, {URL: "rtsp://192.0.2.1/x", Transport: "tcp"}, {URL: "/x"},
	} {
		o.Rollover = true
		if _, err := player.Play(t.Context(), o); err == nil {
			t.Errorf("%+v: no error", o)
		}
	}
}
