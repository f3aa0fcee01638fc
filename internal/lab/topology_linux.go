package lab

import (
	"fmt"
	"net/netip"
	"sync/atomic"
	"testing"
)

// Topology is three hosts in a row, as in the recipe that this project
// descends from: the gateway is the client's and the origin's default gateway,
// and forwards nothing.
//
//	client 10.99.1.2 --- 10.99.1.1 gateway 10.99.2.1 --- 10.99.2.2 origin
type Topology struct {
	Client, Gateway, Origin *Host

	ClientAddr, OriginAddr      netip.Addr
	GatewayClient, GatewayInner netip.Addr // the gateway's addresses on the two links
}

// Names of the interfaces: each host's own, and the gateway's two.
const (
	HostLink   = "eth0" // on client and origin
	ClientLink = "client0"
	OriginLink = "origin0"
)

// NewTopology builds the three hosts; they end with the test.
func NewTopology(t testing.TB) *Topology {
	t.Helper()
	NeedRoot(t)
	Need(t, "ip", "ss")
	var number atomic.Int32
	top := &Topology{
		Client:        newHost(t, &number, "client"),
		Gateway:       newHost(t, &number, "gateway"),
		Origin:        newHost(t, &number, "origin"),
		ClientAddr:    netip.MustParseAddr("10.99.1.2"),
		GatewayClient: netip.MustParseAddr("10.99.1.1"),
		GatewayInner:  netip.MustParseAddr("10.99.2.1"),
		OriginAddr:    netip.MustParseAddr("10.99.2.2"),
	}
	join(top.Client, top.ClientAddr, top.Gateway, ClientLink, top.GatewayClient)
	join(top.Origin, top.OriginAddr, top.Gateway, OriginLink, top.GatewayInner)
	// A new namespace inherits nothing here, but the promise is ours to check.
	if got := top.Gateway.Sysctl("net.ipv4.ip_forward"); got != "0" {
		t.Fatalf("lab: ip_forward is %s in a new namespace", got)
	}
	return top
}

// join lays a cable from host, whose end is eth0, to the gateway.
func join(host *Host, hostAddr netip.Addr, gateway *Host, link string, gatewayAddr netip.Addr) {
	host.ip("link", "add", HostLink, "type", "veth", "peer", "name", link, "netns", gateway.Namespace)
	host.ip("addr", "add", netip.PrefixFrom(hostAddr, 24).String(), "dev", HostLink)
	gateway.ip("addr", "add", netip.PrefixFrom(gatewayAddr, 24).String(), "dev", link)
	host.ip("link", "set", HostLink, "up")
	gateway.ip("link", "set", link, "up")
	host.ip("route", "add", "default", "via", gatewayAddr.String())
}

// BlockUDP makes the host drop every UDP datagram that comes in, as a firewall
// that says nothing.
func (h *Host) BlockUDP() {
	h.t.Helper()
	Need(h.t, "nft")
	h.Run("nft", "add table inet lab; add chain inet lab in { type filter hook input priority 0; }; "+
		"add rule inet lab in meta l4proto udp drop")
}

// RejectUDPFrom makes the host answer every UDP datagram that comes from a port
// with ICMP port unreachable, as a NAT without a place for it does.
func (h *Host) RejectUDPFrom(port uint16) {
	h.t.Helper()
	Need(h.t, "nft")
	h.Run("nft", fmt.Sprintf("add table inet lab; add chain inet lab in { type filter hook input priority 0; }; "+
		"add rule inet lab in udp sport %d reject with icmpx port-unreachable", port))
}

// BlockUDPFrom makes the host drop every UDP datagram that comes from a port.
func (h *Host) BlockUDPFrom(port uint16) {
	h.t.Helper()
	Need(h.t, "nft")
	h.Run("nft", fmt.Sprintf("add table inet lab; add chain inet lab in { type filter hook input priority 0; }; "+
		"add rule inet lab in udp sport %d drop", port))
}

// MapTo makes the host, a router, a NAT for connections to a TCP port and datagrams to a range of UDP ports: they leave
// with its address, and from other ports than they came from.
func (h *Host) MapTo(control, first, last uint16) {
	h.t.Helper()
	Need(h.t, "nft")
	h.Run("nft", fmt.Sprintf("add table ip labnat; add chain ip labnat out { type nat hook postrouting priority 100; }; "+
		"add rule ip labnat out tcp dport %d masquerade; "+
		"add rule ip labnat out udp dport %d-%d masquerade to :40000-40999 fully-random", control, first, last))
}

// LoseUDP makes the host lose each n-th UDP datagram that comes from a port: a
// link of that loss, the same in each run. (A netem of tc would do, but not
// every kernel has it.)
func (h *Host) LoseUDP(port uint16, n int) {
	h.t.Helper()
	Need(h.t, "nft")
	h.Run("nft", fmt.Sprintf("add table inet lab; add chain inet lab in { type filter hook input priority 0; }; "+
		"add rule inet lab in udp sport %d numgen inc mod %d == %d counter drop", port, n, n/2))
}

// sendScript sends datagrams from a host with Python, which is there because
// GStreamer's server needs it.
const sendScript = `import socket, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
for at in sys.argv[2:]:
    host, port = at.rsplit(":", 1)
    for _ in range(5):
        s.sendto(bytes.fromhex(sys.argv[1]), (host, int(port)))
`

// Stray is the payload of SendUDP in hexadecimal: an RTP header (RFC 3550,
// section 5.1), so that only the sender tells it from media, and a text.
const Stray = "80600001000000010000000170617374207468652067617465776179"

// SendUDP sends five datagrams of Stray from the host to each address.
func (h *Host) SendUDP(addrs ...netip.AddrPort) {
	h.t.Helper()
	args := []string{"-c", sendScript, Stray}
	for _, a := range addrs {
		args = append(args, a.String())
	}
	h.Run("/usr/bin/python3", args...)
}
