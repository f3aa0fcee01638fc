package e2e

import (
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"mediagate/internal/lab"
)

// mmsStage is three hosts with the program as origin and as gateway.
type mmsStage struct {
	*lab.Topology
	gw *lab.Gateway
}

// mmsHosts builds the stage; the origin serves media under each name.
func mmsHosts(t *testing.T, media []byte, names ...string) mmsStage {
	t.Helper()
	top := lab.NewTopology(t)
	lab.Need(t, "tshark", "nft", "/usr/bin/python3")
	from := lab.StartEmbeddedOrigin(t, top.OriginAddr, top.Origin, "--speed", "1", "--dir", mediaFolder(t, media, names...))
	gw := lab.StartGateway(t, lab.Settings{
		Protocol: "mms", Listen: netip.AddrPortFrom(top.GatewayClient, mmsPort),
		Nodes:       []lab.Node{node("wms", netip.AddrPortFrom(from.Addr, mmsPort))},
		ClientPorts: "5004-5005", OriginPorts: "20000-20099",
	}, top.Gateway)
	return mmsStage{top, gw}
}

// TestNetnsMMS: three hosts, MMS over UDP and TCP at once. Media leave from
// gateway:5004 alone, the origin sees nobody but the gateway, and strays are
// dropped.
func TestNetnsMMS(t *testing.T) {
	sample, kinds := lab.SampleASF(t), []lab.MMSKind{lab.VLC("mmsu"), lab.VLC("mmst"), lab.LibMMS("mmst")}
	top := mmsHosts(t, sample, filesOf(kinds)...)
	outer := lab.StartCapture(t, top.Client, lab.HostLink, "udp")
	inner := lab.StartCapture(t, top.Origin, lab.HostLink, "udp")
	control := lab.StartDissection(t, top.Origin, lab.HostLink, "tcp")
	plays := startAll(t, kinds, top.GatewayClient, top.Client)
	if !lab.Eventually(playLimit, func() bool { return len(plays[0].Written()) > 10<<10 }) {
		t.Fatalf("%s does not play\n%s", plays[0].Kind.Name, plays[0].Output())
	}
	expectMMSSockets(t, top)
	// Not from the client to its own 5004: there a datagram from its address may
	// teach another port, for the sake of those behind NAT.
	top.Client.SendUDP(ports(top.GatewayInner, 20000, 20007)...)
	for _, addr := range []netip.Addr{top.GatewayClient, top.GatewayInner} {
		top.Origin.SendUDP(netip.AddrPortFrom(addr, 5004), netip.AddrPortFrom(addr, mmsPort))
	}
	for _, p := range plays {
		playsWhole(t, p, sample)
		r := lab.WaitRecord(t, top.gw.Records, recordLimit, asked(fileOf(p.Kind)))
		if r.Client.Addr() != top.ClientAddr || r.Transport != p.Kind.Transport || !strings.HasPrefix(r.End, "-") {
			t.Errorf("record: %+v", r)
		}
		if p.Kind.Transport == "udp" && len(r.Drops) == 0 {
			t.Errorf("no stray was counted: %+v", r)
		}
	}
	toClient := toward(top.ClientAddr)
	lab.Eventually(playLimit, func() bool { // tshark is late
		came := 0
		for _, p := range outer.Packets() {
			came += toClient(p)
		}
		return came >= mmsMedia
	})
	judgeMMSLink(t, top, outer.End(), inner.End())
	control.End()
	for _, f := range control.Frames() {
		if far := f.From.Addr(); far != top.GatewayInner && far != top.OriginAddr {
			t.Errorf("the origin sees %v", far)
		}
	}
	passesNothing(t, top.Topology)
}

// mmsMedia is most of the sample in bytes: trains are one datagram here, and long ones when somebody was held up.
const mmsMedia = 150 * 1400

// toward gives the bytes of a datagram to an address, 0 of others.
func toward(addr netip.Addr) func(lab.Packet) int {
	return func(p lab.Packet) int {
		if p.To.Addr() == addr {
			return p.Length
		}
		return 0
	}
}

// judgeMMSLink looks at every datagram on both links.
func judgeMMSLink(t *testing.T, top mmsStage, outer, inner []lab.Packet) {
	t.Helper()
	media := netip.AddrPortFrom(top.GatewayClient, 5004)
	came, toClient := 0, toward(top.ClientAddr)
	for _, p := range outer {
		switch {
		case p.To.Addr() == top.ClientAddr && p.Payload == lab.Stray:
			t.Errorf("a stray datagram reached the client from %v", p.From)
		case p.To.Addr() == top.ClientAddr && p.From != media:
			t.Errorf("a datagram came from %v", p.From)
		}
		came += toClient(p)
	}
	if came < mmsMedia {
		t.Errorf("%d bytes came to the client, want %d", came, mmsMedia)
	}
	for _, p := range inner {
		if p.From.Addr() == top.OriginAddr && p.To.Addr() == top.GatewayInner && p.Payload != lab.Stray && p.From.Port() != 5004 {
			t.Errorf("the origin's media left from %v", p.From)
		}
		if p.To.Addr() == top.OriginAddr && (p.From.Addr() != top.GatewayInner || p.Payload == lab.Stray) {
			t.Errorf("a datagram from %v reached the origin", p.From)
		}
	}
}

