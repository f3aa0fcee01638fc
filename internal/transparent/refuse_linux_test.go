package transparent_test

import (
	"errors"
	"maps"
	"net/netip"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"mediagate/internal/lab"
	"mediagate/internal/transparent"
)

// heard collects what Watch tells.
type heard struct {
	mu  sync.Mutex
	all []transparent.Refusal
}

func (h *heard) tell(r transparent.Refusal) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.all = append(h.all, r)
}

// of are those of one reason, from and to alone.
func (h *heard) of(reason string) []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	var all []string
	for _, r := range h.all {
		if r.Reason == reason {
			all = append(all, r.From.String()+" to "+r.To.String())
		}
	}
	return all
}

// watch listens to the gateway's group until the end of the test.
func watch(t *testing.T, n *lab.Network, group uint16) *heard {
	t.Helper()
	h := &heard{}
	var w *transparent.Watcher
	var err error
	n.Gateway.Do(func() { w, err = transparent.Watch(group, h.tell) })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := w.Close(); err != nil {
			t.Error(err)
		}
	})
	return h
}

// connectScript tells the ICMP error that a TCP connect meets as the kernel tells it: by errno.
const connectScript = `import socket, sys, errno
s = socket.socket(socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET, int(sys.argv[4]))
s.settimeout(3)
if sys.argv[3] != "0": s.bind(("", int(sys.argv[3])))
try:
    s.connect((sys.argv[1], int(sys.argv[2])))
    s.send(b"x"); s.recv(9)
except OSError as e:
    print(errno.errorcode.get(e.errno, str(e)))
`

// attempt connects from an origin's port and gives the name of the errno.
func attempt(n *lab.Network, to netip.AddrPort, from, kind string) string {
	return strings.TrimSpace(n.Origins[0].Run("/usr/bin/python3", "-c", connectScript, to.Addr().String(),
		strconv.Itoa(int(to.Port())), from, kind))
}

func TestEverythingElseIsRefused(t *testing.T) {
	lab.Need(t, "ping", "/usr/bin/python3")
	n := lab.NewNetwork(t)
	rules := install(t, n, spec(n))
	h := watch(t, n, spec(n).LogGroup)
	const tcp, udp = "1", "2"
	for _, f := range families(n) {
		// Linux gives ICMP 3/13 to a connection as EHOSTUNREACH and ICMPv6 1/1 as EACCES.
		want := map[bool]string{true: "EHOSTUNREACH", false: "EACCES"}[f.client.Is4()]
		out, err := exec.Command("ip", "netns", "exec", n.Origins[0].Namespace, "ping", "-c", "1", "-W", "3", f.client.String()).CombinedOutput()
		// "Packet filtered" is ping's name for ICMP type 3 code 13.
		if err == nil || !strings.Contains(string(out), "Packet filtered") && !strings.Contains(string(out), "Administratively prohibited") {
			t.Errorf("%s: ping: %v: %s", f.name, err, out)
		}
		for _, try := range []struct {
			port       uint16
			from, kind string
		}{{80, "0", tcp}, {6970, "5005", udp}, {6970, "5004", udp}, {53, "0", udp}} {
			if got := attempt(n, at(f.client, try.port), try.from, try.kind); got != want {
				t.Errorf("%s: to port %d from %s: %q, want %s", f.name, try.port, try.from, got, want)
			}
		}
	}
	got := counts(t, n, rules)
	if want := []string{"icmp", "media", "tcp", "udp"}; !slices.Equal(slices.Sorted(maps.Keys(got)), want) {
		t.Errorf("counters %v, want those of %v", got, want)
	}
	for _, want := range []struct{ reason, what string }{
		{transparent.ReasonICMP, "10.99.2.2:0 to 10.99.1.2:0"}, {transparent.ReasonMedia, "10.99.2.2:5004 to 10.99.1.2:6970"},
		{transparent.ReasonMedia, "10.99.2.2:5005 to 10.99.1.2:6970"}, {transparent.ReasonMedia, "[fd99:2::2]:5004 to [fd99:1::2]:6970"},
		{transparent.ReasonICMP, "[fd99:2::2]:0 to [fd99:1::2]:0"},
	} {
		if !lab.Eventually(10*time.Second, func() bool { return slices.Contains(h.of(want.reason), want.what) }) {
			t.Errorf("not heard: %s, as %s; heard of it: %v", want.what, want.reason, h.of(want.reason))
		}
	}
	// What is for the gateway itself is no matter of the rules.
	n.Origins[0].Run("ping", "-c", "1", "-W", "3", n.GatewayInner.String())
	n.Origins[0].Run("ping", "-c", "1", "-W", "3", n.GatewayClient6.String())
	n.CheckForwardsNothing(t)
}

