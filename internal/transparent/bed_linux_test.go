package transparent_test

import (
	"net"
	"net/netip"
	"os/exec"
	"strings"
	"testing"
	"time"

	"mediagate/internal/lab"
	"mediagate/internal/transparent"
)

// spec is what the tests install, of the numbers that the defaults of the configuration are.
func spec(n *lab.Network) transparent.Spec {
	return transparent.Spec{
		Table: "mediagate", Mark: 0x6d67, RouteTable: 5004, Priority: 5004, MediaPorts: []uint16{5005, 5004}, LogGroup: 5004,
		Origins: []netip.Addr{n.OriginAddrs[0], n.OriginAddrs6[0], n.OriginAddrs[1], n.OriginAddrs6[1]},
	}
}

// install installs in the gateway, and removes at the end of the test.
func install(t *testing.T, n *lab.Network, s transparent.Spec) *transparent.Rules {
	t.Helper()
	var rules *transparent.Rules
	var err error
	n.Gateway.Do(func() { rules, err = transparent.Install(s) })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { remove(t, n, rules) })
	return rules
}

func remove(t *testing.T, n *lab.Network, rules *transparent.Rules) {
	t.Helper()
	n.Gateway.Do(func() {
		if err := rules.Remove(); err != nil {
			t.Error(err)
		}
	})
}

// counts are the counters by reason, those at zero left out.
func counts(t *testing.T, n *lab.Network, rules *transparent.Rules) map[string]uint64 {
	t.Helper()
	got := make(map[string]uint64)
	n.Gateway.Do(func() {
		all, err := rules.Counters()
		if err != nil {
			t.Error(err)
		}
		for _, c := range all {
			if c.Packets > 0 {
				got[c.Reason] = c.Packets
			}
		}
	})
	return got
}

// ruleset is what nft tells of the gateway.
func ruleset(n *lab.Network) string { return n.Gateway.Run("nft", "list", "ruleset") }

// routing is everything of the gateway's policy rules and of our routing table.
func routing(n *lab.Network) string {
	var all strings.Builder
	for _, family := range []string{"-4", "-6"} {
		all.WriteString(n.Gateway.Run("ip", family, "rule", "list"))
		// ip fails for a table that was never used.
		out, _ := exec.Command("ip", "-n", n.Gateway.Namespace, family, "route", "show", "table", "5004").Output()
		all.Write(out)
	}
	return all.String()
}

// listenUDP binds an ordinary socket in a host.
func listenUDP(t *testing.T, h *lab.Host, at netip.AddrPort) *net.UDPConn {
	t.Helper()
	var c *net.UDPConn
	var err error
	h.Do(func() { c, err = net.ListenUDP("udp", net.UDPAddrFromAddrPort(at)) })
	return bound(t, c, err)
}

// listenAs binds a transparent socket in the gateway.
func listenAs(t *testing.T, n *lab.Network, at netip.AddrPort) *net.UDPConn {
	t.Helper()
	var c *net.UDPConn
	var err error
	n.Gateway.Do(func() { c, err = transparent.ListenUDP(at) })
	return bound(t, c, err)
}

func bound(t *testing.T, c *net.UDPConn, err error) *net.UDPConn {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// read reads one datagram.
func read(t *testing.T, c *net.UDPConn) (string, netip.AddrPort) {
	t.Helper()
	if err := c.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 1<<16)
	n, from, err := c.ReadFromUDPAddrPort(b)
	if err != nil {
		t.Fatalf("read at %v: %v", c.LocalAddr(), err)
	}
	return string(b[:n]), netip.AddrPortFrom(from.Addr().Unmap(), from.Port())
}

func write(t *testing.T, c *net.UDPConn, text string, to netip.AddrPort) {
	t.Helper()
	if _, err := c.WriteToUDPAddrPort([]byte(text), to); err != nil {
		t.Fatalf("write from %v to %v: %v", c.LocalAddr(), to, err)
	}
}

func at(a netip.Addr, port uint16) netip.AddrPort { return netip.AddrPortFrom(a, port) }
