package main

import (
	"context"
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"mediagate/internal/player"
)

func TestChoosePorts(t *testing.T) {
	refuse := func(err error, ports ...uint16) func(netip.AddrPort) error {
		return func(at netip.AddrPort) error {
			for _, p := range ports {
				if at.Port() == p && at.Addr() == demoOrigins[1] { // the last that is tried
					return err
				}
			}
			return nil
		}
	}
	usual := demoPorts{rtsp: 554, mms: 1755, http: 80, media: 5004, rtspTCP: 8555, mmsTCP: 11756, closed: 8556}
	with := func(change func(*demoPorts)) demoPorts {
		p := usual
		change(&p)
		return p
	}
	tests := []struct {
		name  string
		bind  func(netip.AddrPort) error
		want  demoPorts
		told  string
		fails string
	}{
		{"all free", refuse(nil), usual, "", ""},
		{"554 needs root", refuse(syscall.EACCES, 554), with(func(p *demoPorts) { p.rtsp = 8554 }), "RTSP port 554 is not to be had (permission denied): using 8554\n", ""},
		{"8554 is busy too", refuse(syscall.EADDRINUSE, 554, 8554), with(func(p *demoPorts) { p.rtsp = 9554 }), "using 9554\n", ""},
		{"1755 is busy", refuse(syscall.EADDRINUSE, 1755), with(func(p *demoPorts) { p.mms = 11755 }), "MMS port 1755", ""},
		{"80 needs root", refuse(syscall.EACCES, 80), with(func(p *demoPorts) { p.http = 8080 }), "HTTP port 80", ""},
		{"media is busy", refuse(syscall.EADDRINUSE, 5004), with(func(p *demoPorts) { p.media = 15004 }), "media port 5004", ""},
		{"a closed port is busy", refuse(syscall.EADDRINUSE, 8556), with(func(p *demoPorts) { p.closed = 9556 }), "", ""},
		{"no such address", refuse(syscall.EADDRNOTAVAIL, 554), demoPorts{}, "", "ifconfig lo0 alias"},
		{"none free", refuse(syscall.EADDRINUSE, rtspTries...), demoPorts{}, "", "no free RTSP port"},
		{"none free for MMS", refuse(syscall.EADDRINUSE, mmsTries...), demoPorts{}, "", "no free MMS port"},
		{"none free for a ladder", refuse(syscall.EADDRINUSE, rtspTCPTries...), demoPorts{}, "", "no free second RTSP port"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var out strings.Builder
			got, err := choosePorts(&out, tt.bind, tt.bind, tt.bind)
			if tt.fails != "" {
				if err == nil || !strings.Contains(err.Error(), tt.fails) {
					t.Fatalf("got %v, want an error with %q", err, tt.fails)
				}
				return
			}
			if err != nil || got != tt.want || !strings.Contains(out.String(), tt.told) || (tt.told == "") != (out.Len() == 0) {
				t.Errorf("got %v, %v, told %q; want %v, told %q", got, err, out.String(), tt.want, tt.told)
			}
		})
	}
}

