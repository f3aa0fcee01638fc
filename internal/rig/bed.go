//go:build linux

package main

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// namespacePrefix begins the name of each namespace of ours, followed by the id of the process.
const namespacePrefix = "mgrig-"

// The hosts of the bed, as their namespaces are called.
const (
	originHost  = "origin"
	gatewayHost = "gateway"
	clientHost  = "client"
)

// The addresses of the bed. Every flow has a client address of its own behind the client, as viewers on the internet
// have: the gateway sends all of them to one neighbour.
var (
	clientAddr    = netip.MustParseAddr("10.97.0.2")
	gatewayClient = netip.MustParseAddr("10.97.0.1")
	gatewayOrigin = netip.MustParseAddr("10.98.0.1")
	originAddr    = netip.MustParseAddr("10.98.0.2")
)

const viewersNet = "10.96.0.0/16"

// mediaPort is where origins send from, and where clients see media come from.
const mediaPort = 5004

// viewer is the client address and port of the i-th flow.
func viewer(i int) netip.AddrPort {
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 96, byte(1 + i/250), byte(1 + i%250)}), 40000)
}

// bed is the three hosts.
type bed struct {
	originLink, clientLink string // the gateway's interfaces; unlike any other of the machine, for their NAPI threads
	napi                   []int  // ids of the kernel threads that receive for the gateway
	receive                string // how the gateway receives: receiveThread or receiveSoftirq
}

// How the gateway's receive path is led to the relay's core.
const (
	receiveThread  = "thread"  // threaded NAPI, pinned: GRO works, and the thread's time is its own
	receiveSoftirq = "softirq" // RPS: a softirq upon an interrupt from the generator's core
)

func namespace(host string) string { return namespacePrefix + strconv.Itoa(os.Getpid()) + "-" + host }

// newBed makes the namespaces. After an error nothing is left.
func newBed(ctx context.Context, receive string) (*bed, error) {
	sweep()
	tag := strconv.FormatInt(int64(os.Getpid()), 36)
	b := &bed{originLink: "o" + tag, clientLink: "c" + tag, receive: receive}
	if err := b.build(ctx); err != nil {
		b.close()
		return nil, err
	}
	return b, nil
}

func (b *bed) build(ctx context.Context) error {
	for _, host := range []string{originHost, gatewayHost, clientHost} {
		if err := run(ctx, "ip", "netns", "add", namespace(host)); err != nil {
			return err
		}
		if err := b.in(ctx, host, "ip", "link", "set", "lo", "up"); err != nil {
			return err
		}
	}
	if err := b.join(ctx, originHost, originAddr, b.originLink, gatewayOrigin); err != nil {
		return err
	}
	if err := b.join(ctx, clientHost, clientAddr, b.clientLink, gatewayClient); err != nil {
		return err
	}
	script := strings.NewReplacer("ORIGIN", b.originLink, "CLIENT", b.clientLink).Replace(gatewaySetup)
	if err := b.in(ctx, gatewayHost, "sh", "-ec", script); err != nil {
		return err
	}
	if err := b.in(ctx, clientHost, "sh", "-ec", clientSetup); err != nil {
		return err
	}
	// veth receives by NAPI, without which there is neither GRO nor a thread, only what comes from a sender without TSO.
	if err := b.in(ctx, originHost, "ethtool", "-K", "eth0", "tso", "off"); err != nil {
		return err
	}
	return b.lead(ctx)
}

// gatewaySetup makes the interfaces like those of a common network card: GRO on receive, no segmentation of UDP on
// send.
const gatewaySetup = `ethtool -K ORIGIN gro on
ethtool -K CLIENT gro off tx-udp-segmentation off
ip route add ` + viewersNet + ` via 10.97.0.2
sysctl -qw net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.default.rp_filter=0
sysctl -qw net.ipv4.ip_local_port_range="1024 4999"
`

// clientSetup makes the client; what comes to viewers, the sink drops.
const clientSetup = `ethtool -K eth0 gro off
ip route add default via 10.97.0.1
`

// join lays a cable from a host, whose end is eth0, to the gateway.
func (b *bed) join(ctx context.Context, host string, addr netip.Addr, link string, gateway netip.Addr) error {
	ns, gw := namespace(host), namespace(gatewayHost)
	for _, args := range [][]string{
		{"-n", ns, "link", "add", "eth0", "type", "veth", "peer", "name", link, "netns", gw},
		{"-n", ns, "addr", "add", netip.PrefixFrom(addr, 24).String(), "dev", "eth0"},
		{"-n", gw, "addr", "add", netip.PrefixFrom(gateway, 24).String(), "dev", link},
		{"-n", ns, "link", "set", "eth0", "up"},
		{"-n", gw, "link", "set", link, "up"},
	} {
		if err := run(ctx, "ip", args...); err != nil {
			return err
		}
	}
	if host == originHost {
		return run(ctx, "ip", "-n", ns, "route", "add", "default", "via", gateway.String())
	}
	return nil
}

