package lab

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// Network is the network of the recipe that this project descends from, in
// both address families: the gateway has two interfaces, is the default route
// of two origins that share a link, and forwards nothing. Clients are behind a
// router.
//
//	client ---- router ---- gateway ----+---- origin
//	10.99.1.2   .1 | .3.2   .3.1 | .2.1 +---- second
//	fd99:1::2                                10.99.2.2, .3
type Network struct {
	Client, Router, Gateway *Host
	Origins                 [2]*Host

	ClientAddr, GatewayClient, GatewayInner    netip.Addr
	ClientAddr6, GatewayClient6, GatewayInner6 netip.Addr
	OriginAddrs, OriginAddrs6                  [2]netip.Addr
}

// NewNetwork builds it; it ends with the test.
func NewNetwork(t testing.TB) *Network {
	t.Helper()
	NeedRoot(t)
	Need(t, "ip", "ss")
	var number atomic.Int32
	a := netip.MustParseAddr
	n := &Network{
		Client: newHost(t, &number, "client"), Router: newHost(t, &number, "router"), Gateway: newHost(t, &number, "gateway"),
		Origins:    [2]*Host{newHost(t, &number, "origin"), newHost(t, &number, "second")},
		ClientAddr: a("10.99.1.2"), GatewayClient: a("10.99.3.1"), GatewayInner: a("10.99.2.1"),
		ClientAddr6: a("fd99:1::2"), GatewayClient6: a("fd99:3::1"), GatewayInner6: a("fd99:2::1"),
		OriginAddrs:  [2]netip.Addr{a("10.99.2.2"), a("10.99.2.3")},
		OriginAddrs6: [2]netip.Addr{a("fd99:2::2"), a("fd99:2::3")},
	}
	link := newHost(t, &number, "switch")
	link.ip("link", "add", "br0", "type", "bridge")
	link.ip("link", "set", "br0", "up")

	n.Client.cable(HostLink, n.Router, "client0")
	n.Client.address(HostLink, n.ClientAddr, n.ClientAddr6)
	n.Router.address("client0", a("10.99.1.1"), a("fd99:1::1"))
	n.Router.cable("gateway0", n.Gateway, ClientLink)
	n.Router.address("gateway0", a("10.99.3.2"), a("fd99:3::2"))
	n.Gateway.address(ClientLink, n.GatewayClient, n.GatewayClient6)
	n.Gateway.plug(OriginLink, link, "p0")
	n.Gateway.address(OriginLink, n.GatewayInner, n.GatewayInner6)
	for i, o := range n.Origins {
		o.plug(HostLink, link, fmt.Sprintf("p%d", i+1))
		o.address(HostLink, n.OriginAddrs[i], n.OriginAddrs6[i])
		o.defaultRoute(n.GatewayInner, n.GatewayInner6)
	}
	n.Client.defaultRoute(a("10.99.1.1"), a("fd99:1::1"))
	n.Gateway.defaultRoute(a("10.99.3.2"), a("fd99:3::2"))
	n.Router.defaultRoute(n.GatewayClient, n.GatewayClient6)
	n.Router.SetSysctl("net/ipv4/ip_forward", "1")
	n.Router.SetSysctl("net/ipv6/conf/all/forwarding", "1")
	n.CheckForwardsNothing(t)
	return n
}

// CheckForwardsNothing fails the test if the gateway's kernel forwards packets.
func (n *Network) CheckForwardsNothing(t testing.TB) {
	t.Helper()
	for _, name := range []string{"net.ipv4.ip_forward", "net.ipv6.conf.all.forwarding"} {
		if got := n.Gateway.Sysctl(name); got != "0" {
			t.Fatalf("lab: %s of the gateway is %s", name, got)
		}
	}
}

// cable joins two hosts.
func (h *Host) cable(name string, other *Host, otherName string) {
	h.ip("link", "add", name, "type", "veth", "peer", "name", otherName, "netns", other.Namespace)
	h.ip("link", "set", name, "up")
	other.ip("link", "set", otherName, "up")
}

// plug joins a host to the bridge of a switch.
func (h *Host) plug(name string, link *Host, port string) {
	h.cable(name, link, port)
	link.ip("link", "set", port, "master", "br0")
}

// address gives an interface one address of each family, of use at once.
func (h *Host) address(link string, v4, v6 netip.Addr) {
	h.ip("addr", "add", netip.PrefixFrom(v4, 24).String(), "dev", link)
	h.ip("-6", "addr", "add", netip.PrefixFrom(v6, 64).String(), "dev", link, "nodad")
	// The kernel takes an address of IPv6 for its own in a task of its own, later; what comes before that is lost.
	local := func() bool { return strings.HasPrefix(h.Run("ip", "-6", "route", "get", v6.String()), "local ") }
	if !Eventually(10*time.Second, local) {
		h.t.Fatalf("lab: %s in %s is not local", v6, h.Namespace)
	}
}

func (h *Host) defaultRoute(v4, v6 netip.Addr) {
	h.ip("route", "add", "default", "via", v4.String())
	h.ip("-6", "route", "add", "default", "via", v6.String())
}

// SetSysctl writes a kernel setting of the host, by its path below /proc/sys.
func (h *Host) SetSysctl(path, value string) {
	h.t.Helper()
	h.Do(func() {
		if err := os.WriteFile("/proc/sys/"+path, []byte(value), 0o644); err != nil {
			h.t.Errorf("lab: %s in %s: %v", path, h.Namespace, err)
		}
	})
}

// Do runs f on a thread inside the host's network; sockets that f makes stay
// there, goroutines that it starts do not. f must not end the test.
func (h *Host) Do(f func()) {
	h.t.Helper()
	failed := make(chan error, 1)
	go func() { failed <- inside("/run/netns/"+h.Namespace, f) }()
	if err := <-failed; err != nil {
		h.t.Fatalf("lab: enter %s: %v", h.Namespace, err)
	}
}

// inside runs f in a network namespace and comes back: the thread may be the
// process's first, which never ends, and a process whose first thread is in a
// host is ended with it.
func inside(path string, f func()) error {
	runtime.LockOSThread()
	home, err := os.Open("/proc/thread-self/ns/net")
	if err != nil {
		return err
	}
	defer func() { _ = home.Close() }()
	away, err := os.Open(path)
	if err != nil {
		return err
	}
	defer func() { _ = away.Close() }()
	if err := unix.Setns(int(away.Fd()), unix.CLONE_NEWNET); err != nil {
		return err
	}
	f()
	if err := unix.Setns(int(home.Fd()), unix.CLONE_NEWNET); err != nil {
		return err // and the thread stays locked: nobody else may run in it
	}
	runtime.UnlockOSThread()
	return nil
}

// StartConfigured runs the program like StartGateway with a whole configuration,
// to which it adds the path of the session records. listen is the Addr to be.
func StartConfigured(t testing.TB, yaml string, listen netip.AddrPort, host *Host) *Gateway {
	t.Helper()
	g := &Gateway{Addr: listen, Records: filepath.Join(t.TempDir(), "sessions.jsonl")}
	return runGateway(t, g, yaml+fmt.Sprintf("sessions: {log: %q}\n", g.Records), host)
}
