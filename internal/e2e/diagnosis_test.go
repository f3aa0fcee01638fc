package e2e

import (
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"mediagate/internal/decode"
	"mediagate/internal/lab"
)

// diagnosis is what must be said of a session that failed: by its record, and
// by decode of a capture of it.
type diagnosis struct {
	end   string // of the record
	cause string // one of its causes
	why   string // a part of its sentence
	code  string // of decode's findings
	text  string // a part of that finding
}

// told runs a gateway that captures each session.
func told(t *testing.T, s lab.Settings, nodes ...lab.Node) (*lab.Gateway, string) {
	t.Helper()
	s.Captures = t.TempDir()
	return program(t, s, nodes...), s.Captures
}

// diagnose judges the record of the first session that a player had, and its capture. GStreamer may begin another when
// nothing comes over UDP.
func diagnose(t *testing.T, gw *lab.Gateway, captures string, want diagnosis) {
	t.Helper()
	r := lab.WaitRecord(t, gw.Records, recordLimit, played)
	if r.End != want.end || !slices.Contains(r.Causes, want.cause) || !strings.Contains(r.Why, want.why) {
		t.Errorf("record: %s %v %q; want %s, %s, %q; %+v", r.End, r.Causes, r.Why, want.end, want.cause, want.why, r)
	}
	var found []decode.Finding
	if !lab.Eventually(recordLimit, func() bool {
		found = findings(t, captures, r.ID)
		return slices.ContainsFunc(found, func(f decode.Finding) bool {
			return f.Code == want.code && strings.Contains(f.Text, want.text)
		})
	}) {
		t.Errorf("decode finds %+v, want %s with %q", found, want.code, want.text)
	}
}

// played picks the records of players' first steps, not those of clients of the test.
func played(r lab.Record) bool {
	return r.Requests > 0 && len(r.Ladder) == 0 && (strings.HasPrefix(r.UserAgent, "Lavf") || strings.HasPrefix(r.UserAgent, "GStreamer"))
}

// findings are decode's of the capture of a session, or of the only one, none while it is not there.
func findings(t *testing.T, dir, id string) []decode.Finding {
	t.Helper()
	files, _ := filepath.Glob(filepath.Join(dir, "*"+id+"*.pcapng")) // the pattern is sound
	if len(files) != 1 {
		return nil
	}
	f, err := os.Open(files[0])
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	rep, err := decode.Read(f, decode.Limits{})
	if err != nil {
		return nil // not written to its end yet
	}
	return rep.Findings
}

// strangers sends what looks like media from an address that no session has to
// ports of a gateway's side of the origins, on loopback.
func strangers(t *testing.T, from, to uint16) {
	t.Helper()
	stray := append([]byte{0x80, 96, 0, 1}, make([]byte, 24)...) // RFC 3550, section 5.1
	conn, err := net.ListenUDP("udp4", net.UDPAddrFromAddrPort(netip.AddrPortFrom(lab.Loopback(t), 0)))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	for port := from; port <= to; port++ {
		for range 5 {
			if _, err := conn.WriteToUDPAddrPort(stray, netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), port)); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// TestDiagnosis: what fails on loopback; the rest of the ten is in TestNetnsDiagnosis.
func TestDiagnosis(t *testing.T) {
	lab.Need(t, "ffmpeg", "gst-launch-1.0")
	sample := lab.StartSampleOrigin(t, lab.Loopback(t), "")
	locked := lab.StartSampleOrigin(t, lab.Loopback(t), "digest")
	t.Run("all", func(t *testing.T) { // the origins outlive the parallel ones
		t.Run("origin silent after PLAY", func(t *testing.T) {
			t.Parallel()
			mute := lab.StartScriptOrigin(t, lab.Loopback(t), lab.Script{At: "none", Mute: true})
			gw, dir := told(t, lab.Settings{}, node("mute", mute.Addr))
			lab.Play(t, lab.Patient(lab.GStreamer("udp"), 8*time.Second), gw.URL("a"), nil).WaitExit(playLimit)
			diagnose(t, gw, dir, diagnosis{"oT", "origin-silent", "origin mute sent nothing for ", "no-media", "not one packet"})
		})
		t.Run("origin dead", func(t *testing.T) {
			t.Parallel()
			origin := lab.StartScriptOrigin(t, lab.Loopback(t), lab.Script{At: "PLAY", After: true, Ending: lab.EndClose})
			gw, dir := told(t, lab.Settings{}, node("doomed", origin.Addr))
			lab.Play(t, lab.FFmpeg("tcp"), gw.URL("a"), nil).WaitExit(playLimit)
			diagnose(t, gw, dir, diagnosis{"OP", "origin-closed", "origin doomed closed its connection", "told", "OP: origin doomed closed its connection"})
		})
		t.Run("wrong password", func(t *testing.T) {
			t.Parallel()
			gw, dir := told(t, lab.Settings{}, node("locked", locked.Addr))
			url := strings.Replace(lab.WithCredentials(gw.URL(locked.Path())), lab.Password, "wrong", 1)
			lab.Play(t, lab.FFmpeg("tcp"), url, nil).WaitExit(playLimit)
			diagnose(t, gw, dir, diagnosis{"OD", "wrong-password", "does not take the player's user name and password", "credentials", "wrong"})
		})
		t.Run("404", func(t *testing.T) {
			t.Parallel()
			gw, dir := told(t, lab.Settings{}, node("sample", sample.Addr))
			lab.Play(t, lab.GStreamer("tcp"), gw.URL("nowhere"), nil).WaitExit(playLimit)
			diagnose(t, gw, dir, diagnosis{"OD", "not-found", "origin sample answered DESCRIBE with 404", "refused", "404"})
		})
		t.Run("no node", func(t *testing.T) {
			t.Parallel()
			gw, dir := told(t, lab.Settings{}, node("gone", lab.FreePort(t, lab.Loopback(t))))
			lab.Play(t, lab.FFmpeg("tcp"), gw.URL("a"), nil).WaitExit(playLimit)
			diagnose(t, gw, dir, diagnosis{"ND", "no-node", "gone", "refused", "503"})
		})
		t.Run("port range exhausted", func(t *testing.T) {
			t.Parallel()
			gw, dir := told(t, lab.Settings{OriginPorts: "24000-24001"}, node("sample", sample.Addr))
			first := lab.Dial(t, gw.Addr) // has the only pair
			if r := first.Do("SETUP", gw.URL(sample.Path())+"/trackID=0", "Transport: RTP/AVP;unicast;client_port=30000-30001"); r.Status != 200 {
				t.Fatalf("SETUP: %d", r.Status)
			}
			lab.Play(t, lab.FFmpeg("udp"), gw.URL(sample.Path()), nil).WaitExit(playLimit)
			diagnose(t, gw, dir, diagnosis{"RS", "ports-exhausted", "after a refusal", "refused", "461"})
		})
		t.Run("stranger", func(t *testing.T) {
			t.Parallel()
			gw, dir := told(t, lab.Settings{OriginPorts: "24010-24017"}, node("sample", sample.Addr))
			p := lab.Play(t, lab.FFmpeg("udp"), gw.URL(sample.Path()), nil)
			p.WaitFrames(10, 10, playLimit)
			strangers(t, 24010, 24017)
			p.WaitMore(25, playLimit) // by then its flows have judged them
			p.End()
			diagnose(t, gw, dir, diagnosis{"-T", "stranger", "from strangers were refused", "unnegotiated-address", "the media was to come from"})
		})
	})
}
