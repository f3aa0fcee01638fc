package e2e

import (
	"net/netip"
	"slices"
	"testing"
	"time"

	"mediagate/internal/lab"
	"mediagate/internal/origin"
)

// TestMMSPaths: a name with a space and a query, which each player writes in
// its own way (VLC "a%20b.wmv", FFmpeg "a%20b.wmv?x=1", the others "a b.wmv?x=1"),
// leads to the file, whether the node is chosen at Connect or by the path.
func TestMMSPaths(t *testing.T) {
	sample := lab.SampleASF(t)
	from := mmsOrigin(t, lab.Loopback(t), origin.Config{Speed: 4}, sample, "a b.wmv")
	for _, policy := range []string{"least-sessions", "hash-url"} {
		gw := mmsProgram(t, lab.Settings{Policy: policy}, from)
		var plays []*lab.MMSPlay
		for _, kind := range []lab.MMSKind{lab.VLC("mmst"), lab.FFmpegMMS(), lab.LibMMS("mmst")} {
			plays = append(plays, lab.PlayMMS(t, kind, mmsURL(gw.Addr.Addr(), "a%20b.wmv?x=1"), nil))
		}
		for _, p := range plays {
			playsWhole(t, p, sample)
		}
	}
}

// TestMMSRedirect: no player here follows a redirect, so the gateway does it
// for them, inside the pool.
func TestMMSRedirect(t *testing.T) {
	sample, kinds := lab.SampleASF(t), []lab.MMSKind{lab.VLC("mmsu"), lab.VLC("mmst"), lab.FFmpegMMS(), lab.LibMMS("mmst")}
	two := mmsOrigin(t, lab.Loopback(t), origin.Config{}, sample, filesOf(kinds)...)
	to := map[string]string{}
	for _, name := range filesOf(kinds) {
		to["/"+name] = mmsURL(two.Addr.Addr(), name)
	}
	one := mmsOrigin(t, lab.Loopback(t), origin.Config{Redirect: to}, nil)
	one.Name, two.Name = "one", "two"
	gw := mmsProgram(t, lab.Settings{Policy: "round-robin"}, one, two)
	for range 2 { // from either node
		plays := startAll(t, kinds, gw.Addr.Addr(), nil)
		for _, p := range plays {
			playsWhole(t, p, sample)
		}
	}
	followed := 0
	all := func() bool { return len(lab.Records(t, gw.Records)) >= 2*len(kinds) }
	if !lab.Eventually(recordLimit, all) {
		t.Errorf("%d records", len(lab.Records(t, gw.Records)))
	}
	for _, r := range lab.Records(t, gw.Records) {
		if r.Node != "two" {
			t.Errorf("record: %+v", r)
		}
		if slices.Contains(r.NodesTried, "one") {
			followed++
		}
	}
	if followed < 2 {
		t.Errorf("%d sessions were redirected", followed)
	}
}

// TestMMSNodesDown: a node where nothing listens and one that says nothing are
// skipped before the player has seen anything.
func TestMMSNodesDown(t *testing.T) {
	sample := lab.SampleASF(t)
	good := mmsOrigin(t, lab.Loopback(t), origin.Config{Speed: 4}, nil)
	silent := lab.StartScriptOrigin(t, lab.Loopback(t), lab.Script{At: "", Ending: lab.EndSilence})
	reset := lab.StartScriptOrigin(t, lab.Loopback(t), lab.Script{At: "", Ending: lab.EndReset})
	for _, bad := range []lab.Node{
		node("closed", netip.AddrPortFrom(lab.Loopback(t), mmsPort)), node("silent", silent.Addr), node("reset", reset.Addr),
	} {
		t.Run(bad.Name, func(t *testing.T) {
			gw := mmsProgram(t, lab.Settings{Policy: "round-robin", Monitor: "{interval: 0s}",
				Timeouts: map[string]string{"response": "5s"}}, bad, good)
			for range 2 { // one of them comes to the bad node first
				playsWhole(t, lab.PlayMMS(t, lab.VLC("mmst"), mmsURL(gw.Addr.Addr(), "sample.wmv"), nil), sample)
			}
			r := lab.WaitRecord(t, gw.Records, recordLimit, func(r lab.Record) bool { return slices.Contains(r.NodesTried, bad.Name) })
			if r.Node != "wms" || r.End != "-T" {
				t.Errorf("record: %+v", r)
			}
		})
	}
}

// TestMMSMissing: a file that is not there and a gateway without an origin end
// each player that looks at answers, and leave a record that says who refused.
func TestMMSMissing(t *testing.T) {
	empty := mmsProgram(t, lab.Settings{Timeouts: unhurried()}, node("gone", netip.AddrPortFrom(lab.Loopback(t), mmsPort)))
	full := mmsProgram(t, lab.Settings{Timeouts: unhurried()}, mmsOrigin(t, lab.Loopback(t), origin.Config{}, nil))
	for _, gw := range []*lab.Gateway{empty, full} {
		for _, kind := range []lab.MMSKind{lab.VLC("mmsu"), lab.VLC("mmst"), lab.FFmpegMMS(), lab.LibMMS("mmst")} {
			start := time.Now()
			p := lab.PlayMMS(t, kind, mmsURL(gw.Addr.Addr(), fileOf(kind)), nil)
			p.WaitExit(playLimit)
			within(t, kind.Name, time.Since(start), atOnce)
			r := lab.WaitRecord(t, gw.Records, recordLimit, func(r lab.Record) bool { return r.Start.After(start) })
			if r.Why == "" || r.FirstMedia != nil || r.End[0] == '-' {
				t.Errorf("%s: record: %+v", kind.Name, r)
			}
		}
	}
}