// lead brings the receive path of both of the gateway's interfaces to the relay's core. The client's stays where the
// gateway sends: to be counted and dropped there costs less than to interrupt the other core for each packet would.
func (b *bed) lead(ctx context.Context) error {
	if b.receive == receiveSoftirq {
		return b.in(ctx, gatewayHost, "sh", "-ec", rps(b.originLink, relayCore)+rps(b.clientLink, relayCore))
	}
	err := b.in(ctx, gatewayHost, "sh", "-ec", rps(b.clientLink, relayCore)+
		"echo 1 >/sys/class/net/"+b.originLink+"/threaded\n")
	if err != nil {
		return err
	}
	b.napi, err = kernelThreads("napi/" + b.originLink + "-")
	if err != nil {
		return err
	}
	for _, pid := range b.napi {
		if err := pin(pid, relayCore); err != nil {
			return err
		}
		if err := raise(pid, receivePriority); err != nil {
			return err
		}
	}
	return nil
}

// rps is the line of shell that leads what an interface receives to a core.
func rps(link string, core int) string {
	return fmt.Sprintf("echo %x >/sys/class/net/%s/queues/rx-0/rps_cpus\n", 1<<core, link)
}

// close removes the namespaces and what runs in them.
func (b *bed) close() {
	for _, host := range []string{originHost, gatewayHost, clientHost} {
		removeNamespace(namespace(host))
	}
}

// in runs a short program inside a host.
func (b *bed) in(ctx context.Context, host, name string, args ...string) error {
	return run(ctx, "ip", append([]string{"netns", "exec", namespace(host), name}, args...)...)
}

// run runs a short program.
func run(ctx context.Context, name string, args ...string) error {
	if out, err := exec.CommandContext(ctx, name, args...).CombinedOutput(); err != nil {
		return fmt.Errorf("rig: run %s %s: %w: %s", name, strings.Join(args, " "), err, out)
	}
	return nil
}

// inside calls f on a thread that is in the namespace of a host: sockets that it makes stay there.
func inside(host string, f func() error) error {
	done := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // and never unlocked: the thread ends with the goroutine
		fd, err := unix.Open("/run/netns/"+namespace(host), unix.O_RDONLY|unix.O_CLOEXEC, 0)
		if err != nil {
			done <- fmt.Errorf("rig: open namespace of %s: %w", host, err)
			return
		}
		defer func() { _ = unix.Close(fd) }()
		if err := unix.Setns(fd, unix.CLONE_NEWNET); err != nil {
			done <- fmt.Errorf("rig: enter namespace of %s: %w", host, err)
			return
		}
		done <- f()
	}()
	return <-done
}

// kernelThreads finds the threads of the kernel whose name begins so.
func kernelThreads(prefix string) ([]int, error) {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil, fmt.Errorf("rig: list processes: %w", err)
	}
	var found []int
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		if comm, err := os.ReadFile("/proc/" + e.Name() + "/comm"); err == nil && strings.HasPrefix(string(comm), prefix) {
			found = append(found, pid)
		}
	}
	if len(found) == 0 {
		return nil, fmt.Errorf("rig: find kernel thread %q: there is none", prefix)
	}
	return found, nil
}

// removeNamespace ends what still runs in a namespace of ours, by process id, and removes it. Its errors are not told:
// it runs at the end.
func removeNamespace(name string) {
	out, _ := exec.Command("ip", "netns", "pids", name).Output()
	for _, text := range strings.Fields(string(out)) {
		if pid, err := strconv.Atoi(text); err == nil && pid != os.Getpid() {
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
	}
	_ = exec.Command("ip", "netns", "del", name).Run()
}

// sweep removes the namespaces of runs that are no more.
func sweep() {
	entries, err := os.ReadDir("/run/netns")
	if err != nil {
		return // none was ever made
	}
	for _, e := range entries {
		rest, ours := strings.CutPrefix(e.Name(), namespacePrefix)
		if !ours {
			continue
		}
		pid, _, _ := strings.Cut(rest, "-")
		if _, err := os.Stat("/proc/" + pid); err != nil {
			removeNamespace(e.Name())
		}
	}
}
