package doctor

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"mediagate/internal/transparent"
)

// rules tests what is made for transparent pools, and what is in its way.
func (e *examiner) rules() {
	const test = "rules"
	found, err := transparent.Check(e.spec.Transparent)
	if err != nil {
		e.skip(test, "cannot be looked at: %v", err)
		return
	}
	for _, c := range found {
		e.fault(test, c.Mend, "%s", c.What)
	}
	missing, err := transparent.Missing(e.spec.Transparent)
	switch {
	case err != nil:
		e.skip(test, "cannot be looked at: %v", err)
	case e.faulty(test):
	case len(missing) == 0:
		e.ok(test, "table, policy rule and local route are there, and nothing is in their way")
	case missing[0].Kind == "table":
		e.ok(test, "nothing is in the way of what the gateway makes when it starts")
	default:
		for _, c := range missing {
			e.fault(test, c.Mend, "%s", c.What)
		}
	}
}

// filters tests the settings by which the kernel drops packets whose sender it would reach by another way.
func (e *examiner) filters() {
	const test = "rp_filter"
	for _, node := range e.spec.Transparent.Origins {
		way := interfaceTo(node)
		if way == "" || !node.Is4() {
			continue // it cannot be reached, which the probe tells; IPv6 has no such setting
		}
		if conf(way, "src_valid_mark") {
			e.fault(test, "sysctl -w net.ipv4.conf.all.src_valid_mark=0 net.ipv4.conf."+way+".src_valid_mark=0",
				"src_valid_mark is set: packets that come home are dropped, because their sender is looked up with the mark")
		}
		for _, name := range e.spec.Transparent.Interfaces {
			if name != way && conf(name, "rp_filter") {
				e.fault(test, "sysctl -w net.ipv4.conf.all.rp_filter=2 net.ipv4.conf."+name+".rp_filter=2",
					"rp_filter of %s is strict, and the way to %v leads through %s: what it sends by %s is dropped", name, node, way, name)
			}
		}
		if forward, err := os.ReadFile("/proc/sys/net/ipv4/ip_forward"); err == nil && strings.TrimSpace(string(forward)) == "1" &&
			e.spec.Transparent.Forwarding == transparent.Off {
			e.fault("forwarding", "sysctl -w net.ipv4.ip_forward=0, or transparent.forwarding: reject",
				"the kernel forwards for everybody: ip_forward is 1 and transparent.forwarding is off")
		}
	}
	if !e.faulty(test) {
		e.ok(test, "no filter drops what nodes send")
	}
}

// conf tells whether a switch of IPv4 is 1 for an interface or for all: the kernel takes the larger.
func conf(name, setting string) bool {
	most := 0
	for _, dir := range []string{"all", name} {
		data, err := os.ReadFile("/proc/sys/net/ipv4/conf/" + dir + "/" + setting)
		if n, bad := strconv.Atoi(strings.TrimSpace(string(data))); err == nil && bad == nil {
			most = max(most, n)
		}
	}
	return most == 1
}

// interfaceTo is the interface by which an address is reached, "" if none.
func interfaceTo(to netip.Addr) string {
	return interfaceOf(localTo(to))
}

// localTo is our address towards another; a UDP socket that is connected sends nothing.
func localTo(to netip.Addr) netip.Addr {
	c, err := net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(netip.AddrPortFrom(to, 9)))
	if err != nil {
		return netip.Addr{}
	}
	defer func() { _ = c.Close() }()
	return c.LocalAddr().(*net.UDPAddr).AddrPort().Addr().Unmap()
}

// helpers are modules that rewrite ports of RTSP and MMS behind everybody's back.
var helpers = []string{"nf_conntrack_rtsp", "nf_nat_rtsp", "nf_conntrack_mms", "nf_nat_mms", "ip_conntrack_rtsp", "ip_conntrack_mms"}

// tracking looks for connection tracking that is in the way.
func (e *examiner) tracking() {
	const test = "conntrack"
	data, _ := os.ReadFile("/proc/modules") // a kernel without modules has none of these
	e.modules(string(data))
	e.full(number("/proc/sys/net/netfilter/nf_conntrack_count"), number("/proc/sys/net/netfilter/nf_conntrack_max"))
	if !e.faulty(test) {
		e.ok(test, "no connection tracking is in the way")
	}
}

// full judges the table of connections; a kernel without one has room for none.
func (e *examiner) full(count, most int) {
	if most > 0 && count*10 >= most*9 {
		e.fault("conntrack", fmt.Sprintf("sysctl -w net.netfilter.nf_conntrack_max=%d", most*4),
			"the table of connections is nearly full, %d of %d: what does not fit is dropped", count, most)
	}
}

func (e *examiner) modules(list string) {
	for line := range strings.Lines(list) {
		if name, _, _ := strings.Cut(line, " "); slices.Contains(helpers, name) {
			e.fault("conntrack", "rmmod "+name, "the module %s rewrites addresses and ports in RTSP or MMS", name)
		}
	}
}

func number(path string) int {
	data, err := os.ReadFile(path)
	if err != nil {
		return 0
	}
	n, _ := strconv.Atoi(strings.TrimSpace(string(data))) // 0 is as good as nothing
	return n
}

