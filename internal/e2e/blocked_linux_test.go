package e2e

import (
	"net/netip"
	"testing"
	"time"

	"mediagate/internal/lab"
)

// TestNetnsBlockedUDP: behind a firewall that drops UDP both players come to
// TCP by themselves, each in its way (players.md): FFmpeg sends PAUSE and then
// a SETUP without a Session on the same connection, so that it has two
// sessions; GStreamer opens a connection that begins with SETUP.
func TestNetnsBlockedUDP(t *testing.T) {
	top := lab.NewTopology(t)
	lab.Need(t, "ffmpeg", "gst-launch-1.0", "/usr/bin/python3", "nft")
	top.Client.BlockUDP()
	origin := lab.StartGstOrigin(t, lab.GstOptions{Addr: top.OriginAddr, Port: 554, Host: top.Origin})
	gw := lab.StartGateway(t, lab.Settings{
		Listen: netip.AddrPortFrom(top.GatewayClient, 554), Nodes: []lab.Node{node("origin", origin.Addr)},
	}, top.Gateway)
	for _, kind := range []lab.PlayerKind{lab.FFmpeg("any"), lab.GStreamer("udp+tcp")} {
		t.Run(kind.Name, func(t *testing.T) {
			start := time.Now()
			p := lab.Play(t, kind, gw.URL(origin.Path()), top.Client)
			p.WaitFrames(20, 20, playLimit)
			p.End()
			r := lab.WaitRecord(t, gw.Records, recordLimit, func(r lab.Record) bool {
				return since(start)(r) && r.Transport == "interleaved"
			})
			judge(t, r, wanted{transport: "interleaved", mode: "play", node: "origin", end: "-T"})
		})
	}
}
