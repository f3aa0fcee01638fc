package doctor

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"mediagate/internal/config"
	"mediagate/internal/transparent"
)

// privileges tests what the process may do; whether it may bind low ports shows in the test of the ports.
func (e *examiner) privileges() {
	const test = "privileges"
	switch {
	case len(e.spec.Transparent.Origins) == 0:
		e.skip(test, "no pool is transparent, so CAP_NET_ADMIN is not needed")
	case transparent.Capable():
		e.ok(test, "CAP_NET_ADMIN is there")
	default:
		e.fault(test, "setcap cap_net_admin,cap_net_bind_service+ep "+program(), "CAP_NET_ADMIN is missing, which transparent pools need")
	}
}

// program is the path of this program.
func program() string {
	if path, err := os.Executable(); err == nil {
		return path
	}
	return "mediagate"
}

// addresses tests that what is listened on is this machine's.
func (e *examiner) addresses() {
	const test = "addresses"
	ours := machineAddresses()
	for _, at := range e.listens() {
		if !at.Addr().IsUnspecified() && !at.Addr().IsLoopback() && !slices.Contains(ours, at.Addr()) {
			e.fault(test, fmt.Sprintf("ip addr add %v/%d dev INTERFACE", at.Addr(), at.Addr().BitLen()),
				"%v is no address of this machine", at.Addr())
		}
	}
	if !e.faulty(test) {
		e.ok(test, "all addresses that are listened on are this machine's")
	}
}

func machineAddresses() []netip.Addr {
	var all []netip.Addr
	found, err := net.InterfaceAddrs()
	if err != nil {
		return nil
	}
	for _, a := range found {
		if p, err := netip.ParsePrefix(a.String()); err == nil {
			all = append(all, p.Addr().Unmap())
		}
	}
	return all
}

// listens are the TCP addresses of all virtual servers.
func (e *examiner) listens() []netip.AddrPort {
	var all []netip.AddrPort
	for _, vs := range e.spec.Config.VirtualServers {
		for _, l := range vs.Listen {
			at := l.Addr
			if !at.IsValid() {
				at = netip.IPv6Unspecified()
			}
			all = append(all, netip.AddrPortFrom(at, l.Port))
		}
	}
	return all
}

// ports tests that each port can be bound. A gateway that runs already has them, which is well.
func (e *examiner) ports() {
	const test = "ports"
	ours := 0
	try := func(network string, at netip.AddrPort) {
		err := bind(network, at)
		if err == nil || errors.Is(err, syscall.EADDRNOTAVAIL) {
			return // the test of addresses tells it
		}
		if errors.Is(err, syscall.EACCES) {
			e.fault(test, "setcap cap_net_bind_service+ep "+program(), "%s %v: not permitted, the port is below 1024", network, at)
			return
		}
		name, pid := owner(network, at)
		switch {
		case name == filepath.Base(program()):
			ours++
		case pid != "":
			e.fault(test, "stop "+name+" (kill "+pid+"), or choose another port", "%s %v is taken by %s, process %s", network, at, name, pid)
		default:
			e.fault(test, "stop the other program (ss -lnp), or choose another port", "%s %v: %v", network, at, err)
		}
	}
	for _, at := range e.listens() {
		try("tcp", at)
	}
	for _, at := range e.mediaPorts() {
		try("udp", at)
	}
	switch {
	case e.faulty(test):
	case ours > 0:
		e.ok(test, "the ports are held by a gateway that runs")
	default:
		e.ok(test, "all ports are free")
	}
}

// mediaPorts are those of the shared pair of media and of resend requests, of virtual servers that have media over UDP; a range has
// others when some are taken.
func (e *examiner) mediaPorts() []netip.AddrPort {
	var all []netip.AddrPort
	media := e.spec.Config.Relay.ClientMedia.Ports
	for _, vs := range e.spec.Config.VirtualServers {
		if !vs.UDP || vs.IsWeb() {
			continue
		}
		for _, l := range vs.Listen {
			addr := l.Addr
			if !addr.IsValid() || addr.IsUnspecified() {
				continue // the gateway binds each address of its own
			}
			if media.Hi-media.Lo == 1 {
				all = append(all, netip.AddrPortFrom(addr, media.Lo), netip.AddrPortFrom(addr, media.Hi))
			}
			if vs.Protocol == config.ProtocolMMS {
				all = append(all, netip.AddrPortFrom(addr, l.Port))
			}
		}
	}
	slices.SortFunc(all, netip.AddrPort.Compare)
	return slices.Compact(all)
}

// bind binds an address and lets it go.
func bind(network string, at netip.AddrPort) error {
	if network == "tcp" {
		l, err := net.ListenTCP("tcp", net.TCPAddrFromAddrPort(at))
		if err != nil {
			return err
		}
		return l.Close()
	}
	c, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(at))
	if err != nil {
		return err
	}
	return c.Close()
}

// owner finds the process that is in the way of an address and port, by the number of its socket; "" if it cannot be known, as
// of another user's.
func owner(network string, at netip.AddrPort) (name, pid string) {
	inodes := make(map[string]bool)
	for _, family := range []string{"", "6"} {
		data, err := os.ReadFile("/proc/self/net/" + network + family)
		if err != nil {
			continue
		}
		for line := range strings.Lines(string(data)) {
			f := strings.Fields(line)
			listens := len(f) > 9 && (network == "udp" || f[3] == "0A")
			if listens && inTheWay(f[1], at) {
				inodes["socket:["+f[9]+"]"] = true
			}
		}
	}
	links, _ := filepath.Glob("/proc/[0-9]*/fd/*") // the pattern is well
	for _, link := range links {
		if to, err := os.Readlink(link); err == nil && inodes[to] {
			pid = strings.Split(link, "/")[2]
			if pid == strconv.Itoa(os.Getpid()) {
				continue
			}
			data, _ := os.ReadFile("/proc/" + pid + "/comm")
			return strings.TrimSpace(string(data)), pid
		}
	}
	return "", ""
}

// inTheWay says that a socket bound to local, as /proc/net has it, keeps others from binding at: the same port at another address of
// this machine does not.
func inTheWay(local string, at netip.AddrPort) bool {
	addr, port, _ := strings.Cut(local, ":")
	raw, err := hex.DecodeString(addr)
	if err != nil || len(raw)%4 != 0 || port != fmt.Sprintf("%04X", at.Port()) {
		return false
	}
	for i := 0; i < len(raw); i += 4 { // words of the network, printed in the order of this machine
		binary.NativeEndian.PutUint32(raw[i:], binary.BigEndian.Uint32(raw[i:]))
	}
	a, ok := netip.AddrFromSlice(raw)
	a, b := a.Unmap(), at.Addr().Unmap()
	return ok && (a == b || every(a, b) || every(b, a))
}

// every says that a is the wildcard of each address of b's family; that of IPv6 is of both.
func every(a, b netip.Addr) bool { return a.IsUnspecified() && (a.Is6() || b.Is4()) }

// buffers tells what the machine grants less of than is asked for.
func (e *examiner) buffers() {
	const test = "limits"
	for _, w := range e.spec.Warnings {
		at := strings.LastIndex(w, ": ") // what to do stands behind it
		e.fault(test, w[at+2:], "%s", w[:max(0, at)])
	}
	if len(e.spec.Warnings) == 0 {
		e.ok(test, "socket buffers and open files are as the configuration asks")
	}
}
