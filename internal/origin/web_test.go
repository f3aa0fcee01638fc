package origin

import (
	"bytes"
	"strconv"
	"strings"
	"testing"
)

const (
	getSample  = "GET /sample.wmv HTTP/1.1"
	postSample = "POST /sample.wmv HTTP/1.1"
	playField  = "Pragma: xPlayStrm=1"
	bothField  = "Pragma: stream-switch-entry=ffff:1:0 ffff:2:0"
	pipelined  = "Pragma: version11-enabled=1"
)

// TestHTTPPlay describes and plays as players do, on two connections, and compares packet for packet.
func TestHTTPPlay(t *testing.T) {
	s := serveWeb(t, "127.0.0.42", Config{Speed: 100})
	wantHeader, wantPackets := file(t, s)
	c := dialWeb(t, s)
	r, body := c.whole("GET /sample.wmv HTTP/1.0", "Pragma: no-cache,rate=1.000000,stream-time=0,stream-offset=0:0,request-context=1,max-duration=0",
		"Pragma: xClientGUID={c77e7400-738a-11d2-9add-0020af0a3278}", "Connection: Close")
	if r.StatusCode != 200 || r.Proto != "HTTP/1.0" || r.Header.Get("Content-Type") != typeHeader ||
		!strings.HasPrefix(r.Header.Get("Server"), "Cougar/9.") || len(r.TransferEncoding) > 0 || r.ContentLength != int64(len(body)) {
		t.Errorf("describe: %s %s %v", r.Proto, r.Status, r.Header)
	}
	p := parsePragma(r.Header["Pragma"])
	if p["features"] != "seekable" || p["timeout"] != "60000" || !p.has("no-cache") || p.has("xresetstrm") {
		t.Errorf("describe: pragma %v", p)
	}
	c.ended()
	kinds, frames := shape(t, bytes.NewReader(body))
	if kinds != "H" || len(frames) != 1 || frames[0].flags != 0x0c || frames[0].more || !bytes.Equal(frames[0].payload, wantHeader) {
		t.Fatalf("describe: %s", kinds)
	}

	id := clientID(t, r)
	c = dialWeb(t, s)
	r = c.ask(getSample, playField, idField(id), "Pragma: stream-switch-count=2", bothField,
		"Pragma: no-cache,rate=1.000000,stream-time=0Connection: Close") // as FFmpeg writes it
	if r.StatusCode != 200 || r.Proto != "HTTP/1.0" || r.Header.Get("Content-Type") != typeMedia ||
		len(r.TransferEncoding) > 0 || r.ContentLength != -1 || clientID(t, r) != id {
		t.Errorf("play: %s %s %v", r.Proto, r.Status, r.Header)
	}
	kinds, frames = shape(t, r.Body)
	if kinds != "HDE" || len(frames) != len(wantPackets)+2 {
		t.Fatalf("play: %s, %d packets, want %d", kinds, len(frames)-2, len(wantPackets))
	}
	for i, f := range frames[1 : len(frames)-1] {
		if f.location != uint32(i) || f.flags != uint8(i) || f.incarnation != 0 || f.more || !bytes.Equal(f.payload, wantPackets[i]) {
			t.Fatalf("packet %d: location %d, flags %d, incarnation %d, %d bytes", i, f.location, f.flags, f.incarnation, len(f.payload))
		}
	}
	if end := frames[len(frames)-1]; end.reason != reasonOK {
		t.Errorf("end %#x", end.reason)
	}
	l := s.Snapshot()
	if len(l.HTTP) != 2 || l.HTTP[0].Kind != kindDescribe || l.HTTP[1].Kind != kindPlay || l.HTTP[1].ClientID != id ||
		l.HTTP[0].AnsweredID != id || l.HTTP[0].GUID == "" || l.ForeignClientIDs != 0 || l.HTTPSessions != 1 {
		t.Errorf("log %+v", l)
	}
}

