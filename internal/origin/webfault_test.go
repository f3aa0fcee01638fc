package origin

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// TestHTTPSessions follows client-ids: ours, those of others, and those of sessions that have ended.
func TestHTTPSessions(t *testing.T) {
	s := serveWeb(t, "127.0.0.42", Config{Timeout: 5 * time.Second}) // in which a busy machine asks once more
	id := clientID(t, first2(dialWeb(t, s).whole(getSample)))
	other := id + 1
	for _, x := range []struct {
		name, line, field string
		id                uint32
		status            int
		reset             bool
	}{
		{"describe", getSample, "Accept: */*", id, 200, false},
		{"describe of another origin's", getSample, "Accept: */*", other, 200, true},
		{"keep alive", postSample, "Pragma: xKeepAliveInPause=1", id, 200, false},
		{"keep alive of another origin's", postSample, "Pragma: xKeepAliveInPause=1", other, 400, false},
		{"options of another origin's", "OPTIONS * HTTP/1.1", "Accept: */*", other, 200, false},
		{"log", postSample, "Content-Type: application/x-wms-LogStats;charset=UTF-8", id, 204, false},
		{"log line", postSample, "Pragma: log-line=10.0.0.1 2026-11-24, - 200", id, 204, false},
		{"log of another origin's", postSample, "Content-Type: application/x-wms-LogStats", other, 400, false},
		{"stop of another origin's", postSample, "Pragma: xStopStrm=1", other, 400, false},
		{"select of another origin's", postSample, bothField, other, 400, false},
		{"content info", postSample, "Content-Type: application/x-wms-getcontentinfo", 0, 200, false},
		{"event", postSample, "Content-Type: application/x-wms-sendevent", 0, 200, false},
		{"event about nothing", "POST /none.wmv HTTP/1.1", "Content-Type: application/x-wms-sendevent", 0, 404, false},
		{"nothing known", postSample, "Accept: */*", id, 400, false},
		{"next entry when idle", getSample, "Pragma: xPlayNextEntry=1", id, 200, false},
	} {
		t.Run(x.name, func(t *testing.T) {
			fields := []string{x.field, "Content-Length: 1"}
			if x.id != 0 {
				fields = append(fields, idField(x.id))
			}
			c := dialWeb(t, s)
			c.send(x.line, fields...)
			c.write("x")
			r, _ := read2(c, strings.Fields(x.line)[0])
			p := parsePragma(r.Header["Pragma"])
			if r.StatusCode != x.status || p.on("xresetstrm") != x.reset {
				t.Errorf("%s %v", r.Status, p)
			}
			l := s.Snapshot()
			last := l.HTTP[len(l.HTTP)-1]
			if last.ClientID != x.id || last.Foreign != (x.id == other) || last.Reset != x.reset || last.Body != "x" || last.Status != x.status {
				t.Errorf("log %+v", last)
			}
		})
	}
	if n := s.Snapshot().ForeignClientIDs; n != 6 {
		t.Errorf("%d foreign client-ids", n)
	}
	eventually(t, "idle sessions end", func() bool { return s.Snapshot().HTTPSessions == 0 })
	r, _ := dialWeb(t, s).whole(getSample, idField(id)) // one of ours that has ended
	if !parsePragma(r.Header["Pragma"]).on("xresetstrm") || clientID(t, r) == id || s.Snapshot().ForeignClientIDs != 6 {
		t.Errorf("%v", r.Header)
	}
	eventually(t, "idle connections end", func() bool { return s.Snapshot().HTTPConnections == 0 })
}

// TestHTTPTakeOver plays one session many times at once; each request ends the one before, wherever it is.
func TestHTTPTakeOver(t *testing.T) {
	s := serveWeb(t, "127.0.0.43", Config{})
	id := clientID(t, first2(dialWeb(t, s).whole(getSample)))
	var all sync.WaitGroup
	for n := range 20 {
		c := dialWeb(t, s)
		all.Go(func() {
			fields := []string{playField, idField(id), bothField, fmt.Sprintf("Pragma: packet-num=%d", n)}
			if n%2 == 0 {
				fields = append(fields, pipelined)
			}
			c.send(getSample, append(fields, "User-Agent: NSPlayer/9.0")...)
			if _, err := http.ReadResponse(c.br, nil); err != nil {
				t.Errorf("play %d: %v", n, err)
			}
		})
	}
	all.Wait()
	last := dialWeb(t, s).ask(getSample, playField, idField(id), bothField)
	mustFrame(t, last.Body, frameHeader)
	mustFrame(t, last.Body, frameData)
	l := s.Snapshot()
	if l.HTTPSessions != 1 || l.ForeignClientIDs != 0 {
		t.Errorf("%d sessions, %d foreign", l.HTTPSessions, l.ForeignClientIDs)
	}
}

