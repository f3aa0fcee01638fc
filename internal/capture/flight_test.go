package capture

import (
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unsafe"
)

var (
	player  = netip.MustParseAddrPort("192.0.2.1:40000")
	ours    = netip.MustParseAddrPort("192.0.2.9:554")
	ourSide = netip.MustParseAddrPort("192.0.2.9:50000")
	node    = netip.MustParseAddrPort("192.0.2.11:554")
)

// newBook has a Book that the test ends.
func newBook(t *testing.T, cfg Config) *Book {
	t.Helper()
	b := New(cfg)
	t.Cleanup(func() { _ = b.Close() })
	return b
}

// flying is a session with a flight recorder.
func flying(t *testing.T, f Flight) (*Book, *Session) {
	t.Helper()
	b := newBook(t, Config{Flight: f})
	return b, b.Begin(About{ID: "abc-1", Protocol: "rtsp", Client: player, Local: ours})
}

// files are the names and texts of a directory.
func files(t *testing.T, dir string) map[string]string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	all := make(map[string]string)
	for _, e := range entries {
		text, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		all[e.Name()] = string(text)
	}
	return all
}

func one(t *testing.T, all map[string]string) string {
	t.Helper()
	if len(all) != 1 {
		t.Fatalf("%d files, want 1: %v", len(all), all)
	}
	for _, text := range all {
		return text
	}
	return ""
}

func wantParts(t *testing.T, text string, parts ...string) {
	t.Helper()
	for _, p := range parts {
		i := strings.Index(text, p)
		if i < 0 {
			t.Fatalf("%q is not there, or not in its place; rest of the file:\n%s", p, text)
		}
		text = text[i+len(p):]
	}
}

func TestFlightFile(t *testing.T) {
	dir := t.TempDir()
	b, s := flying(t, Flight{Memory: maxMemory, Dir: dir, Ends: []string{"O", "cP"}})
	client, origin := s.Connect(Client, ours, player), s.Connect(Origin, ourSide, node)
	client.Received([]byte("DESCRIBE rtsp://joe:pw@h/a RTSP/1.0\r\nCSeq: 7\r\nSession: s3cret\r\n\r\n"))
	origin.Sent([]byte("DESCRIBE rtsp://h/a RTSP/1.0\r\nCSeq: 1\r\nSession: s3cret\r\n\r\n"))
	s.Learn(Facts{URL: "rtsp://h/a", UserAgent: "VLC\nend: --", Node: "wms1"})
	m := s.Media()
	at := time.Now()
	rtp := append([]byte{0x80, 96, 0, 71, 0, 0, 0, 9, 0, 0, 0xbe, 0xef}, make([]byte, 1000)...)
	m.Datagram(at, true, node, ourSide, ours, player, rtp, nil, "")
	m.Datagram(at.Add(time.Millisecond), false, player, ours, ourSide, node, []byte{0x81, 201, 0, 7, 0, 0, 0xab, 0xcd}, nil, "")
	m.Datagram(at.Add(time.Second), false, netip.MustParseAddrPort("198.51.100.7:1"), ours, netip.AddrPort{}, netip.AddrPort{}, []byte{0}, nil, "unknown-source")
	s.End("OP", "origin wms1 closed its connection")
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	text := one(t, files(t, dir))
	wantParts(t, text, magic, "session: abc-1", "user agent: VLC end: --", "node: wms1", "end: OP", "why: origin wms1",
		"client in 192.0.2.1:40000 192.0.2.9:554 message, 65 bytes\n| DESCRIBE rtsp://***@h/a RTSP/1.0\n", "| Session: masked-session-1\n| \n",
		"origin out 192.0.2.9:50000 192.0.2.11:554 message", "difference:\n- | DESCRIBE rtsp://***@h/a", "- | CSeq: 7", "+ | DESCRIBE rtsp://h/a", "+ | CSeq: 1",
		"origin in port 554: RTP payload type 96 seq 71 time 9 ssrc 0000beef, 1012 bytes",
		"client in port 40000: RTCP type 201 ssrc 0000abcd, 8 bytes",
		"client in 198.51.100.7:1 192.0.2.9:554 dropped, unknown-source: begins 00, 1 bytes")
	for _, secret := range []string{"s3cret", "joe:pw"} {
		if strings.Contains(text, secret) {
			t.Errorf("%q is in the file", secret)
		}
	}
}

