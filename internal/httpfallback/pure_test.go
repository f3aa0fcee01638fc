package httpfallback

import (
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"mediagate/balancer"
	"mediagate/internal/sessionlog"
)

func TestTap(t *testing.T) {
	pair := func(length, reason, payload int) string {
		b := append([]byte{0x24, 'P', byte(length), byte(length >> 8), byte(reason), byte(reason >> 8), 0, 0}, make([]byte, payload)...)
		return string(b)
	}
	type result struct {
		Packets, Bytes   uint64
		End, Tested, Raw bool
	}
	for _, tc := range []struct {
		name, stream string
		want         result
	}{
		{"nothing", "", result{}},
		{"play to the end", stream(3, reason('E', 0)), result{Packets: 3, Bytes: 3000, End: true}},
		{"next entry of a playlist", stream(1, reason('E', 1), reason('C', 0), packet('H', 10), packet('D', 5)), result{Packets: 2, Bytes: 1005}},
		{"describe", string(packet('M', 30)) + string(packet('H', 65535)), result{}},
		{"packet pair", string(packet('M', 3)) + pair(504, 300, 204) + pair(504, 300, 504) + pair(1048, 300, 1348) + stream(1), result{Packets: 1, Bytes: 1000}},
		{"packet pair with a long head", pair(504, 504, 0) + pair(504, 504, 504) + pair(1048, 504, 1552) + stream(1), result{Packets: 1, Bytes: 1000}},
		{"pipeline test", "$T\x00\x00", result{Tested: true}},
		{"empty data", "$D\x00\x00$D\x00\x00", result{Packets: 2}},
		{"broken off in a packet", stream(1) + "$D\xff\xffxyz", result{Packets: 1, Bytes: 1000}},
		{"broken off in a header", stream(1) + "$E\x04\x00\x00", result{Packets: 1, Bytes: 1000}},
		{"short end", "$E\x00\x00\x00\x00\x00\x00", result{End: true}},
		{"a file", "0&\xb2u and more", result{Bytes: 13, Raw: true}},
		{"a file that begins with the mark", "$$$$", result{Bytes: 4, Raw: true}},
		{"frames and then none", stream(1) + "<html>", result{Packets: 1, Bytes: 1006, Raw: true}},
		{"unknown packet", stream(1) + "$Zabc", result{Packets: 1, Bytes: 1005, Raw: true}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			for _, piece := range []int{1, 2, 3, 7, 512, 1 << 20} {
				var tp tap
				for s := tc.stream; s != ""; {
					n := min(piece, len(s))
					tp.feed([]byte(s[:n]), time.Unix(1, 0))
					s = s[n:]
				}
				got := result{tp.packets, tp.bytes, tp.end, tp.tested, tp.raw}
				if diff := cmp.Diff(tc.want, got); diff != "" {
					t.Errorf("in pieces of %d: %s", piece, diff)
				}
				if begun := tc.want.Packets > 0 || tc.want.Bytes > 0; begun == tp.first.IsZero() {
					t.Errorf("in pieces of %d: first %v", piece, tp.first)
				}
			}
		})
	}
}

func FuzzTap(f *testing.F) {
	f.Add([]byte(stream(2, reason('E', 0))), uint8(3))
	f.Add([]byte("$P\xf8\x01\xff\xff\xff\xff"), uint8(1))
	f.Add([]byte("$$"), uint8(1))
	f.Fuzz(func(t *testing.T, b []byte, piece uint8) {
		var whole, parts tap
		whole.feed(b, time.Unix(1, 0))
		for rest := b; len(rest) > 0; {
			n := min(int(piece)+1, len(rest))
			parts.feed(rest[:n], time.Unix(1, 0))
			rest = rest[n:]
		}
		if whole != parts {
			t.Fatalf("whole %+v, in pieces of %d %+v", whole, piece, parts)
		}
		if whole.bytes > uint64(len(b)) || whole.left < 0 {
			t.Fatalf("%d bytes of %d, %d left", whole.bytes, len(b), whole.left)
		}
	})
}

func TestReadPragma(t *testing.T) {
	for _, tc := range []struct {
		name  string
		lines []string
		want  pragma
	}{
		{"none", nil, pragma{}},
		{"a browser", []string{"no-cache"}, pragma{}},
		{"one line", []string{"no-cache,rate=1.0, client-id=0077,xClientGUID={a}"}, pragma{clientID: "77", guid: "{a}", known: true}},
		{"any case", []string{"CLIENT-ID=1", "xclientguid={A}"}, pragma{clientID: "1", guid: "{A}", known: true}},
		{"malformed", []string{"client-id=x, client-id=4294967296, timeout=-1, =, ,,", "xClientGUID="}, pragma{known: true}},
		{"a guid without end", []string{"xClientGUID=" + strings.Repeat("a", 65)}, pragma{known: true}},
		{"log", []string{"log-line=a,client-id=5 b", "client-id=6"}, pragma{logLine: "a,client-id=5 b", clientID: "6", known: true}},
		{"ffmpeg", []string{"no-cache,rate=1.000000,stream-time=0Connection: Close"}, pragma{known: true}},
		{"answer", []string{`no-cache, client-id=7, features="seekable", timeout=60000`}, pragma{clientID: "7", timeout: 60000, known: true}},
		{"modes", []string{"pipeline-request=1", "xKeepAliveInPause=1", `proxy-client-agent="x"`}, pragma{pipeline: true, keepAlive: true, agent: true, known: true}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got := readPragma(http.Header{"Pragma": tc.lines}); got != tc.want {
				t.Errorf("got %+v, want %+v", got, tc.want)
			}
		})
	}
}

