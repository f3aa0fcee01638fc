package doctor

import (
	"math"
	"math/bits"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"

	"mediagate/internal/config"
)

// Capabilities that AF_XDP and its program need (capabilities(7)). CAP_SYS_ADMIN serves for CAP_BPF.
const (
	capNetAdmin, capNetRaw, capSysAdmin, capBPF = 12, 13, 21, 39
	capIPCLock, capSysResource                  = 14, 24 // one of them lifts the limit of locked memory
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
	limits, _ := os.ReadFile("/proc/self/limits")
	e.locked(test, effective(), string(limits))
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

// locked tests whether a receive queue's memory may be locked: 64 times relay.receive_buffer, cut down to a power of two.
func (e *examiner) locked(test string, set uint64, limits string) {
	const most = 256 << 20 // of a queue
	size := min(64*uint64(e.spec.Config.Relay.ReceiveBuffer), most)
	size = 1 << (bits.Len64(size) - 1)
	may := lockable(limits)
	if may >= size || set>>capIPCLock&1 == 1 || set>>capSysResource&1 == 1 {
		return
	}
	e.fault(test, "LimitMEMLOCK=infinity in the unit; in a shell, as root: ulimit -l unlimited",
		"relay.xdp locks %s of memory for each receive queue, and the process may lock %s", config.Size(size), config.Size(may))
}

// lockable is the limit of locked memory in the text of /proc/self/limits; as much as there is where it has none.
func lockable(limits string) uint64 {
	for line := range strings.Lines(limits) {
		if rest, ok := strings.CutPrefix(line, "Max locked memory"); ok {
			if soft, err := strconv.ParseUint(strings.Fields(rest + " -")[0], 10, 64); err == nil {
				return soft
			}
		}
	}
	return math.MaxUint64
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