// TestHTTPLeaves closes in the middle: the session can be played again, and its media go to nobody.
func TestHTTPLeaves(t *testing.T) {
	s := serveWeb(t, "127.0.0.44", Config{})
	c := dialWeb(t, s)
	r := c.ask(getSample, playField, bothField)
	mustFrame(t, r.Body, frameHeader)
	e, _ := s.web.find(clientID(t, r))
	_ = c.tcp.Close()
	eventually(t, "the session is idle", func() bool { _, state, conn := e.now(); return state == webIdle && conn == nil })
	eventually(t, "the connection is gone", func() bool { return s.Snapshot().HTTPConnections == 0 })
}

// TestHTTPOrdinary asks for files, as players and others do, and for what there is not.
func TestHTTPOrdinary(t *testing.T) {
	dir := t.TempDir()
	sample, err := samples.ReadFile("sample/sample.wmv")
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string][]byte{"a b.wmv": sample, "page.html": []byte("<p>"), "secret.key": []byte("no"), "big.txt": make([]byte, maxPage+1)} {
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s := serveWeb(t, "127.0.0.45", Config{
		Dir: dir, Pages: map[string]string{"/list.asx": "<asx/>", "/odd": "x"}, Redirect: map[string]string{"/gone.wmv": "http://192.0.2.1/x.wmv"},
	})
	const web, player = "User-Agent: Mozilla/5.0", "User-Agent: NSPlayer/10.0"
	for _, x := range []struct {
		name, line, agent string
		status            int
		media, body       string // body: what it contains
	}{
		{"asx for a browser", "GET /a%20b.wmv?x=%22%3C HTTP/1.1", web, 200, "video/x-ms-asf", `href="http://origin.test/a%20b.wmv?x=%22%3C"`},
		{"head", "HEAD /a%20b.wmv HTTP/1.1", web, 200, "video/x-ms-asf", ""},
		{"describe", "GET /a%20b.wmv?x=1 HTTP/1.1", player, 200, typeHeader, "$H"},
		{"describe, absolute", "GET http://origin.test/a%20b.wmv HTTP/1.1", player, 200, typeHeader, "$H"},
		{"file of the folder", "GET /page.html HTTP/1.1", web, 200, "text/html", "<p>"},
		{"list for a player", "GET /list.asx HTTP/1.1", player, 200, "video/x-ms-asf", "<asx/>"},
		{"unknown kind", "GET /odd HTTP/1.1", web, 200, "application/octet-stream", "x"},
		{"secret", "GET /secret.key HTTP/1.1", web, 404, "", ""},
		{"large", "GET /big.txt HTTP/1.1", web, 404, "", ""},
		{"folder", "GET / HTTP/1.1", web, 404, "", ""},
		{"outside", "GET /../../etc/passwd.txt HTTP/1.1", web, 404, "", ""},
		{"none", "GET /none.wmv HTTP/1.1", player, 404, "", ""},
		{"play none", "GET /none.wmv HTTP/1.1", player + "\r\n" + playField, 404, "", ""},
		{"redirect", "GET /gone.wmv HTTP/1.1", player, 302, "", ""},
		{"post", "POST /page.html HTTP/1.1", web, 400, "", ""},
		{"post by a player", "POST /page.html HTTP/1.1", player, 400, "", ""},
		{"other method", "PUT /page.html HTTP/1.1", web, 501, "", ""},
	} {
		t.Run(x.name, func(t *testing.T) {
			r, body := dialWeb(t, s).whole(x.line, x.agent)
			if r.StatusCode != x.status || r.Header.Get("Content-Type") != x.media || !bytes.Contains(body, []byte(x.body)) {
				t.Errorf("%s %v %q", r.Status, r.Header, body)
			}
			if to := r.Header.Get("Location"); (to == "http://192.0.2.1/x.wmv") != (x.status == 302) {
				t.Errorf("location %q", to)
			}
		})
	}
	s.SetBusy(true)
	if r, _ := dialWeb(t, s).whole("GET /page.html HTTP/1.1", web); r.StatusCode != 503 {
		t.Errorf("busy: %s", r.Status)
	}
	s.SetBusy(false)
	if r, _ := dialWeb(t, s).whole("GET /page.html HTTP/1.1", web); r.StatusCode != 200 {
		t.Errorf("no longer busy: %s", r.Status)
	}
}