// expectMMSSockets: while one player has UDP, the gateway has its control port,
// the media ports, the port of resend requests, and one leg to the origin.
func expectMMSSockets(t *testing.T, top mmsStage) {
	t.Helper()
	legs := 0
	for _, s := range top.Gateway.Sockets() {
		switch {
		case s.Local.Addr() == top.GatewayInner && s.Network == "udp" && s.Local.Port() >= 20000 && s.Local.Port() <= 20099:
			legs++
		case s.Local == netip.AddrPortFrom(top.GatewayClient, mmsPort):
		case s.Local.Addr() == top.GatewayClient && s.Network == "udp" && (s.Local.Port() == 5004 || s.Local.Port() == 5005):
		case s.Network == "udp" && s.Local.Addr().IsLoopback(): // what steering leads to
		default:
			t.Errorf("open and not expected: %v", s)
		}
	}
	if legs != 1 {
		t.Errorf("%d legs towards the origin, want 1: %v", legs, top.Gateway.Sockets())
	}
}

// TestNetnsMMSLoss: a link that loses 2 % of the media. The built-in player asks
// for what is missing at gateway:1755, the gateway asks the origin, and the file
// is whole in the end.
func TestNetnsMMSLoss(t *testing.T) {
	const name = "long.wmv"
	long := lab.LongSampleASF(t)
	top := mmsHosts(t, long, name)
	top.Client.LoseUDP(5004, 50)
	asks := lab.StartDissection(t, top.Origin, lab.HostLink, "udp port 1755")
	output := filepath.Join(t.TempDir(), "out.wmv")
	p := lab.Start(t, lab.Command{Path: lab.Binary(t), Host: top.Client,
		Args: []string{"play", "-o", output, strings.Replace(mmsURL(top.GatewayClient, name), "mms:", "mmsu:", 1)}})
	if code := p.WaitExit(playLimit); code != 0 {
		t.Fatalf("play ended with code %d\n%s", code, p.Output())
	}
	got, err := os.ReadFile(output)
	if err != nil {
		t.Fatal(err)
	}
	if diff := lab.DiffPackets(got, long, 0); diff != "" {
		t.Errorf("%s\n%s", diff, p.Output())
	}
	r := lab.WaitRecord(t, top.gw.Records, recordLimit, asked(name))
	if r.Transport != "udp" || r.ResendRequests < 5 || r.FromOrigin.Packets <= uint64(len(long)/1400) {
		t.Errorf("record: %+v\n%s", r, p.Output())
	}
	asks.Wait(recordLimit, "resend requests", func(frames []lab.Dissected) bool { return len(frames) >= 5 })
	asks.End()
	// What reaches the origin comes from the flow's own port, which is also where its media go.
	if i := slices.IndexFunc(asks.Frames(), func(f lab.Dissected) bool {
		return f.To.Addr() == top.OriginAddr && (f.From.Addr() != top.GatewayInner || f.From.Port() < 20000 || f.Resend == 0 || f.Malformed)
	}); i >= 0 {
		t.Errorf("at the origin's port 1755: %+v", asks.Frames()[i])
	}
}

// TestNetnsMMSBlocked: behind a firewall that drops UDP the built-in player, as
// the specification's, comes to TCP by itself.
func TestNetnsMMSBlocked(t *testing.T) {
	const name = "sample.wmv"
	sample := lab.SampleASF(t)
	top := mmsHosts(t, sample, name)
	top.Client.BlockUDP()
	output := filepath.Join(t.TempDir(), "out.wmv")
	p := lab.Start(t, lab.Command{Path: lab.Binary(t), Host: top.Client,
		Args: []string{"play", "-o", output, mmsURL(top.GatewayClient, name)}})
	if code := p.WaitExit(playLimit); code != 0 {
		t.Fatalf("play ended with code %d\n%s", code, p.Output())
	}
	got, err := os.ReadFile(output)
	if err != nil {
		t.Fatal(err)
	}
	if diff := lab.DiffPackets(got, sample, 0); diff != "" {
		t.Errorf("%s\n%s", diff, p.Output())
	}
	lab.WaitRecord(t, top.gw.Records, recordLimit, func(r lab.Record) bool {
		return r.Transport == "interleaved" && r.End == "-T" && r.FromOrigin.Packets >= 157
	})
}
