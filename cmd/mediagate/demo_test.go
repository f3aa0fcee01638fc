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
	tests := []struct {
		name  string
		bind  func(netip.AddrPort) error
		want  demoPorts
		told  string
		fails string
	}{
		{"all free", refuse(nil), demoPorts{554, 1755, 5004}, "", ""},
		{"554 needs root", refuse(syscall.EACCES, 554), demoPorts{8554, 1755, 5004}, "RTSP port 554 is not to be had (permission denied): using 8554\n", ""},
		{"8554 is busy too", refuse(syscall.EADDRINUSE, 554, 8554), demoPorts{9554, 1755, 5004}, "using 9554\n", ""},
		{"1755 is busy", refuse(syscall.EADDRINUSE, 1755), demoPorts{554, 11755, 5004}, "MMS port 1755", ""},
		{"media is busy", refuse(syscall.EADDRINUSE, 5004), demoPorts{554, 1755, 15004}, "media port 5004", ""},
		{"no such address", refuse(syscall.EADDRNOTAVAIL, 554), demoPorts{}, "", "ifconfig lo0 alias"},
		{"none free", refuse(syscall.EADDRINUSE, rtspTries...), demoPorts{}, "", "no free RTSP port"},
		{"none free for MMS", refuse(syscall.EADDRINUSE, mmsTries...), demoPorts{}, "", "no free MMS port"},
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
		r := &demoRecord{Transport: transport, Node: node}
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
			got := compare(demoRow{"rtspu", "udp"}, tt.report, tt.record)
			if (tt.want == "") != (got == "") || !strings.Contains(got, tt.want) {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func TestDemoURL(t *testing.T) {
	for scheme, want := range map[string]string{
		"rtspu": "rtspu://127.0.0.1:8554/sample.wmv", "mms": "mms://127.0.0.1:11755/sample.wmv",
	} {
		if got := demoURL(scheme, demoPorts{8554, 11755, 15004}); got != want {
			t.Errorf("got %q, want %q", got, want)
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
	const lines = `{"v":1,"transport":"udp","node":"wms1","to_client":{"packets":7},"interim":true}` + "\n" +
		`{"v":1,"transport":"udp","node":"wms1","to_client":{"packets":9},"end":"CT","why":"left"}` + "\n" +
		`{"v":1,"transp`
	if err := os.WriteFile(path, []byte(lines), 0o600); err != nil {
		t.Fatal(err)
	}
	got, err := readRecords(path)
	if err != nil || len(got) != 1 || got[0].ToClient.Packets != 9 {
		t.Errorf("got %v, %v; want the one whole record that is not interim", got, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := awaitRecord(ctx, path, 1); err == nil {
		t.Error("a record that is not there was found")
	}
}

func TestPrintTable(t *testing.T) {
	var out strings.Builder
	printTable(&out, []rowResult{
		{row: demoRows[0], report: &player.Report{Packets: 100, Bytes: 5000}, record: &demoRecord{Transport: "udp", Node: "wms1"}},
		{row: demoRows[1], fault: errors.New("no way").Error()},
	})
	const want = "" +
		"ROW    TRANSPORT  NODE  PACKETS  LOST  BYTES  FIRST PACKET  RESULT\n" +
		"rtspu  udp        wms1  100      0     5000   0s            ok\n" +
		"rtspt  -          -     0        0     0      0s            FAILED: no way\n"
	if out.String() != want {
		t.Errorf("got\n%s\nwant\n%s", out.String(), want)
	}
}

// TestDemoConfig holds that the demonstration's configuration is one that a file could have.
func TestDemoConfig(t *testing.T) {
	if err := demoConfig(demoPorts{8554, 11755, 15004}, "sessions.jsonl").Validate(); err != nil {
		t.Error(err)
	}
}