// TestHTTPSeek begins where the request says, in the order of [MS-WMSP] 3.2.5.6.
func TestHTTPSeek(t *testing.T) {
	s := serveWeb(t, "127.0.0.43", Config{Speed: 1000})
	f, err := s.library.open("sample.wmv")
	if err != nil {
		t.Fatal(err)
	}
	at := func(n int) string { return strconv.Itoa(len(f.Header) + n*f.PacketSize) }
	id := clientID(t, dialWeb(t, s).ask(getSample))
	incarnation := 0
	for _, x := range []struct {
		name, pragma string
		want         int    // first packet
		until        uint32 // send time of the first that is not sent; 0: all
	}{
		{"nothing", "no-cache", 0, 0},
		{"unset", "stream-time=4294967295,packet-num=4294967295,stream-offset=4294967295:4294967295", 0, 0},
		{"time", "stream-time=5000,packet-num=3,stream-offset=0:0", keyBefore(f, 5000), 0},
		{"time, badly ended", "no-cache,rate=1.000000,stream-time=5000Connection: Close", keyBefore(f, 5000), 0},
		{"time after the end", "stream-time=999999999", keyBefore(f, 999999999), 0},
		{"packet", "stream-time=0, packet-num=17, stream-offset=0:0", 17, 0},
		{"packet after the end", "packet-num=4000000000", len(f.Packets), 0},
		{"offset", "stream-time=0,packet-num=4294967295,stream-offset=0:" + at(9), 9, 0},
		{"offset in the header", "stream-offset=0:10", 0, 0},
		{"offset after the end", "stream-offset=1:0", len(f.Packets), 0},
		{"no numbers", "stream-time=x,packet-num=-1,stream-offset=3", 0, 0},
		{"duration", "packet-num=20,max-duration=1000", 20, sendTime(f, 20) + 1000},
		{"absolute duration", "packet-num=20,max-duration=" + strconv.Itoa(1<<31+3000), 20, 3000},
		{"faster", "rate=5.000,Speed=91268.055", 0, 0},
	} {
		t.Run(x.name, func(t *testing.T) {
			r := dialWeb(t, s).ask(getSample, playField, idField(id), bothField, "Pragma: "+x.pragma)
			if r.StatusCode != 200 || clientID(t, r) != id {
				t.Fatalf("%s %v", r.Status, r.Header)
			}
			_, frames := shape(t, r.Body)
			data := frames[1 : len(frames)-1]
			want := 0
			for n := x.want; n < len(f.Packets) && (x.until == 0 || sendTime(f, n) < x.until); n++ {
				want++
			}
			if len(data) != want || want > 0 && (data[0].location != uint32(x.want) || data[0].incarnation != uint8(incarnation)) {
				t.Errorf("%d packets, want %d from %d on", len(data), want, x.want)
			}
			incarnation++
		})
	}
	for _, rate := range []string{"0", "-5.000", "0.5", "6"} {
		if r, _ := dialWeb(t, s).whole(getSample, playField, "Pragma: rate="+rate); r.StatusCode != 400 {
			t.Errorf("rate %s: %s", rate, r.Status)
		}
	}
	if n := s.Snapshot().ForeignClientIDs; n != 0 {
		t.Errorf("%d foreign client-ids", n)
	}
}

