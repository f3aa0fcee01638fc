package doctor

import (
	"net"
	"os"
	"slices"
	"strconv"
	"strings"
)

// Capabilities that AF_XDP and its program need (capabilities(7)). CAP_SYS_ADMIN serves for CAP_BPF.
const (
	capNetAdmin, capNetRaw, capSysAdmin, capBPF = 12, 13, 21, 39
)

// mostMTU is the largest that a frame of a page has room for, with what the kernel keeps of it.
const mostMTU = 4096 - 256 - 14

// interfaces tests what relay.xdp needs. Whether the driver takes the program shows when the gateway starts.
func (e *examiner) interfaces() {
	const test = "xdp"
	names := e.spec.Config.Relay.XDP
	if lacks := lackingXDP(effective()); len(lacks) > 0 {
		e.fault(test, "setcap cap_net_admin,cap_net_raw,cap_bpf,cap_net_bind_service+ep "+program(),
			"relay.xdp needs %s, which the process lacks", strings.Join(lacks, ", "))
	}
	for _, name := range names {
		i, err := net.InterfaceByName(name)
		switch {
		case err != nil:
			e.fault(test, "ip -br link, and name one of these in relay.xdp", "there is no interface %s", name)
		case len(i.HardwareAddr) != 6:
			e.fault(test, "relay.xdp: leave "+name+" out", "%s is no Ethernet", name)
		case i.MTU > mostMTU:
			e.fault(test, "ip link set "+name+" mtu "+strconv.Itoa(mostMTU), "frames of %s, MTU %d, do not fit a page", name, i.MTU)
		}
	}
	for _, p := range e.spec.Config.Pools {
		for _, n := range p.Nodes {
			if way := interfaceTo(n.Address); way != "" && !slices.Contains(names, way) {
				e.skip(test, "%s is reached by %s, which relay.xdp does not name: its media comes as without", n.Name, way)
			}
		}
	}
	if !e.faulty(test) {
		e.ok(test, "the interfaces and the privileges are there")
	}
}

// lackingXDP names what is missing in a set of capabilities.
func lackingXDP(set uint64) (all []string) {
	has := func(c int) bool { return set>>c&1 == 1 }
	if !has(capNetAdmin) {
		all = append(all, "CAP_NET_ADMIN")
	}
	if !has(capNetRaw) {
		all = append(all, "CAP_NET_RAW")
	}
	if !has(capBPF) && !has(capSysAdmin) {
		all = append(all, "CAP_BPF")
	}
	return all
}

// effective are the capabilities of this process; all of them where they cannot be read.
func effective() uint64 {
	data, _ := os.ReadFile("/proc/self/status")
	for line := range strings.Lines(string(data)) {
		if hex, ok := strings.CutPrefix(line, "CapEff:"); ok {
			if set, err := strconv.ParseUint(strings.TrimSpace(hex), 16, 64); err == nil {
				return set
			}
		}
	}
	return ^uint64(0)
}
