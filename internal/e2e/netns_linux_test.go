package e2e

import (
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"mediagate/internal/lab"
)

// TestNetns: client, gateway and origin on three hosts. Every UDP packet that
// the client gets comes from gateway:5004 or :5005, the gateway has nothing
// open but what it must, and nothing passes it by.
func TestNetns(t *testing.T) {
	top := lab.NewTopology(t)
	lab.Need(t, "ffmpeg", "gst-launch-1.0", "/usr/bin/python3", "tshark")
	origin := lab.StartGstOrigin(t, lab.GstOptions{Addr: top.OriginAddr, Port: 554, Host: top.Origin})
	listen := netip.AddrPortFrom(top.GatewayClient, 554)
	gw := lab.StartGateway(t, lab.Settings{
		Listen: listen, Nodes: []lab.Node{node("origin", origin.Addr)},
		ClientPorts: "5004-5005", OriginPorts: "20000-20099",
	}, top.Gateway)

	capture := lab.StartCapture(t, top.Client, lab.HostLink, "udp")
	inner := lab.StartCapture(t, top.Origin, lab.HostLink, "udp")
	start := time.Now()
	players := []*lab.Player{
		lab.Play(t, lab.FFmpeg("udp"), gw.URL(origin.Path()), top.Client),
		lab.Play(t, lab.GStreamer("udp"), gw.URL(origin.Path()), top.Client),
	}
	for _, p := range players {
		p.WaitFrames(40, 40, playLimit)
	}
	// A sender's first report comes after some seconds, when it likes (RFC 3550,
	// section 6.2); and tshark is late.
	from := func(port uint16) func(lab.Packet) bool {
		return func(p lab.Packet) bool { return p.From == netip.AddrPortFrom(top.GatewayClient, port) }
	}
	waitSeen(200, from(5004), capture)
	waitSeen(1, from(5005), capture)
	// Two sessions of two medias: four pairs towards the origin.
	open := expectSockets(t, top, listen, 8)
	inject(top)
	for _, p := range players {
		p.WaitMore(25, playLimit) // by then its flows have judged the strays
	}
	for _, p := range players {
		p.End()
	}
	for _, p := range inner.End() {
		if p.Payload == lab.Stray && p.To.Addr() == top.OriginAddr {
			t.Errorf("a stray datagram reached the origin from %v", p.From)
		}
	}
	judgeCapture(t, top, capture.End())
	judgeRecords(t, gw, start)
	if !open(0) {
		t.Errorf("sockets open after the sessions: %v", top.Gateway.Sockets())
	}
	passesNothing(t, top)
}

// judgeRecords: both sessions ended well, and the strays are in their drops.
func judgeRecords(t *testing.T, gw *lab.Gateway, start time.Time) {
	t.Helper()
	for _, agent := range []string{"Lavf", "GStreamer"} {
		r := lab.WaitRecord(t, gw.Records, recordLimit, func(r lab.Record) bool {
			return since(start)(r) && strings.HasPrefix(r.UserAgent, agent)
		})
		if r.Drops["unknown-source"] == 0 || r.End != "-T" {
			t.Errorf("record: %+v", r)
		}
	}
}

// inject sends what looks like media to every port of the gateway's from the
// host that did not negotiate it: the origin to the client's pair, the client
// to the first ports of the origin's legs.
func inject(top *lab.Topology) {
	top.Origin.SendUDP(append(ports(top.GatewayClient, 5004, 5005), ports(top.GatewayInner, 5004, 5005)...)...)
	top.Client.SendUDP(ports(top.GatewayInner, 20000, 20007)...)
}

// ports are those of an address.
func ports(addr netip.Addr, first, last uint16) (all []netip.AddrPort) {
	for port := first; port <= last; port++ {
		all = append(all, netip.AddrPortFrom(addr, port))
	}
	return all
}