func TestReplaceToken(t *testing.T) {
	for _, tc := range []struct {
		name, token, with string
		lines, want       []string
	}{
		{"other bytes stay", "client-id", "", []string{"no-cache,  rate=1,client-id=5, x", "y=1"}, []string{"no-cache,  rate=1, x", "y=1"}},
		{"alone in its field", "client-id", "", []string{"client-id=5", "y=1"}, []string{"y=1"}},
		{"alone at all", "client-id", "", []string{"client-id=5"}, nil},
		{"first", "client-id", "", []string{"client-id=5, y"}, []string{"y"}},
		{"put", "pipeline-result", "pipeline-result=0", []string{"a, pipeline-result=1, b"}, []string{"a, pipeline-result=0, b"}},
		{"a log is left alone", "client-id", "", []string{"log-line=a,client-id=5"}, []string{"log-line=a,client-id=5"}},
		{"nothing there", "client-id", "", []string{"a,b"}, []string{"a,b"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			h := http.Header{"Pragma": tc.lines}
			replaceToken(h, tc.token, tc.with)
			if diff := cmp.Diff(tc.want, h["Pragma"]); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestAffinity(t *testing.T) {
	pool, other := &balancer.Pool{}, &balancer.Pool{}
	one, two := netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("192.0.2.2")
	now := time.Unix(1000, 0)
	a := newAffinity(time.Minute)
	add := func(addr netip.Addr, guid, node string) *player {
		p := a.add(pool, addr, pragma{guid: guid}, true, now)
		p.node = node
		return p
	}
	ffmpeg1, ffmpeg2 := add(one, "{C}", "a"), add(two, "{C}", "b")
	wmp := add(two, "{W}", "c")
	a.issued(ffmpeg1, "7", one)
	a.issued(wmp, "7", two) // two nodes gave the same number
	a.issued(wmp, "8", two)
	for _, tc := range []struct {
		name string
		pool *balancer.Pool
		addr netip.Addr
		p    pragma
		want *player
	}{
		{"guid and address", pool, one, pragma{guid: "{C}"}, ffmpeg1},
		{"same guid, another address", pool, two, pragma{guid: "{C}"}, ffmpeg2},
		{"client-id before guid", pool, two, pragma{clientID: "8", guid: "{C}"}, wmp},
		{"same client-id of two nodes", pool, one, pragma{clientID: "7"}, ffmpeg1},
		{"same client-id of two nodes, there", pool, two, pragma{clientID: "7"}, wmp},
		{"client-id from a new address", pool, netip.MustParseAddr("192.0.2.3"), pragma{clientID: "8"}, wmp},
		{"ambiguous client-id from a new address", pool, netip.MustParseAddr("192.0.2.3"), pragma{clientID: "7"}, nil},
		{"client-id that nobody gave: by guid", pool, one, pragma{clientID: "99", guid: "{C}"}, ffmpeg1},
		{"client-id that nobody gave: by address", pool, two, pragma{clientID: "99", guid: "{X}"}, wmp},
		{"address", pool, two, pragma{}, wmp},
		{"a new guid is a new player", pool, two, pragma{guid: "{X}"}, nil},
		{"another pool", other, one, pragma{guid: "{C}"}, nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got := a.find(tc.pool, keysOf(tc.addr, tc.p, true), now); got != tc.want {
				t.Errorf("got %+v, want %+v", got, tc.want)
			}
		})
	}
	wmp.busy = 1
	later := now.Add(61 * time.Second)
	if a.find(pool, keysOf(one, pragma{guid: "{C}"}, true), later) != nil || a.find(pool, keysOf(two, pragma{}, true), later) != wmp {
		t.Error("the silent are not forgotten, or one with a stream is")
	}
	wmp.busy = 0
	if a.expire(later.Add(61 * time.Second)); len(a.players) != 0 || a.order.Len() != 0 {
		t.Errorf("left over: %v", a.players)
	}
}

// TestAffinityBounds: neither players nor the names of one grow without end.
func TestAffinityBounds(t *testing.T) {
	a := newAffinity(time.Hour)
	a.most = 10
	now := time.Unix(1000, 0)
	for i := range 1000 {
		addr := netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)})
		p := a.add(nil, addr, pragma{guid: "{C}"}, true, now)
		for id := range 50 {
			a.issued(p, string(rune('0'+id)), addr)
		}
	}
	if a.order.Len() != 10 || len(a.players) > 10*maxKeys+50 {
		t.Errorf("%d players, %d keys", a.order.Len(), len(a.players))
	}
}

