package e2e

import (
	"strings"
	"testing"

	"mediagate/internal/lab"
	"mediagate/internal/origin"
)

// TestHTTPPlayers plays by every player of Windows Media over HTTP at the same
// time through one gateway with two origins: each writes the file, packet for
// packet, and has its record. VLC and MPlayer also take http://, where they ask
// as an ordinary client first, which is a session of its own.
func TestHTTPPlayers(t *testing.T) {
	vlc, mplayer := lab.VLCHTTP("http"), lab.MPlayerHTTP("http")
	kinds := append(lab.HTTPPlayers(), vlc, mplayer)
	sample := lab.SampleASF(t)
	_, one := webOrigin(t, "one", origin.Config{Speed: 2}, sample, filesOf(kinds)...)
	_, two := webOrigin(t, "two", origin.Config{Speed: 2}, sample, filesOf(kinds)...)
	gw := webProgram(t, lab.Services{Policy: "round-robin"}, one, two)
	plays := startEach(t, kinds, gw.Addr.Addr())
	for _, p := range plays {
		t.Run(p.Kind.Name, func(t *testing.T) {
			if code := p.WaitExit(playLimit); code != 0 {
				t.Errorf("ended with code %d\n%s", code, p.Output())
			}
			playsWhole(t, p, sample)
		})
	}
	records := gw.FinalRecords(t)
	for _, kind := range kinds {
		t.Run("record/"+kind.Name, func(t *testing.T) { judgeWeb(t, records, kind, sample, "one", "two") })
	}
	judgeFirstTries(t, records, vlc, mplayer)
}

// TestHTTPOrdinary: what is not Windows Media passes as it is, beside it: an
// announcement and a station file of the origin's own, a web page, a file that
// is not there.
func TestHTTPOrdinary(t *testing.T) {
	pages := map[string]string{
		"/film.asx":   "<ASX VERSION=\"3.0\">\r\n<ENTRY><REF HREF=\"mms://media.test/film.wmv\"/></ENTRY>\r\n</ASX>\r\n",
		"/live.nsc":   "[Address]\r\nName=02ABCD\r\nIP Address=239.1.2.3\r\n",
		"/index.html": "<html><body>\u00fc</body></html>\n",
		"/data":       strings.Repeat("\x00\xff\r\n", 100_000),
	}
	srv, node := webOrigin(t, "one", origin.Config{Pages: pages}, lab.SampleASF(t), "a.wmv")
	gw := webProgram(t, lab.Services{}, node)
	url := "http://" + gw.Addr.Addr().String()
	for path, want := range pages {
		got, status, kind := lab.Fetch(t, url+path)
		direct, _, directKind := lab.Fetch(t, strings.TrimSuffix(srv.HTTPURL(path), "/"))
		if got != want || direct != want || status != "200" || kind != directKind {
			t.Errorf("%s: %d bytes, want %d; status %s, type %q, want %q", path, len(got), len(want), status, kind, directKind)
		}
	}
	if _, status, _ := lab.Fetch(t, url+"/nothing.html"); status != "404" {
		t.Errorf("status %s, want 404", status)
	}
	if got, _, _ := lab.Fetch(t, url+"/a.wmv"); !strings.Contains(got, "href=\""+url+"/a.wmv\"") {
		t.Errorf("to an ordinary client the origin names no place at the gateway: %q", got)
	}
	// A range, a compressed answer that nobody asked to be opened, HEAD, HTTP/1.0.
	for name, args := range map[string][]string{
		"1.0": {"--http1.0"}, "head": {"--head"}, "compressed": {"--header", "Accept-Encoding: gzip"}, "expect": {"--header", "Expect: 100-continue"},
	} {
		if body, status, _ := lab.Fetch(t, url+"/index.html", args...); status != "200" || name != "head" && body != pages["/index.html"] {
			t.Errorf("%s: status %s, body %q", name, status, body)
		}
	}
	records := gw.FinalRecords(t)
	if len(records) != 1 || records[0].Node != "one" || !strings.HasPrefix(records[0].UserAgent, "curl/") || records[0].End == "" {
		t.Errorf("records: %+v", records)
	}
}

// TestHTTPPlayersOriginKilled: an origin is killed while it plays. Each player
// sees its connection end and ends too; the record says whose fault it was.
func TestHTTPPlayersOriginKilled(t *testing.T) {
	lab.NeedRoot(t)
	kinds := lab.HTTPPlayers()
	dir := mediaFolder(t, lab.SampleASF(t), filesOf(kinds)...)
	from := lab.StartEmbeddedOrigin(t, lab.Loopback(t), nil, "--speed", "0.3", "--dir", dir) // it is to be alive when the last one has begun
	gw := webProgram(t, lab.Services{}, lab.ServiceNode{Name: "doomed", Addr: from.Addr})
	plays := startEach(t, kinds, gw.Addr.Addr())
	from.Kill()
	for _, p := range plays {
		p.WaitExit(playLimit)
	}
	records := gw.FinalRecords(t)
	for _, kind := range kinds {
		media, _ := ofFile(records, fileOf(kind))
		if len(media) != 1 || media[0].End != "OP" || !strings.Contains(media[0].Why, "doomed") || media[0].ToClient != media[0].FromOrigin {
			t.Errorf("%s: records: %+v", kind.Name, media)
		}
	}
}