// waitSeen waits until captures together have seen n datagrams that match; who judges them afterwards says what is missing.
func waitSeen(n int, match func(lab.Packet) bool, captures ...*lab.Capture) {
	lab.Eventually(playLimit, func() bool {
		seen := 0
		for _, c := range captures {
			for _, p := range c.Packets() {
				if match(p) {
					seen++
				}
			}
		}
		return seen >= n
	})
}

// expectSockets checks what is open on the gateway: the control port, the one
// client pair and n ports towards the origin. What it gives checks again, with
// another n, and waits for it: ports linger.
func expectSockets(t *testing.T, top *lab.Topology, listen netip.AddrPort, n int) func(n int) bool {
	t.Helper()
	right := func(n int) bool {
		inner := 0
		for _, s := range top.Gateway.Sockets() {
			client := s.Network == "udp" && s.Local.Addr() == top.GatewayClient && (s.Local.Port() == 5004 || s.Local.Port() == 5005)
			control := s.Network == "tcp" && s.Local == listen
			leg := s.Network == "udp" && s.Local.Addr() == top.GatewayInner && s.Local.Port() >= 20000 && s.Local.Port() <= 20099
			if leg {
				inner++
			}
			led := s.Network == "udp" && s.Local.Addr().IsLoopback() // what steering leads to, out of anybody's reach
			if !client && !control && !leg && !led {
				t.Logf("open and not expected: %v", s)
				return false
			}
		}
		return inner == n
	}
	if !right(n) {
		t.Errorf("sockets open on the gateway, want %d towards the origin: %v", n, top.Gateway.Sockets())
	}
	return func(n int) bool { return lab.Eventually(recordLimit, func() bool { return right(n) }) }
}

// judgeCapture looks at every datagram of the client's link.
func judgeCapture(t *testing.T, top *lab.Topology, packets []lab.Packet) {
	t.Helper()
	sources := []netip.AddrPort{
		netip.AddrPortFrom(top.GatewayClient, 5004), netip.AddrPortFrom(top.GatewayClient, 5005),
	}
	counts := map[netip.AddrPort]int{}
	for _, p := range packets {
		if p.Payload == lab.Stray {
			if p.To.Addr() == top.ClientAddr {
				t.Errorf("a stray datagram reached the client from %v", p.From)
			}
			continue
		}
		far := p.To // of a packet that the client sends
		if p.To.Addr() == top.ClientAddr {
			far = p.From
			counts[p.From]++
			if isRTCP(p) != (far.Port() == 5005) {
				t.Errorf("a datagram %s... came from %v", p.Payload[:min(16, len(p.Payload))], far)
			}
		}
		if !slices.Contains(sources, far) {
			t.Errorf("a datagram %v -> %v passed the client's link", p.From, p.To)
		}
	}
	if counts[sources[0]] < 200 || counts[sources[1]] < 1 {
		t.Errorf("datagrams to the client: %v", counts)
	}
}

// isRTCP tells reports from media by the second byte, as RFC 5761, section 4
// does: 192 to 223 are no payload type of the origins here with a marker.
func isRTCP(p lab.Packet) bool {
	return len(p.Payload) >= 4 && p.Payload[2:4] >= "c0" && p.Payload[2:4] <= "df"
}

// passesNothing: what a client sends to the origin's address stays with the
// gateway, which forwards nothing.
func passesNothing(t *testing.T, top *lab.Topology) {
	t.Helper()
	if got := top.Gateway.Sysctl("net.ipv4.ip_forward"); got != "0" {
		t.Errorf("ip_forward is %s", got)
	}
	left := lab.StartCapture(t, top.Client, lab.HostLink, "udp port 9999")
	arrived := lab.StartCapture(t, top.Origin, lab.HostLink, "udp port 9999")
	top.Client.SendUDP(netip.AddrPortFrom(top.OriginAddr, 9999))
	if !lab.Eventually(5*time.Second, func() bool { return len(left.Packets()) == 5 }) {
		t.Errorf("the client sent %d datagrams, want 5", len(left.Packets()))
	}
	left.End()
	if got := arrived.End(); len(got) > 0 {
		t.Errorf("%d datagrams went past the gateway", len(got))
	}
}