// TestAffinityKeepsWhatPlayersSay: players on Linux never use the client-ids that they are given, one with every answer.
// Observed: after the sixth, FFmpeg, MPlayer and libmms were no longer known by their GUID.
func TestAffinityKeepsWhatPlayersSay(t *testing.T) {
	a, now := newAffinity(time.Hour), time.Unix(1000, 0)
	pool, addr := &balancer.Pool{}, netip.MustParseAddr("192.0.2.1")
	p, keep := pragma{guid: "{C}"}, pragma{clientID: "1", guid: "{C}"}
	pl := a.add(pool, addr, p, true, now)
	a.issued(pl, "1", addr)
	for i := range 100 {
		a.issued(pl, strconv.Itoa(2+i), addr)
		for _, said := range []pragma{p, keep, {}} {
			if got := a.find(pool, keysOf(addr, said, true), now); got != pl {
				t.Fatalf("after %d answers %+v is not known", i+1, said)
			}
		}
		a.name(pl, addr, p, true)
	}
	if len(pl.keys) != maxKeys || len(a.players) != maxKeys {
		t.Errorf("%d names, of %d in the table", len(pl.keys), len(a.players))
	}
}

func TestReport(t *testing.T) {
	const line = "0.0.0.0 2006-05-01 21:34:01 - http://server.example.com/content.wmv 4 31 1 200 {3300AD50-2C39-46c0-AE0A-3E0B6EFB86DC} 10.0.0.3802 en-US " +
		"Mozilla/4.0_(WMFSDK/10.0.0.3802) http://bar.example iexplore.exe 6.0.2900.2180 Windows_XP 5.1.0.2600 Pentium 130 638066 - http TCP " +
		"Windows_Media_Audio_9 - - - 5000 - 40 1 2 3 4 5 6 1 2 100 - - - - http://server.example.com/content.wmv?x - -"
	want := &sessionlog.ClientLog{
		URL: "http://server.example.com/content.wmv?x", UserAgent: "Mozilla/4.0_(WMFSDK/10.0.0.3802)", PlayerVersion: "10.0.0.3802", OS: "Windows_XP",
		CPU: "Pentium", HostExe: "iexplore.exe", Transport: "TCP", BytesReceived: 5000, PacketsReceived: 40, PacketsLost: 1, PacketsLostNet: 2,
		PacketsLostCont: 3, ResendRequests: 4, PacketsRecovered: 6, BufferingCount: 1, BufferingMS: 2000, StartMS: 4000, PlayedMS: 31000, Rate: 1,
		MinQuality: 100, AudioCodec: "Windows_Media_Audio_9", VideoCodec: "-",
	}
	var elements strings.Builder
	for i, v := range strings.Fields(line) {
		if i < len(legacyFields) {
			elements.WriteString("<" + legacyFields[i] + ">" + v + "</" + legacyFields[i] + ">")
		}
	}
	const xmlType = "application/x-wms-LogStats;charset=UTF-8"
	for _, tc := range []struct {
		name, method, contentType, body, pragma string
		want                                    *sessionlog.ClientLog
	}{
		{"xml", "POST", xmlType, "<XML>\r\n<Summary>" + line + "</Summary>" + elements.String() + "</XML>", "", want},
		{"summary alone", "POST", xmlType, "<XML><Summary>" + line + "</Summary></XML>", "", want},
		{"log-line", "POST", "text/plain", "", line, want},
		{"broken off", "POST", xmlType, "<XML><c-bytes>9</c-bytes><c-os>Win", "", &sessionlog.ClientLog{BytesReceived: 9, OS: "Win"}},
		{"nonsense", "POST", xmlType, "<<<&&&", "", &sessionlog.ClientLog{}},
		{"out of range", "POST", xmlType, "<XML><c-pkts-received>4294967296</c-pkts-received><x-duration>4294967295</x-duration><c-rate>x</c-rate></XML>", "",
			&sessionlog.ClientLog{PacketsReceived: 1<<32 - 1, PlayedMS: 1<<32 - 1}},
		{"no log", "POST", "application/x-wms-sendevent", "<XML/>", "", nil},
		{"not posted", "GET", xmlType, "<XML/>", "", nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			ex := &exchange{body: []byte(tc.body), in: &http.Request{Method: tc.method, Header: http.Header{"Content-Type": {tc.contentType}}}}
			if tc.pragma != "" {
				ex.in.Header["Pragma"] = []string{"client-id=1", "log-line=" + tc.pragma}
			}
			ex.pragma = readPragma(ex.in.Header)
			var got *sessionlog.ClientLog
			if r := readReport(ex); r != nil {
				got = r.clientLog()
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestHostOnly(t *testing.T) {
	for host, want := range map[string]string{"": "", "h": "h", "h:80": "h", "[2001:db8::1]": "2001:db8::1", "[2001:db8::1]:80": "2001:db8::1", "2001:db8::1": "2001:db8::1"} {
		if got := hostOnly(host); got != want {
			t.Errorf("%q: got %q", host, got)
		}
	}
}
