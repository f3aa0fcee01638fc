package e2e

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"mediagate/internal/lab"
)

// xdpAdmin is where a gateway of these tests tells its metrics, in its own namespace.
const xdpAdmin = "admin: {listen: \"127.0.0.1:9554\"}\n"

// taken is how many packets a gateway has taken from interfaces.
func taken(host *lab.Host) (n uint64) {
	page := host.Run("curl", "--silent", "http://127.0.0.1:9554/metrics")
	if _, rest, ok := strings.Cut(page, "\nmediagate_relay_xdp_packets_total "); ok {
		_, _ = fmt.Sscan(rest, &n)
	}
	return n
}

// waitTaken is taken once it is so many: a loop counts its packets when each is its flow's already.
func waitTaken(host *lab.Host, least uint64) (n uint64) {
	lab.Eventually(recordLimit, func() bool { n = taken(host); return n >= least })
	return n
}

// TestXDP: players and an origin that others wrote, on three hosts, and the gateway takes the origin's media at its interface. All of
// it comes that way, none is lost, and what the origin's host sends uninvited still goes nowhere.
func TestXDP(t *testing.T) {
	top := lab.NewTopology(t)
	lab.Need(t, "ffmpeg", "gst-launch-1.0", "/usr/bin/python3", "curl")
	origin := lab.StartGstOrigin(t, lab.GstOptions{Addr: top.OriginAddr, Port: 554, Host: top.Origin})
	listen := netip.AddrPortFrom(top.GatewayClient, 554)
	gw := lab.StartConfigured(t, fmt.Sprintf("log: {level: info, format: console}\n"+xdpAdmin+
		"virtual_servers: [{name: RTSP, protocol: rtsp, listen: [%q], pool: origins}]\n"+
		"pools: [{name: origins, nodes: [{name: origin, address: %s}]}]\n"+
		"relay: {xdp: [%s], origin_media: {ports: 20000-20099}}\n", listen, top.OriginAddr, lab.OriginLink), listen, top.Gateway)
	if !strings.Contains(gw.Output(), "xdp "+lab.OriginLink) {
		t.Fatalf("the gateway does not say that it takes media at %s:\n%s", lab.OriginLink, gw.Output())
	}
	start := time.Now()
	players := []*lab.Player{
		lab.Play(t, lab.FFmpeg("udp"), lab.URL(listen, origin.Path()), top.Client),
		lab.Play(t, lab.GStreamer("udp"), lab.URL(listen, origin.Path()), top.Client),
	}
	for _, p := range players {
		p.WaitFrames(40, 40, playLimit)
	}
	top.Origin.SendUDP(ports(top.GatewayInner, 20000, 20007)...) // from the node's address, and no port of a session's
	for _, p := range players {
		p.WaitMore(25, playLimit) // by then its flows have judged the strays
	}
	for _, p := range players {
		p.End()
	}
	var came, refused uint64
	for _, agent := range []string{"Lavf", "GStreamer"} {
		r := lab.WaitRecord(t, gw.Records, recordLimit, func(r lab.Record) bool {
			return since(start)(r) && strings.HasPrefix(r.UserAgent, agent)
		})
		if r.End != "-T" || r.Lost != 0 || r.Transport != "udp" || r.FromOrigin.Packets < 100 || r.Drops["wrong-port"] == 0 {
			t.Errorf("record: %+v", r)
		}
		came += r.FromOrigin.Packets
		refused += r.Drops["wrong-port"]
	}
	if n := waitTaken(top.Gateway, came+refused); n < came+refused {
		t.Errorf("%d packets of sessions and %d that were refused, %d taken at the interface", came, refused, n)
	}
	passesNothing(t, top)
}

// TestXDPTransparent: what origins send to the client's own address is taken at the interface too.
func TestXDPTransparent(t *testing.T) {
	lab.Need(t, "ffmpeg", "gst-launch-1.0", "nft", "curl")
	s := newTransparentStage(t, lab.SampleASF(t), []string{"sample.wmv"}, xdpAdmin+"relay: {xdp: ["+lab.OriginLink+"]}\n")
	for _, at := range []netip.Addr{s.GatewayClient, s.GatewayClient6} {
		before, start := taken(s.Gateway), time.Now()
		s.playRTSP(t, lab.FFmpeg("udp"), at)
		r := lab.WaitRecord(t, s.gw.Records, recordLimit, since(start))
		if n := waitTaken(s.Gateway, before+r.FromOrigin.Packets) - before; r.FromOrigin.Packets == 0 || n < r.FromOrigin.Packets {
			t.Errorf("by %v: %d packets of the session, %d taken at the interface", at, r.FromOrigin.Packets, n)
		}
	}
	s.CheckForwardsNothing(t)
}