// TestHTTPCredentials sends none, wrong and good ones, and those that belong to one connection.
func TestHTTPCredentials(t *testing.T) {
	s := serveWeb(t, "127.0.0.46", Config{Users: map[string]string{"alice": "secret"}, StrictURI: true})
	basic := func(text string) string {
		return "Authorization: Basic " + base64.StdEncoding.EncodeToString([]byte(text))
	}
	digest := func(uri string) string {
		response := md5Hex(md5Hex("alice:"+realm+":secret") + ":" + s.nonce + ":" + md5Hex("GET:"+uri))
		return fmt.Sprintf(`Authorization: Digest username="alice", realm="%s", nonce="%s", uri="%s", response="%s"`, realm, s.nonce, uri, response)
	}
	for _, x := range []struct {
		name, field string
		status      int
	}{
		{"none", "Accept: */*", 401}, {"wrong", basic("alice:wrong"), 401}, {"nobody", basic("bob:secret"), 401},
		{"basic", basic("alice:secret"), 200}, {"digest", digest("/sample.wmv"), 200}, {"digest of another uri", digest("/other.wmv"), 401},
	} {
		t.Run(x.name, func(t *testing.T) {
			r, _ := dialWeb(t, s).whole(getSample, x.field)
			if r.StatusCode != x.status || (x.status == 401) != (len(r.Header["Www-Authenticate"]) == 2) {
				t.Errorf("%s %v", r.Status, r.Header)
			}
		})
	}
	s = serveWeb(t, "127.0.0.47", Config{BoundAuth: true})
	first, second := dialWeb(t, s), dialWeb(t, s)
	one := challenged(first)
	two := challenged(second)
	if r, _ := second.whole(getSample, "Authorization: NTLM "+one); r.StatusCode != 401 {
		t.Errorf("challenge of another connection: %s", r.Status)
	}
	if r, _ := second.whole(getSample, "Authorization: NTLM "+two); r.StatusCode != 401 {
		t.Errorf("challenge after a wrong answer: %s", r.Status)
	}
	for _, field := range []string{"Authorization: NTLM " + one, "Accept: */*"} { // believed from then on
		if r, _ := first.whole(getSample, field); r.StatusCode != 200 {
			t.Errorf("%s: %s", field, r.Status)
		}
	}
}

// challenged begins to authenticate a connection, over HTTP/1.0 without Keep-Alive.
func challenged(c *webClient) string {
	c.t.Helper()
	line := "GET /sample.wmv HTTP/1.0"
	if r, _ := c.whole(line); r.StatusCode != 401 || r.Header.Get("Www-Authenticate") != "NTLM" {
		c.t.Errorf("%s %v", r.Status, r.Header)
	}
	r, _ := c.whole(line, "Authorization: NTLM hello")
	text, ok := strings.CutPrefix(r.Header.Get("Www-Authenticate"), "NTLM ")
	if r.StatusCode != 401 || !ok {
		c.t.Errorf("%s %v", r.Status, r.Header)
	}
	return text
}

// TestHTTPHostile sends what is no request, too much of one, and half of one.
func TestHTTPHostile(t *testing.T) {
	s := serveWeb(t, "127.0.0.49", Config{})
	s.web.patience = 5 * time.Second // in which a busy machine says what is said here, all of it at the same time
	t.Run("at once", func(t *testing.T) { hostile(t, s) })
	c := dialWeb(t, s)
	r := c.ask(getSample, pipelined, playField, bothField)
	for range maxPending + 2 {
		_, _ = c.tcp.Write([]byte("OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n")) // it is closed meanwhile
	}
	var err error
	for err == nil {
		_, err = nextFrame(r.Body)
	}
	eventually(t, "connections are gone", func() bool { return s.Snapshot().HTTPConnections == 0 })
}

func hostile(t *testing.T, s *Server) {
	for _, x := range []struct {
		name, text string
		status     int // 0: closed without a word
	}{
		{"nothing", "", 0},
		{"half a line", "GET /sample", 400},
		{"half a head", "GET / HTTP/1.1\r\nHost: x\r\n", 0},
		{"half a body", "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nxx", 400},
		{"garbage", "\x00\x01\x02 x\r\n\r\n", 400},
		{"tls", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 400},
		{"endless line", "GET /" + strings.Repeat("x", maxHead), 431},
		{"endless fields", "GET / HTTP/1.1\r\n" + strings.Repeat("Pragma: x\r\n", maxHead/11+1), 431},
		{"two lengths", "POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nxx", 400},
		{"large body", "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 300000\r\n\r\n" + strings.Repeat("x", 300000), 413},
		{"large chunked body", "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n493e0\r\n" + strings.Repeat("x", 300000) + "\r\n0\r\n\r\n", 413},
	} {
		t.Run(x.name, func(t *testing.T) {
			t.Parallel()
			c := dialWeb(t, s)
			c.write(x.text)
			if x.status == 0 {
				c.ended()
			} else if r, _ := read2(c, "GET"); r.StatusCode != x.status || !r.Close {
				t.Errorf("%s %v", r.Status, r.Header)
			}
		})
	}
}
