package sessionlog

import (
	"bytes"
	"encoding/json"
	"flag"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

var update = flag.Bool("update", false, "write the golden files anew; a person reads the difference")

var start = time.Date(2026, 3, 4, 6, 7, 8, 9_870_000, time.FixedZone("CET", 3600))

// full is a record with every field set.
func full() *Record {
	return &Record{
		V: Version, ID: "a41f-17", Viewer: "7c0e", VirtualServer: "RTSP Control", Protocol: "rtsp", Transport: TransportUDP, Mode: ModePlay,
		Client: netip.MustParseAddrPort("198.51.100.7:49152"), Local: netip.MustParseAddrPort("203.0.113.1:554"),
		Node: "wms1", NodeAddress: netip.MustParseAddrPort("[2001:db8::11]:554"),
		SeenAs: netip.MustParseAddrPort("[2001:db8:1::7]:49152"), MediaSeenAs: netip.MustParseAddrPort("[2001:db8:1::7]:50000"),
		URL: "rtsp://media.test/a.wmv?x=1&y=<2>", UserAgent: "WMPlayer/12.0",
		PlayerID: "c579d042-cecc-11d1-bb31-00a0c9603954",
		Start:    Stamp{start}, Duration: Seconds(61500 * time.Millisecond),
		Setup:      SecondsAfter(start, start.Add(205*time.Millisecond)),
		FirstMedia: SecondsAfter(start, start.Add(212*time.Millisecond)), Requests: 9,
		FromOrigin: Traffic{1000, 1_400_000}, ToClient: Traffic{999, 1_398_600},
		FromClient: Traffic{12, 960}, ToOrigin: Traffic{11, 880},
		ControlClient: Control{2100, 5200}, ControlOrigin: Control{5100, 2300},
		Lost: 3, Late: 2, Duplicate: 1, Jitter: Millis(1234567 * time.Nanosecond), RTCPLost: 4, ResendRequests: 5, Resent: 3,
		Drops: map[string]uint64{"unknown-source": 2, "not-rtp": 1}, SkippedBytes: 6,
		ClientLog: &ClientLog{
			URL: "mms://media.test/a.wmv", UserAgent: "Mozilla/4.0", PlayerVersion: "12.0.7601.17514", OS: "Windows_7", CPU: "Pentium",
			HostExe: "wmplayer.exe", Transport: "UDP", BytesReceived: 1_390_000, PacketsReceived: 995, PacketsLost: 1, PacketsLostNet: 4,
			PacketsLostCont: 2, ResendRequests: 5, PacketsRecovered: 3, PacketsResent: 3, BufferingCount: 1, BufferingMS: 2200,
			StartMS: 100, PlayedMS: 58000, Rate: 1, MinQuality: 99, AudioCodec: "Windows Media Audio 9", VideoCodec: "Windows Media Video 9",
		},
		NodesTried: []string{"wms2", "wms1"},
		Ladder: []Step{{
			Session: "a41f-15", Protocol: "rtsp", Transport: TransportUDP, End: EndState{WhoClient, PhaseSetup},
			Why: "the client closed its connection", Start: Stamp{start.Add(-10 * time.Second)},
		}},
		End: EndState{WhoClient, PhasePlay}, Why: "the client closed its connection",
		Causes: []Kind{PlayerClosed, Stranger},
	}
}

func TestGolden(t *testing.T) {
	hostile := &Record{
		Start: Stamp{start}, URL: "rtsp://user:pa@ss@h/\n{\"v\":2}\xff\u2028", UserAgent: strings.Repeat("\u00e4", maxText),
		End: EndState{'?', 200}, Why: "line\r\nend",
	}
	for _, tc := range []struct {
		name string
		r    *Record
	}{
		{"full", full()},
		{"empty", &Record{}},
		{"hostile", hostile},
		{"interim", &Record{Start: Stamp{start}, Interim: true, End: EndState{Phase: PhaseRecord}, Mode: ModeRecord}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, err := tc.r.Append(nil)
			if err != nil {
				t.Fatal(err)
			}
			if n := bytes.Count(got, []byte{'\n'}); n != 1 || !bytes.HasSuffix(got, []byte{'\n'}) {
				t.Errorf("%d line ends in %q", n, got)
			}
			path := filepath.Join("testdata", tc.name+".golden")
			if *update {
				if err := os.WriteFile(path, got, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), string(got)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestRecordReadsBack(t *testing.T) {
	line, err := full().Append(nil)
	if err != nil {
		t.Fatal(err)
	}
	var got Record
	if err := json.Unmarshal(line, &got); err != nil {
		t.Fatal(err)
	}
	want := full()
	want.Start = Stamp{time.Date(2026, 3, 4, 5, 7, 8, 9_000_000, time.UTC)}
	want.Ladder[0].Start = Stamp{time.Date(2026, 3, 4, 5, 6, 58, 9_000_000, time.UTC)}
	want.Jitter = Millis(1235 * time.Microsecond)
	if diff := cmp.Diff(want, &got, cmpopts.EquateComparable(netip.AddrPort{})); diff != "" {
		t.Error(diff)
	}
}

func TestSpanFaults(t *testing.T) {
	var r Record
	for _, s := range []string{`{"duration":"1s"}`, `{"jitter_ms":true}`} {
		if err := json.Unmarshal([]byte(s), &r); err == nil {
			t.Errorf("%s was read", s)
		}
	}
	if err := json.Unmarshal([]byte(`{"duration":null,"first_media":null}`), &r); err != nil || r.FirstMedia != nil {
		t.Errorf("null: %v %v", r.FirstMedia, err)
	}
}

func TestSecondsAfter(t *testing.T) {
	if s := SecondsAfter(start, time.Time{}); s != nil {
		t.Errorf("%v for what did not happen", *s)
	}
}

func TestAppendKeepsTheRecord(t *testing.T) {
	r := full()
	r.URL = "rtsp://u:p@h/"
	b, err := r.Append([]byte("before\n"))
	if err != nil || !bytes.HasPrefix(b, []byte("before\n{")) {
		t.Errorf("%q, %v", b, err)
	}
	if r.URL != "rtsp://u:p@h/" {
		t.Errorf("the session's record was changed: %s", r.URL)
	}
}

func TestWithoutUser(t *testing.T) {
	for _, tc := range []struct{ name, url, want string }{
		{"none", "rtsp://h/a", "rtsp://h/a"},
		{"user", "rtsp://u@h/a", "rtsp://h/a"},
		{"user and password", "rtspu://u:p@h:554/a", "rtspu://h:554/a"},
		{"password with @", "rtsp://u:p@q@h", "rtsp://h"},
		{"@ in the path", "rtsp://h/a@b", "rtsp://h/a@b"},
		{"@ in the query", "rtsp://h?a@b", "rtsp://h?a@b"},
		{"relative", "/a@b", "/a@b"},
		{"star", "*", "*"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got := withoutUser(tc.url); got != tc.want {
				t.Errorf("got %s, want %s", got, tc.want)
			}
		})
	}
}

func TestCut(t *testing.T) {
	for _, s := range []string{"", strings.Repeat("x", maxText), strings.Repeat("x", maxText+1),
		strings.Repeat("\u20ac", maxText), strings.Repeat("\x80", maxText*2)} {
		got := cut(s)
		if len(got) > maxText || len(s) > maxText && len(got) < maxText-6 {
			t.Errorf("%d bytes cut to %d", len(s), len(got))
		}
		if utf8.ValidString(s) && !utf8.ValidString(got) {
			t.Errorf("cut within a letter: %q", got[len(got)-8:])
		}
	}
}
