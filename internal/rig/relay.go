//go:build linux

package main

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"strconv"
	"strings"
)

// relay is something that passes media on from the origin to the clients.
type relay interface {
	// open makes the flows and returns where the origin sends each, in order.
	open(ctx context.Context, b *bed, flows int) ([]netip.AddrPort, error)
	// pids are the processes whose time is the relay's, none if the kernel is the relay.
	pids() []int
	// session is what one session adds to the resident memory, in bytes.
	session() int64
	// close ends it.
	close()
}

// errAbsent says that a program is not installed.
type errAbsent struct{ program string }

func (e errAbsent) Error() string { return "rig: start relay: " + e.program + " is not installed" }

// newRelay makes the relay of a name.
func newRelay(name string) (relay, error) {
	switch name {
	case "routing":
		return routing{}, nil
	case "nat":
		return nat{}, nil
	case "plain", "fast", "steer", "xdp":
		return &ours{engine: name}, nil
	case "rtpengine":
		return &rtpengine{}, nil
	case "coturn":
		return &coturn{}, nil
	}
	return nil, fmt.Errorf("rig: choose relay: there is no %q", name)
}

// routing is the kernel's forwarding alone: the origin sends to the client itself.
type routing struct{}

func (routing) open(ctx context.Context, b *bed, flows int) ([]netip.AddrPort, error) {
	to := make([]netip.AddrPort, flows)
	for i := range to {
		to[i] = viewer(i)
	}
	return to, b.in(ctx, gatewayHost, "sysctl", "-qw", "net.ipv4.ip_forward=1")
}

func (routing) pids() []int    { return nil }
func (routing) session() int64 { return 0 }
func (routing) close()         {}

// nat is the kernel's forwarding with both addresses rewritten, as the recipe did that this project replaces: a port of
// the gateway for each flow towards the origin, and one for all towards the clients.
type nat struct{}

// natPort is the gateway's port of a flow.
func natPort(i int) uint16 { return uint16(20000 + 2*i) }

func (nat) open(ctx context.Context, b *bed, flows int) ([]netip.AddrPort, error) {
	var rules strings.Builder
	fmt.Fprintf(&rules, "table ip rig {\n\tmap viewers {\n\t\ttype inet_service : ipv4_addr . inet_service\n\t\telements = {")
	to := make([]netip.AddrPort, flows)
	for i := range to {
		to[i] = netip.AddrPortFrom(gatewayOrigin, natPort(i))
		fmt.Fprintf(&rules, " %d : %v . %d,", natPort(i), viewer(i).Addr(), viewer(i).Port())
	}
	fmt.Fprintf(&rules, " }\n\t}\n\tchain in {\n\t\ttype nat hook prerouting priority dstnat;\n"+
		"\t\tip daddr %v dnat ip to udp dport map @viewers\n\t}\n\tchain out {\n\t\ttype nat hook postrouting priority srcnat;\n"+
		"\t\tip daddr %s udp sport %d snat to %v:%d\n\t}\n}\n", gatewayOrigin, viewersNet, mediaPort, gatewayClient, mediaPort)
	file, err := os.CreateTemp("", "mgrig-*.nft")
	if err != nil {
		return nil, fmt.Errorf("rig: write rules: %w", err)
	}
	defer func() { _ = os.Remove(file.Name()) }()
	if _, err = file.WriteString(rules.String()); err != nil {
		return nil, fmt.Errorf("rig: write rules: %w", err)
	}
	if err = file.Close(); err != nil {
		return nil, fmt.Errorf("rig: write rules: %w", err)
	}
	if err = b.in(ctx, gatewayHost, "nft", "-f", file.Name()); err != nil {
		return nil, err
	}
	return to, b.in(ctx, gatewayHost, "sysctl", "-qw", "net.ipv4.ip_forward=1")
}

func (nat) pids() []int    { return nil }
func (nat) session() int64 { return 0 }
func (nat) close()         {}

// resident is the resident memory of a process in bytes.
func resident(pid int) (int64, error) {
	text, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/status")
	if err != nil {
		return 0, fmt.Errorf("rig: read memory of %d: %w", pid, err)
	}
	for line := range strings.Lines(string(text)) {
		f := strings.Fields(line)
		if len(f) == 3 && f[0] == "VmRSS:" {
			kib, err := strconv.ParseInt(f[1], 10, 64)
			if err != nil {
				return 0, fmt.Errorf("rig: read memory of %d: %w", pid, err)
			}
			return kib << 10, nil
		}
	}
	return 0, fmt.Errorf("rig: read memory of %d: no VmRSS", pid)
}
