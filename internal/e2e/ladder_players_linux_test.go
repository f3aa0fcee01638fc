package e2e

import (
	"net/netip"
	"testing"
	"time"

	"mediagate/internal/lab"
)

// TestLadderMMSToHTTP: VLC and MPlayer with an mms:// URL play over HTTP where
// MMS is refused: by a reset on the client's own link, of which the gateway
// hears nothing, and by the gateway, whose node has no MMS. The second leaves a
// ladder: one viewer, and why the step above was left. No step is waited for.
func TestLadderMMSToHTTP(t *testing.T) {
	top := lab.NewTopology(t)
	sample := lab.SampleASF(t)
	files := []string{"1.wmv", "2.wmv", "3.wmv", "4.wmv"} // one for each play: sessions of HTTP are told apart by them
	gw := ladderStage(t, top, "--dir", mediaFolder(t, sample, files...))
	var plays []ladderPlay
	for _, c := range []struct {
		name  string
		where *lab.Host
		chain string
		steps bool
	}{
		{"1755 refused on the way", top.Client, "out", false},
		{"no MMS at the node", top.Origin, "in", true},
	} {
		for _, host := range []*lab.Host{top.Client, top.Origin} {
			host.Run("nft", "flush table inet ladder")
		}
		c.where.Run("nft", "add rule inet ladder "+c.chain+" tcp dport 1755 reject with tcp reset")
		for _, kind := range []lab.MMSKind{lab.VLC("mms"), lab.MPlayerMMS("mms")} {
			began := time.Now().Truncate(time.Millisecond)
			playsWhole(t, lab.PlayMMS(t, kind, mmsURL(top.GatewayClient, files[len(plays)]), top.Client), sample)
			plays = append(plays, ladderPlay{c.name + "/" + kind.Name, began, time.Now(), c.steps})
		}
	}
	for _, p := range plays { // a record over HTTP comes 15 s after its session
		t.Run(p.name, func(t *testing.T) { p.judge(t, gw) })
	}
}

// ladderPlay is a play over HTTP, and whether the gateway knows of steps above.
type ladderPlay struct {
	name         string
	began, ended time.Time
	steps        bool
}

func (p ladderPlay) judge(t *testing.T, gw *lab.Gateway) {
	t.Helper()
	mine := func(r lab.Record) bool { return !r.Start.Before(p.began) && r.Start.Before(p.ended) }
	r := lab.WaitRecord(t, gw.Records, 2*recordLimit, func(r lab.Record) bool {
		return mine(r) && r.Protocol == "http" && r.FirstMedia != nil
	})
	first := r.Start.Sub(p.began) + time.Duration(*r.FirstMedia*float64(time.Second))
	t.Logf("from the start of the program to the first packet: %v", first)
	within(t, "the way to HTTP", first, atOnce)
	if r.Node != "wms" || r.Viewer == "" || (len(r.Ladder) > 0) != p.steps {
		t.Errorf("record: %+v", r)
	}
	for _, step := range r.Ladder {
		if step.Protocol != "mms" || step.End != "ND" || step.Why == "" {
			t.Errorf("step: %+v", step)
		}
	}
	for _, other := range lab.Records(t, gw.Records) {
		if mine(other) && other.Viewer != r.Viewer {
			t.Errorf("another viewer: %+v", other)
		}
	}
}

// TestLadderUDPRefused: where the policy refuses UDP (461), FFmpeg and GStreamer
// go to TCP at once. (Where it is dropped, TestNetnsBlockedUDP has what they do.)
func TestLadderUDPRefused(t *testing.T) {
	top := lab.NewTopology(t)
	lab.Need(t, "ffmpeg", "gst-launch-1.0", "/usr/bin/python3", "nft")
	origin := lab.StartGstOrigin(t, lab.GstOptions{Addr: top.OriginAddr, Port: 554, Host: top.Origin})
	refuses := lab.StartGateway(t, lab.Settings{
		Listen: netip.AddrPortFrom(top.GatewayClient, 554), Nodes: []lab.Node{node("origin", origin.Addr)}, NoUDP: true,
	}, top.Gateway)
	for _, c := range []struct {
		name string
		kind lab.PlayerKind
	}{{"ffmpeg", lab.FFmpeg("any")}, {"gstreamer", lab.GStreamer("udp+tcp")}} {
		t.Run(c.name, func(t *testing.T) {
			start := time.Now()
			p := lab.Play(t, lab.Patient(c.kind, 20*time.Second), refuses.URL(origin.Path()), top.Client)
			p.WaitFrames(20, 20, playLimit)
			p.End()
			var first *lab.Record
			r := lab.WaitRecord(t, refuses.Records, recordLimit, func(r lab.Record) bool {
				if first == nil && since(start)(r) {
					first = &r
				}
				return since(start)(r) && r.Transport == "interleaved"
			})
			judge(t, r, wanted{transport: "interleaved", mode: "play", node: "origin", end: "-T"})
			took := r.Start.Sub(first.Start) + time.Duration(*r.FirstMedia*float64(time.Second))
			t.Logf("from the first message to the first packet: %v", took)
			within(t, "the way from UDP to TCP", took, atOnce)
		})
	}
}