func TestForwarding(t *testing.T) {
	lab.Need(t, "/usr/bin/python3")
	n := lab.NewNetwork(t)
	n.Gateway.SetSysctl("net/ipv4/ip_forward", "1") // so that what is left to the kernel arrives
	client := listenUDP(t, n.Client, at(n.ClientAddr, 6970))
	const udp = "2"
	for _, tc := range []struct {
		forwarding transparent.Forwarding
		media, dns string // what the origin meets
	}{
		{transparent.Reject, "EHOSTUNREACH", "EHOSTUNREACH"}, {transparent.MediaOnly, "timed out", "EHOSTUNREACH"},
		{transparent.Off, "timed out", "ECONNREFUSED"},
	} {
		t.Run(tc.forwarding.String(), func(t *testing.T) {
			s := spec(n)
			s.Forwarding = tc.forwarding
			install(t, n, s)
			if got := attempt(n, at(n.ClientAddr, 6970), "5004", udp); got != tc.media {
				t.Errorf("media: %q, want %q", got, tc.media)
			}
			if tc.media == "timed out" {
				if text, from := read(t, client); text != "x" || from != at(n.OriginAddrs[0], 5004) {
					t.Errorf("the client got %q from %v", text, from)
				}
			}
			if got := attempt(n, at(n.ClientAddr, 53), "0", udp); got != tc.dns {
				t.Errorf("other UDP: %q, want %q", got, tc.dns)
			}
		})
	}
}

// An interface of the origins' side is held to the same as the nodes.
func TestInterfaces(t *testing.T) {
	lab.Need(t, "/usr/bin/python3")
	n := lab.NewNetwork(t)
	s := spec(n)
	s.Origins = []netip.Addr{n.OriginAddrs[1]}
	rules := install(t, n, s)
	attempt(n, at(n.ClientAddr, 53), "0", "2")
	if got := counts(t, n, rules); len(got) != 0 {
		t.Errorf("a machine that is no node was counted: %v", got)
	}
	s.Interfaces = []string{lab.OriginLink}
	rules = install(t, n, s)
	if got := attempt(n, at(n.ClientAddr, 53), "0", "2"); got != "EHOSTUNREACH" {
		t.Errorf("got %q, want EHOSTUNREACH", got)
	}
	if diff := cmp.Diff(map[string]uint64{"udp": 1}, counts(t, n, rules)); diff != "" {
		t.Error("counters:", diff)
	}
}

// An origin that goes on with a connection that is gone is reset, not left to try for a quarter of an hour.
func TestLateTCPIsReset(t *testing.T) {
	n := lab.NewNetwork(t)
	rules := install(t, n, spec(n))
	serve(t, n.Origins[0], at(n.OriginAddrs[0], 554))
	c, _ := dialAs(t, n, at(n.ClientAddr, 40000), at(n.OriginAddrs[0], 554))
	raw, err := c.(interface {
		SyscallConn() (syscall.RawConn, error)
	}).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	// TCP_REPAIR: a socket that is closed so says nothing to the other side, like one of a machine that lost power.
	const repair = 19
	if err := errors.Join(raw.Control(func(fd uintptr) { err = syscall.SetsockoptInt(int(fd), syscall.IPPROTO_TCP, repair, 1) }), err, c.Close()); err != nil {
		t.Fatal(err)
	}
	if !lab.Eventually(15*time.Second, func() bool { return counts(t, n, rules)["late"] > 0 }) {
		t.Errorf("counters %v, want some of late", counts(t, n, rules))
	}
	tries := func() string { return n.Origins[0].Run("ss", "-Htn", "state", "last-ack") }
	if !lab.Eventually(5*time.Second, func() bool { return tries() == "" }) { // it would for minutes
		t.Errorf("the origin still tries: %s", tries())
	}
}

// Two processes cannot read one group: the second says why.
func TestWatchOfATakenGroup(t *testing.T) {
	lab.Leak(t)
	n := lab.NewNetwork(t)
	watch(t, n, 5004)
	n.Gateway.Do(func() {
		if _, err := transparent.Watch(5004, func(transparent.Refusal) {}); !errors.Is(err, syscall.EBUSY) {
			t.Errorf("got %v, want EBUSY", err)
		}
	})
}