func TestFlightOnlyBadEnds(t *testing.T) {
	for _, tc := range []struct {
		name, state string
		memory      int
		want        int
	}{
		{"first letter", "OP", maxMemory, 1},
		{"both letters", "cP", maxMemory, 1},
		{"other phase", "cA", maxMemory, 0},
		{"proper end", "-T", maxMemory, 0},
		{"went over to another session", "", maxMemory, 0},
		{"nothing is kept", "OP", 0, 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			dir := t.TempDir()
			b, s := flying(t, Flight{Memory: tc.memory, Dir: dir, Ends: []string{"O", "cP"}})
			s.End(tc.state, "why")
			_ = b.Close()
			if got := len(files(t, dir)); got != tc.want {
				t.Errorf("%d files, want %d", got, tc.want)
			}
		})
	}
}

func TestFlightMakesRoom(t *testing.T) {
	for _, tc := range []struct {
		name   string
		flight Flight
		want   int
	}{
		{"by number", Flight{Files: 3}, 3},
		{"by bytes", Flight{Files: 100, Bytes: 700}, 4},
		{"no bound", Flight{}, 6},
	} {
		t.Run(tc.name, func(t *testing.T) {
			dir := t.TempDir()
			if err := os.WriteFile(filepath.Join(dir, "0-not-ours"), make([]byte, 5000), 0o600); err != nil {
				t.Fatal(err)
			}
			tc.flight.Dir, tc.flight.Memory, tc.flight.Ends = dir, maxMemory, []string{"O"}
			b := newBook(t, Config{Flight: tc.flight})
			for i := range 6 {
				s := b.Begin(About{ID: string(rune('a' + i)), Client: player})
				s.began = time.Unix(int64(i), 0)
				s.End("OP", strings.Repeat("w", 100))
			}
			_ = b.Close()
			all := files(t, dir)
			size := int64(0)
			for name, text := range all {
				if strings.HasSuffix(name, flightSuffix) {
					size += int64(len(text))
				}
			}
			if len(all)-1 != tc.want || tc.flight.Bytes > 0 && size > tc.flight.Bytes {
				t.Errorf("%d files of %d bytes, want %d", len(all)-1, size, tc.want)
			}
			if all["0-not-ours"] == "" || all["19700101T000005.000Z-f.flight"] == "" {
				t.Errorf("the newest, or a stranger's file, is gone: %v", len(all))
			}
		})
	}
}

// TestFlightMemory holds what a session keeps to its bound, whatever comes.
func TestFlightMemory(t *testing.T) {
	_, s := flying(t, Flight{Memory: maxMemory})
	c := s.Connect(Client, ours, player)
	for range 1000 {
		c.Received(make([]byte, 5000))
		c.Received(make([]byte, 1<<20))
		if m := s.Media(); m != nil {
			m.Datagram(time.Now(), true, node, ours, ours, player, make([]byte, 2000), nil, "")
		}
	}
	size := 0
	for _, m := range s.messages.list {
		size += len(m.text) + messageCost
	}
	if flows := int(unsafe.Sizeof(Media{})) * maxMedia; flows > maxMemory/2 {
		t.Errorf("the flows of a session take %d bytes", flows)
	}
	if size != s.messages.used || size > maxMemory/2 || len(s.media) > maxMedia || size == 0 {
		t.Errorf("%d bytes of messages (counted %d) and %d flows", size, s.messages.used, len(s.media))
	}
}

// TestNothingIsKept: a nil Book has nil parts, and none of their methods does anything.
func TestNothingIsKept(t *testing.T) {
	var b *Book
	s := b.Begin(About{})
	s.Learn(Facts{URL: "x"})
	c := s.Connect(Client, ours, player)
	c.Received(nil)
	c.Sent(nil)
	c.Frame(time.Now(), nil, "")
	c.Move(s)
	s.Media().Datagram(time.Now(), true, node, ours, ours, player, nil, nil, "")
	s.End("OP", "")
	if err := b.Close(); err != nil || s != nil || c != nil {
		t.Error("something is there", err)
	}
}

// TestDatagramAllocates: a packet in the ring costs no allocation, nor does a dropped one.
func TestDatagramAllocates(t *testing.T) {
	_, s := flying(t, Flight{Memory: maxMemory})
	m, b, now := s.Media(), make([]byte, 1400), time.Now()
	if n := testing.AllocsPerRun(1000, func() {
		m.Datagram(now, true, node, ourSide, ours, player, b, nil, "")
		m.Datagram(now, true, node, ourSide, ours, player, b, nil, "not-rtp")
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkDatagram(b *testing.B) {
	book := New(Config{Flight: Flight{Memory: maxMemory}})
	defer book.Close()
	m, p, now := book.Begin(About{}).Media(), make([]byte, 1400), time.Now()
	for b.Loop() {
		m.Datagram(now, true, node, ourSide, ours, player, p, nil, "")
	}
}