func TestCompare(t *testing.T) {
	report := func(packets, lost uint64, end bool) *player.Report {
		return &player.Report{Packets: packets, Lost: lost, EndOfStream: end}
	}
	record := func(transport, node string, packets uint64) *demoRecord {
		r := &demoRecord{Protocol: "rtsp", Transport: transport, Node: node}
		r.ToClient.Packets = packets
		return r
	}
	tests := []struct {
		name   string
		report *player.Report
		record *demoRecord
		want   string // part of the fault; empty: none
	}{
		{"all well", report(100, 0, true), record("udp", "wms1", 104), ""},
		{"nothing came", report(0, 0, true), record("udp", "wms1", 0), "no media"},
		{"lost", report(100, 2, true), record("udp", "wms1", 102), "2 packets lost"},
		{"cut off", report(100, 0, false), record("udp", "wms1", 100), "end of the stream"},
		{"another transport", report(100, 0, true), record("interleaved", "wms1", 100), "transport"},
		{"record has too few", report(100, 0, true), record("udp", "wms1", 99), "99 packets, the player 100"},
		{"record has too many", report(100, 0, true), record("udp", "wms1", 200), "200 packets, the player 100"},
		{"no node", report(100, 0, true), record("udp", "", 100), "no node"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := compare(demoRows[0], tt.report, tt.record)
			if (tt.want == "") != (got == "") || !strings.Contains(got, tt.want) {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func TestCompareLadder(t *testing.T) {
	ladder := func(took ...time.Duration) *player.Report {
		r := &player.Report{}
		for _, d := range took {
			r.Ladder = append(r.Ladder, player.LadderStep{Scheme: "rtspu", Took: d})
		}
		return r
	}
	record := func(viewer string, steps int) *demoRecord {
		r := &demoRecord{Viewer: viewer}
		r.Ladder = append(r.Ladder, make([]struct {
			Session string `json:"session"`
		}, steps)...)
		return r
	}
	tests := []struct {
		name    string
		report  *player.Report
		record  *demoRecord
		refused []demoRecord
		want    string
	}{
		{"all well", ladder(1, 1, time.Minute), record("v1", 1), []demoRecord{{Viewer: "v1"}}, ""},
		{"another step", ladder(1, 1), record("v1", 1), []demoRecord{{Viewer: "v1"}}, "step 2 of the ladder played, not 3"},
		{"waited", ladder(1, time.Minute, 1), record("v1", 0), nil, "took 1m0s"},
		{"a step without a file", ladder(1, 1, 1), record("v1", 0), []demoRecord{{Viewer: "v1"}}, ""},
		{"two viewers", ladder(1, 1, 1), record("v1", 1), []demoRecord{{Viewer: "v2"}}, "two viewers"},
		{"a step is missing", ladder(1, 1, 1), record("v1", 0), []demoRecord{{Viewer: "v1", URL: "rtsp://h/sample.wmv"}}, "has 0 steps"},
	}
	for _, tt := range tests {
		got := compareLadder(demoRow{blocked: 2}, tt.report, tt.record, tt.refused)
		if (tt.want == "") != (got == "") || !strings.Contains(got, tt.want) {
			t.Errorf("%s: got %q, want %q", tt.name, got, tt.want)
		}
	}
	if got := compareLadder(demoRow{}, ladder(), record("", 0), nil); got != "" {
		t.Errorf("no ladder: got %q", got)
	}
}

var higherPorts = demoPorts{rtsp: 8554, mms: 11755, http: 8080, media: 15004, rtspTCP: 8555, mmsTCP: 11756, closed: 8556}

func TestDemoURL(t *testing.T) {
	for scheme, want := range map[string]string{
		"rtspu": "rtspu://127.0.0.1:8554/sample.wmv", "mmst": "mmst://127.0.0.1:11755/sample.wmv", "mms": "mms://127.0.0.1/sample.wmv",
		"http": "http://127.0.0.1:8080/sample.wmv", "rtsph": "rtsph://127.0.0.1:8080/sample.wmv",
	} {
		if got := demoURL(scheme, higherPorts); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

// TestLadderPorts holds that each ladder has one more step refused than the one before it.
func TestLadderPorts(t *testing.T) {
	want := []player.Ports{
		{RTSP: 8554, MMS: 11755, HTTP: 8080}, {RTSP: 8555, MMS: 11755, HTTP: 8080}, {RTSP: 8556, MMS: 11755, HTTP: 8080},
		{RTSP: 8556, MMS: 11756, HTTP: 8080}, {RTSP: 8556, MMS: 8556, HTTP: 8080},
	}
	for blocked, w := range want {
		if got := ladderPorts(blocked, higherPorts); got != w {
			t.Errorf("%d blocked: got %v, want %v", blocked, got, w)
		}
	}
}

func TestPrintURLs(t *testing.T) {
	var out strings.Builder
	printURLs(&out, higherPorts)
	for _, want := range []string{
		"ffplay -rtsp_transport udp rtsp://127.0.0.1:8554/", "ffplay -rtsp_transport tcp rtsp://127.0.0.1:8554/",
		"ffplay -rtsp_transport http rtsp://127.0.0.1:8080/", "vlc mmsu://127.0.0.1:11755/", "ffplay mmst://127.0.0.1:11755/",
		"ffplay mmsh://127.0.0.1:8080/", "vlc http://127.0.0.1:8080/", "mediagate play rtsph://127.0.0.1:8080/",
		"mediagate play --rollover --rtsp-port 8555 --mms-port 11755 --http-port 8080 mms://127.0.0.1/sample.wmv\n",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in\n%s", want, out.String())
		}
	}
}

func TestSpread(t *testing.T) {
	on := func(nodes ...string) (results []rowResult) {
		for _, n := range nodes {
			results = append(results, rowResult{record: &demoRecord{Node: n}})
		}
		return results
	}
	failed := on("wms1", "wms1")
	failed[0].fault = "it failed"
	tests := []struct {
		name    string
		results []rowResult
		fault   bool
	}{
		{"both", on("wms1", "wms2"), false},
		{"one", on("wms1", "wms1"), true},
		{"one row", on("wms1"), false},
		{"a row failed", failed, false},
		{"none", nil, false},
	}
	for _, tt := range tests {
		if got := spread(tt.results); (got != "") != tt.fault {
			t.Errorf("%s: got %q", tt.name, got)
		}
	}
}

func TestReadRecords(t *testing.T) {
	path := filepath.Join(t.TempDir(), "sessions.jsonl")
	if got, err := readRecords(path); err != nil || len(got) != 0 {
		t.Errorf("no file: got %v, %v", got, err)
	}
	const lines = `{"v":1,"client":"127.0.0.1:9","node":"wms1","to_client":{"packets":7},"interim":true}` + "\n" +
		`{"v":1,"client":"127.0.0.1:7","node":"wms2","to_client":{"packets":8}}` + "\n" +
		`{"v":1,"client":"127.0.0.1:8","node":"wms1","to_client":{"packets":0},"why":"refused"}` + "\n" +
		`{"v":1,"client":"127.0.0.1:9","node":"wms1","to_client":{"packets":9},"end":"CT","why":"left"}` + "\n" +
		`{"v":1,"transp`
	if err := os.WriteFile(path, []byte(lines), 0o600); err != nil {
		t.Fatal(err)
	}
	got, err := readRecords(path)
	if err != nil || len(got) != 3 || got[2].ToClient.Packets != 9 {
		t.Errorf("got %v, %v; want the whole records that are not interim", got, err)
	}
	local := []netip.AddrPort{netip.MustParseAddrPort("127.0.0.1:8"), netip.MustParseAddrPort("127.0.0.1:9")}
	played, before, err := awaitRecord(t.Context(), path, local)
	if err != nil || played.ToClient.Packets != 9 || len(before) != 1 || before[0].Client != local[0] {
		t.Errorf("got %v after %v, error %v", played, before, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, _, err := awaitRecord(ctx, path, local[:1]); err == nil {
		t.Error("a record that is not there was found")
	}
}

func TestPrintTable(t *testing.T) {
	var out strings.Builder
	printTable(&out, []rowResult{
		{row: demoRows[0], report: &player.Report{Packets: 100, Bytes: 5000}, record: &demoRecord{Transport: "udp", Node: "wms1"}},
		{row: demoRows[1], fault: errors.New("no way").Error()},
		{
			row: demoRows[7], record: &demoRecord{Transport: "udp", Node: "wms2"},
			report: &player.Report{Packets: 90, Bytes: 70, Ladder: []player.LadderStep{
				{Scheme: "rtspu", Took: 1234567}, {Scheme: "rtspt", Took: 80e3}, {Scheme: "mmsu"},
			}},
		},
	})
	const want = "" +
		"ROW               TRANSPORT  NODE  PACKETS  LOST  BYTES  FIRST PACKET  RESULT\n" +
		"rtspu             udp        wms1  100      0     5000   0s            ok\n" +
		"rtspt             -          -     0        0     0      0s            FAILED: no way\n" +
		"rollover to mmsu  udp        wms2  90       0     70     0s            ok, left rtspu 1.2ms, rtspt 100µs\n"
	if out.String() != want {
		t.Errorf("got\n%s\nwant\n%s", out.String(), want)
	}
}

// TestDemoConfig holds that the demonstration's configuration is one that a file could have.
func TestDemoConfig(t *testing.T) {
	if err := demoConfig(higherPorts, "sessions.jsonl").Validate(); err != nil {
		t.Error(err)
	}
}