// TestHTTPNewerClient gets $M, B, packet pairs and what it asked for of acceleration.
func TestHTTPNewerClient(t *testing.T) {
	s := serveWeb(t, "127.0.0.44", Config{Speed: 100})
	const twelve = "User-Agent: NSPlayer/12.0.7680.0"
	r, body := dialWeb(t, s).whole(getSample, twelve, "Pragma: packet-pair-experiment=1", "Pragma: pipeline-experiment=1")
	p := parsePragma(r.Header["Pragma"])
	if !p.on("packet-pair-experiment") || !p.on("pipeline-experiment") || !strings.Contains(r.Header.Get("Supported"), "srvppair") {
		t.Errorf("pragma %v", p)
	}
	for _, x := range []struct{ size, noise int }{{504, 0}, {504, 504}, {1048, 1048 + 504}} {
		if body[1] != framePair || int(body[2])|int(body[3])<<8 != x.size || int(body[4])|int(body[5])<<8 != 504 {
			t.Fatalf("pair % x", body[:8])
		}
		body = body[8+x.noise:]
	}
	kinds, frames := shape(t, bytes.NewReader(body))
	if kinds != "MH" || !frames[0].more || frames[1].more || frames[0].flags != 0x0c {
		t.Fatalf("%s %+v", kinds, frames[0])
	}
	if got := string(frames[0].payload); !strings.HasPrefix(got, "playlist-gen-id=1, broadcast-id=0, features=\"seekable\"\x00") {
		t.Errorf("metadata %q", got)
	}
	r = dialWeb(t, s).ask(getSample, twelve, playField, bothField, "Pragma: LinkBW=2147483647, AccelBW=2147483647, AccelDuration=18000, Speed=91268.055")
	if p = parsePragma(r.Header["Pragma"]); p["accelbw"] != "3500000" || p["accelduration"] != "18000" || p["speed"] != "5.000" {
		t.Errorf("play: pragma %v", p)
	}
	if kinds, frames = shape(t, r.Body); kinds != "MHDE" || !frames[1].more {
		t.Errorf("play: %s", kinds)
	}
}

// TestHTTPPlaylist plays two entries: at one go for a client that lets the origin choose its streams, else when the client
// has chosen.
func TestHTTPPlaylist(t *testing.T) {
	s := serveWeb(t, "127.0.0.45", Config{Speed: 1000, Playlist: true})
	_, packets := file(t, s)
	for name, supported := range map[string]string{"predictive": "com.microsoft.wm.predstrm", "waiting": "com.microsoft.wm.sswitch"} {
		t.Run(name, func(t *testing.T) {
			fields := []string{"Supported: " + supported, "User-Agent: NSPlayer/9.0.0.1", playField, bothField}
			r := dialWeb(t, s).ask(getSample, fields...)
			if p := parsePragma(r.Header["Pragma"]); p["features"] != "seekable,playlist" || p["playlist-gen-id"] != "1" {
				t.Errorf("pragma %v", p)
			}
			var kinds string
			var frames []webFrame
			for !strings.HasSuffix(kinds, "CMH") {
				f, err := nextFrame(r.Body)
				if err != nil {
					t.Fatal(err)
				}
				if !strings.HasSuffix(kinds, string(f.kind)) {
					kinds += string(f.kind)
				}
				frames = append(frames, f)
			}
			if end := frames[len(frames)-4]; end.kind != frameEnd || end.reason != reasonMore || len(frames) != len(packets)+6 {
				t.Errorf("%s: %d packets, end %+v", kinds, len(frames), end)
			}
			if name == "waiting" {
				other := dialWeb(t, s)
				if a, _ := other.whole(postSample, idField(clientID(t, r)), "Pragma: stream-switch-entry=2:ffff:0", "Content-Length: 0", fields[0]); a.StatusCode != 200 {
					t.Errorf("select: %s", a.Status)
				}
			}
			rest, frames := shape(t, r.Body)
			size := 0
			for _, f := range frames {
				size += len(f.payload)
			}
			all := size == len(packets)*len(packets[0])
			if rest != "DE" || frames[len(frames)-1].reason != reasonOK || all == (name == "waiting") {
				t.Errorf("second entry: %s, %d packets, %d bytes", rest, len(frames)-1, size)
			}
			_ = r.Body.Close() // of a connection that has ended
		})
	}
	r, _ := dialWeb(t, s).whole(getSample)
	if p := parsePragma(r.Header["Pragma"]); p["features"] != "broadcast,playlist" { // of an old client
		t.Errorf("pragma %v", p)
	}
	r = dialWeb(t, s).ask(getSample, playField, bothField, "Pragma: playlist-seek-id=1, pl-offset=1")
	if kinds, _ := shape(t, r.Body); kinds != "HDE" {
		t.Errorf("last entry: %s", kinds)
	}
}
