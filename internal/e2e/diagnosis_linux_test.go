package e2e

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"mediagate/internal/lab"
)

// way is a gateway with what the network does to its media.
type way struct {
	name     string
	settings lab.Settings
	want     diagnosis
	gw       *lab.Gateway
	dir      string
	p        *lab.Player
}

// TestNetnsDiagnosis: what fails on the way. Gateways on one host, of which
// the network treats each one's client media in another way.
func TestNetnsDiagnosis(t *testing.T) {
	n := lab.NewNetwork(t)
	lab.Need(t, "gst-launch-1.0", "/usr/bin/python3", "nft")
	origin := lab.StartGstOrigin(t, lab.GstOptions{Addr: n.OriginAddrs[0], Port: 554, Host: n.Origins[0]})
	n.Client.LoseUDP(5004, 20)
	n.Client.BlockUDPFrom(6004)
	n.Client.BlockUDPFrom(6005)
	n.Router.MapTo(8556, 7004, 7011)
	n.Client.RejectUDPFrom(9004)
	n.Client.RejectUDPFrom(9005)
	ways := []way{
		{name: "loss on one leg", settings: lab.Settings{ClientPorts: "5004-5005", OriginPorts: "20000-20009"},
			want: diagnosis{"-T", "lost-behind-gateway", "were lost between the gateway and the player", "reported-loss", "lost"}},
		{name: "UDP blocked", settings: lab.Settings{ClientPorts: "6004-6005", OriginPorts: "20010-20019"},
			want: diagnosis{"-T", "player-never-heard", "nothing came from it that says it got one", "no-report", "UDP is blocked between here and the client"}},
		{name: "client NAT", settings: lab.Settings{ClientPorts: "7004-7011", OriginPorts: "20020-20029", Latch: `"off"`},
			want: diagnosis{"-T", "nat-mapped", "a NAT on the way", "nat-client", "NAT"}},
	}
	if lab.Engine() != "plain" { // which does not hear ICMP
		ways = append(ways, way{name: "UDP rejected", settings: lab.Settings{ClientPorts: "9004-9005", OriginPorts: "20030-20039"},
			want: diagnosis{"-T", "icmp", "(ICMP port unreachable)", "no-report", "UDP is blocked between here and the client"}})
	}
	for i := range ways {
		w := &ways[i]
		w.dir = t.TempDir()
		w.settings.Listen = netip.AddrPortFrom(n.GatewayClient, uint16(8554+i))
		w.settings.Nodes, w.settings.Captures = []lab.Node{node("origin", origin.Addr)}, w.dir
		w.gw = lab.StartGateway(t, w.settings, n.Gateway)
		w.p = lab.Play(t, lab.Patient(lab.GStreamer("udp"), 6*time.Second), w.gw.URL(origin.Path()), n.Client)
	}
	// Those that get nothing give up. One that does reports each five seconds what
	// it lost, whether it can show a picture of the rest or not.
	for _, w := range ways[1:] {
		w.p.WaitExit(playLimit)
	}
	lab.Eventually(playLimit, func() bool { return reportedLoss(t, ways[0].dir) >= 20 })
	ways[0].p.End()
	for _, w := range ways {
		t.Run(w.name, func(t *testing.T) { diagnose(t, w.gw, w.dir, w.want) })
	}
}

// reportedLoss is how many packets the client of the only session has said that it lost, as decode reads it.
func reportedLoss(t *testing.T, dir string) (most int) {
	t.Helper()
	for _, f := range findings(t, dir, "") {
		n := 0
		if _, rest, ok := strings.Cut(f.Text, "the client reports "); ok {
			_, _ = fmt.Sscan(rest, &n)
		}
		most = max(most, n)
	}
	return most
}
