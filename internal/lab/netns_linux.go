package lab

import (
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
)

// namespacePrefix begins the name of each namespace of ours, followed by the
// id of the test process, so that a later one finds what a killed one left.
const namespacePrefix = "mglab-"

// Host is a machine of its own: a network namespace. It is joined to other
// hosts of the test only, never to the network of the machine.
type Host struct {
	Namespace string
	t         testing.TB
}

// newHost makes a namespace with its loopback up. The cleanup kills what still
// runs in it and removes it; interfaces in it go with it.
func newHost(t testing.TB, number *atomic.Int32, role string) *Host {
	t.Helper()
	h := &Host{Namespace: fmt.Sprintf("%s%d-%d-%s", namespacePrefix, os.Getpid(), number.Add(1), role), t: t}
	ip(t, "netns", "add", h.Namespace)
	t.Cleanup(func() { removeNamespace(h.Namespace) })
	h.ip("link", "set", "lo", "up")
	return h
}

// ip runs ip(8) inside the host.
func (h *Host) ip(args ...string) {
	h.t.Helper()
	ip(h.t, append([]string{"-n", h.Namespace}, args...)...)
}

// Run runs a short program inside the host and gives what it wrote, both
// streams; a failure of the program fails the test.
func (h *Host) Run(name string, args ...string) string {
	h.t.Helper()
	out, err := exec.Command("ip", append([]string{"netns", "exec", h.Namespace, name}, args...)...).CombinedOutput()
	if err != nil {
		h.t.Fatalf("lab: %s in %s: %v: %s", name, h.Namespace, err, out)
	}
	return string(out)
}

// Sysctl reads a kernel setting of the host, such as "net.ipv4.ip_forward".
func (h *Host) Sysctl(name string) string {
	h.t.Helper()
	path := filepath.Join("/proc/sys", strings.ReplaceAll(name, ".", "/"))
	return strings.TrimSpace(h.Run("cat", path))
}

// Socket is one listening TCP or bound UDP socket of a host.
type Socket struct {
	Network string // "tcp" or "udp"
	Local   netip.AddrPort
}

// Sockets lists the listening TCP and all UDP sockets of the host.
func (h *Host) Sockets() []Socket {
	h.t.Helper()
	var all []Socket
	for line := range strings.Lines(h.Run("ss", "-H", "-n", "-l", "-t", "-u")) {
		f := strings.Fields(line)
		if len(f) < 5 {
			continue
		}
		// ss writes "*" for the unspecified address of both families and
		// "%interface" behind an address that is bound to one.
		local := strings.Replace(f[4], "*:", "[::]:", 1)
		addr, err := netip.ParseAddrPort(local)
		if err != nil {
			h.t.Fatalf("lab: ss in %s: %q: %v", h.Namespace, line, err)
		}
		all = append(all, Socket{Network: f[0], Local: addr})
	}
	return all
}

// ip runs ip(8); a failure fails the test.
func ip(t testing.TB, args ...string) {
	t.Helper()
	if out, err := exec.Command("ip", args...).CombinedOutput(); err != nil {
		t.Fatalf("lab: ip %s: %v: %s", strings.Join(args, " "), err, out)
	}
}

// removeNamespace kills what runs in a namespace of ours, by process id, and
// removes it. Its errors are not told: it runs in cleanups.
func removeNamespace(name string) {
	out, _ := exec.Command("ip", "netns", "pids", name).Output()
	for _, text := range strings.Fields(string(out)) {
		if pid, err := strconv.Atoi(text); err == nil {
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
	}
	_ = exec.Command("ip", "netns", "del", name).Run()
}

// sweepNamespaces removes namespaces of test processes that are no more: one
// that was killed had no cleanup.
func sweepNamespaces() {
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