// units compares the largest packets of both sides: what comes larger than it may leave is fragmented.
func (e *examiner) units() {
	const test = "mtu"
	sizes := make(map[string]int)
	all, err := net.Interfaces()
	if err != nil {
		e.skip(test, "interfaces cannot be listed: %v", err)
		return
	}
	for _, i := range all {
		sizes[i.Name] = i.MTU
	}
	for _, pool := range e.spec.Config.Pools {
		for _, node := range pool.Nodes {
			way := interfaceTo(node.Address)
			for _, at := range e.listens() {
				face := interfaceOf(at.Addr())
				if way == "" || face == "" || face == "lo" || sizes[face] >= sizes[way] || e.faulty(test) {
					continue
				}
				e.fault(test, fmt.Sprintf("ip link set %s mtu %d (or on the nodes: mtu %d)", face, sizes[way], sizes[face]),
					"%s, where clients are, takes packets of %d bytes, %s, where node %q is, %d: media is fragmented", face, sizes[face], way,
					node.Name, sizes[way])
			}
		}
	}
	if !e.faulty(test) {
		e.ok(test, "what nodes send fits towards the clients")
	}
}

// interfaceOf is the interface that has an address.
func interfaceOf(addr netip.Addr) string {
	all, err := net.Interfaces()
	if err != nil {
		return ""
	}
	for _, i := range all {
		addrs, _ := i.Addrs()
		for _, a := range addrs {
			if p, err := netip.ParsePrefix(a.String()); err == nil && p.Addr().Unmap() == addr {
				return i.Name
			}
		}
	}
	return ""
}

// probeTime is how long a node may take to accept a connection.
const probeTime = 3 * time.Second

// nodes connects to each node, and where its pool is transparent a second time as a client.
func (e *examiner) nodes(ctx context.Context) {
	remove := e.borrowRules()
	defer remove()
	for _, pool := range e.spec.Config.Pools {
		for _, node := range pool.Nodes {
			asked := !pool.Transparent
			for _, protocol := range e.spec.Config.Protocols(pool.Name) {
				at := netip.AddrPortFrom(node.Address, node.Ports.Of(protocol))
				if e.reach(ctx, fmt.Sprintf("node %s %s", node.Name, protocol), at) && !asked {
					asked = true // one protocol tells the way
					e.wayBack(ctx, fmt.Sprintf("node %s way back", node.Name), at)
				}
			}
		}
	}
}

// borrowRules makes the rules for the probes where no gateway has made them, and returns what takes them away.
func (e *examiner) borrowRules() func() {
	if len(e.spec.Transparent.Origins) == 0 || !transparent.Capable() {
		return func() {}
	}
	if missing, err := transparent.Missing(e.spec.Transparent); err != nil || len(missing) == 0 {
		return func() {}
	}
	rules, err := transparent.Install(e.spec.Transparent)
	if err != nil {
		return func() {} // the test of rules has told it
	}
	return func() { _ = rules.Remove() } // what it cannot remove it can hardly have made
}

// reach connects to a node with our own address.
func (e *examiner) reach(ctx context.Context, name string, at netip.AddrPort) bool {
	ctx, cancel := context.WithTimeout(ctx, probeTime)
	defer cancel()
	var d net.Dialer
	c, err := d.DialContext(ctx, "tcp", at.String())
	if err == nil {
		_ = c.Close()
		e.ok(name, "%v answers", at)
		return true
	}
	mend := "look whether the machine runs and whether a firewall is between: ping " + at.Addr().String()
	if errors.Is(err, syscall.ECONNREFUSED) {
		mend = "start the service on the node, or set its port in the configuration"
	}
	e.fault(name, mend, "%v does not answer: %v", at, err)
	return false
}

// wayBack connects as a client: only if the node's way to clients leads through us does its answer come here.
func (e *examiner) wayBack(ctx context.Context, test string, at netip.AddrPort) {
	if e.faulty("rules") || e.faulty("rp_filter") {
		e.skip(test, "not before the faults of rules and rp_filter are mended: they would be met again here")
		return
	}
	if !transparent.Capable() {
		e.skip(test, "not without CAP_NET_ADMIN")
		return
	}
	i := slices.IndexFunc(e.spec.Clients, func(a netip.Addr) bool { return a.Is4() == at.Addr().Is4() })
	if i < 0 {
		e.skip(test, "no test client of this family: give one with --client")
		return
	}
	ctx, cancel := context.WithTimeout(ctx, probeTime)
	defer cancel()
	client := e.spec.Clients[i]
	c, err := transparent.Dial(ctx, netip.AddrPortFrom(client, 0), at)
	if err == nil {
		_ = c.Close()
		e.ok(test, "its answers to a client (%v) come through this machine", client)
		return
	}
	option := map[bool]string{true: "", false: "-6 "}[at.Addr().Is4()]
	e.fault(test, fmt.Sprintf("on the node: ip %sroute replace default via %v", option, localTo(at.Addr())),
		"%v does not answer a client (%v) by way of this machine: %v", at, client, err)
}
