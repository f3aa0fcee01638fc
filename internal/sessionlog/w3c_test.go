package sessionlog

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// w3cLine is the record's line as a map from field to value.
func w3cLine(t *testing.T, r *Record) map[string]string {
	t.Helper()
	line, err := r.appendW3C(nil)
	if err != nil {
		t.Fatal(err)
	}
	text, ok := strings.CutSuffix(string(line), "\n")
	names, values := strings.Split(w3cFields, " "), strings.Split(text, " ")
	if !ok || len(values) != len(names) || len(names) != 52 || strings.ContainsAny(text, "\r\n\t") {
		t.Fatalf("%d names, %d values in %q", len(names), len(values), line)
	}
	m := make(map[string]string)
	for i, n := range names {
		if values[i] == "" {
			t.Errorf("%s is empty", n)
		}
		m[n] = values[i]
	}
	return m
}

// TestW3CLine: [MS-WMLOG] 2.2.2, with the values that 2.1 asks for.
func TestW3CLine(t *testing.T) {
	want := map[string]string{
		"c-ip": "198.51.100.7", "date": "2026-03-04", "time": "05:08:09", "c-dns": "-", "cs-uri-stem": "/a.wmv", "c-starttime": "0",
		"x-duration": "58", "c-rate": "1", "c-status": "200", "c-playerid": "{c579d042-cecc-11d1-bb31-00a0c9603954}",
		"c-playerversion": "12.0.7601.17514", "c-playerlanguage": "-", "cs(User-Agent)": "WMPlayer/12.0", "cs(Referer)": "-",
		"c-hostexe": "wmplayer.exe", "c-hostexever": "-", "c-os": "Windows_7", "c-osversion": "-", "c-cpu": "Pentium", "filelength": "-",
		"filesize": "-", "avgbandwidth": "182561", "protocol": "rtsp", "transport": "UDP", "audiocodec": "Windows_Media_Audio_9",
		"videocodec": "Windows_Media_Video_9", "channelURL": "-", "sc-bytes": "1398600", "c-bytes": "1390000", "s-pkts-sent": "999",
		"c-pkts-received": "995", "c-pkts-lost-client": "1", "c-pkts-lost-net": "4", "c-pkts-lost-cont-net": "2", "c-resendreqs": "5",
		"c-pkts-recovered-ECC": "-", "c-pkts-recovered-resent": "3", "c-buffercount": "1", "c-totalbuffertime": "3", "c-quality": "99",
		"s-ip": "203.0.113.1", "s-dns": "-", "s-totalclients": "-", "s-cpu-util": "-", "cs-user-name": "-", "s-session-id": "a41f-17",
		"s-content-path": "-", "cs-url": "rtsp://media.test/a.wmv?x=1&y=<2>", "cs-media-name": "-", "c-max-bandwidth": "-",
		"cs-media-role": "-", "s-proxied": "0",
	}
	if diff := cmp.Diff(want, w3cLine(t, full())); diff != "" {
		t.Error(diff)
	}
}

// TestW3CWithoutReport: what only the player knows is left out, what we know is not.
func TestW3CWithoutReport(t *testing.T) {
	r := full()
	r.ClientLog, r.Transport, r.PlayerID, r.UserAgent = nil, TransportInterleaved, "no GUID", "NSPlayer/9.0.0.2980; WMPlayer/9"
	got := w3cLine(t, r)
	for field, want := range map[string]string{
		"x-duration": "62", "c-playerid": "-", "c-playerversion": "9.0.0.2980", "cs(User-Agent)": "NSPlayer/9.0.0.2980;_WMPlayer/9",
		"transport": "TCP", "c-bytes": "-", "c-pkts-received": "-", "c-quality": "-", "c-rate": "1", "s-pkts-sent": "999",
	} {
		if got[field] != want {
			t.Errorf("%s: %q, want %q", field, got[field], want)
		}
	}
}

// TestW3CHostile: what a player sends makes neither another field nor another line.
func TestW3CHostile(t *testing.T) {
	r := full()
	r.URL = "mms://user:pa ss@h/a b\r\n#Fields: c-ip\u2028\u0085\x7f?x y"
	r.UserAgent, r.PlayerID = "a\nb\tc \xff", "{"+strings.Repeat("a", 35)+"\n}"
	got := w3cLine(t, r)
	for field, want := range map[string]string{
		"cs-uri-stem": "/a_b__#Fields:_c-ip___", "cs-url": "mms://h/a_b__#Fields:_c-ip___?x_y", "cs(User-Agent)": "a_b_c__", "c-playerid": "-",
	} {
		if got[field] != want {
			t.Errorf("%s: %q, want %q", field, got[field], want)
		}
	}
}

func TestW3CStatus(t *testing.T) {
	for who, want := range map[byte]int{
		WhoNobody: 200, WhoClient: 200, WhoKilled: 200, WhoClientTimeout: 408, WhoGateway: 403, WhoOrigin: 404,
		WhoOriginTimeout: 504, WhoInternal: 500, WhoNode: 503, WhoResource: 503,
	} {
		r := &Record{URL: "/a", End: EndState{Who: who, Phase: PhaseSetup}}
		if got := r.w3cStatus(); got != want {
			t.Errorf("%c: %d, want %d", who, got, want)
		}
		r.ToClient.Packets = 1
		if got := r.w3cStatus(); got != 200 {
			t.Errorf("%c with media: %d", who, got)
		}
	}
}

// TestW3CFile: directives at the begin of each file, and no line of a connection that asked for nothing or of a session
// that goes on.
func TestW3CFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "wms.log")
	w, err := OpenW3C(path, "mediagate 1.2\n3", nil)
	if err != nil {
		t.Fatal(err)
	}
	w.Write(full())
	w.Write(&Record{})
	interim := full()
	interim.Interim = true
	w.Write(interim)
	waitLines(t, path, 8)
	if err := os.Rename(path, path+".1"); err != nil {
		t.Fatal(err)
	}
	if err := w.Reopen(); err != nil {
		t.Fatal(err)
	}
	w.Write(full())
	if err := w.Close(); err != nil || w.Dropped() != 0 {
		t.Fatal(err, w.Dropped())
	}
	for _, name := range []string{path + ".1", path} {
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		lines := strings.Split(strings.TrimSuffix(string(data), "\n"), "\n")
		if len(lines) != 8 || lines[0] != "#Software: mediagate_1.2_3" || lines[1] != "#Version: 1.0" || lines[6] != "#Fields: "+w3cFields ||
			!strings.HasPrefix(lines[7], "198.51.100.7 2026-03-04 05:08:09 ") {
			t.Errorf("%s:\n%s", name, data)
		}
	}
}

func waitLines(t *testing.T, path string, n int) {
	t.Helper()
	deadline := time.Now().Add(10 * time.Second)
	for {
		data, err := os.ReadFile(path)
		if err == nil && strings.Count(string(data), "\n") >= n {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s: %q, %v", path, data, err)
		}
		time.Sleep(time.Millisecond)
	}
}
