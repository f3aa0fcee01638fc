package steer_test

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"runtime"
	"testing"
	"time"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"mediagate/internal/lab"
	"mediagate/internal/steer"
)

// Addresses of the test's namespace; nothing of the machine's is in it.
var (
	ours, others   = netip.MustParseAddr("127.0.0.190"), netip.MustParseAddr("127.0.0.191")
	node, stranger = netip.MustParseAddr("127.0.0.192"), netip.MustParseAddr("127.0.0.193")
	ours6, node6   = netip.MustParseAddr("fd00::190"), netip.MustParseAddr("fd00::192")
	stranger6      = netip.MustParseAddr("fd00::193")
)

// bed is a network namespace with a thread in it, and sockets that the thread made.
type bed struct {
	t     *testing.T
	tasks chan func()
}

// newBed makes a namespace with the addresses above. It goes when its thread and its sockets have gone.
func newBed(t *testing.T) *bed {
	t.Helper()
	lab.NeedRoot(t)
	b := &bed{t: t, tasks: make(chan func())}
	t.Cleanup(func() { close(b.tasks) })
	ready := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // and never unlocked: the thread ends with the goroutine, being of no use to others
		err := unix.Unshare(unix.CLONE_NEWNET)
		if err == nil {
			err = loopback()
		}
		ready <- err
		for task := range b.tasks {
			task()
		}
	}()
	if err := <-ready; err != nil {
		t.Fatal(err)
	}
	return b
}

// loopback brings the namespace's loopback up, with addresses of IPv6.
func loopback() error {
	lo, err := netlink.LinkByName("lo")
	if err != nil {
		return err
	}
	if err := netlink.LinkSetUp(lo); err != nil {
		return err
	}
	for _, a := range []netip.Addr{ours6, node6, stranger6} {
		// IFA_F_NODAD: of use at once, there is nobody to ask whether the address is taken.
		addr := &netlink.Addr{IPNet: netlink.NewIPNet(a.AsSlice()), Flags: unix.IFA_F_NODAD}
		if err := netlink.AddrAdd(lo, addr); err != nil {
			return err
		}
	}
	// The kernel takes an address of IPv6 for its own in a task of its own, later; what comes before that is lost.
	var missing error
	if !lab.Eventually(10*time.Second, func() bool { missing = allLocal(ours6, node6, stranger6); return missing == nil }) {
		return missing
	}
	return nil
}

// allLocal tells of an address that is not the namespace's own yet.
func allLocal(addrs ...netip.Addr) error {
	for _, a := range addrs {
		routes, err := netlink.RouteGet(a.AsSlice())
		if err != nil {
			return err
		}
		if len(routes) != 1 || routes[0].Type != unix.RTN_LOCAL {
			return fmt.Errorf("%s is not local: %v", a, routes)
		}
	}
	return nil
}

// do runs f on the thread in the namespace.
func (b *bed) do(f func()) {
	done := make(chan struct{})
	b.tasks <- func() { defer close(done); f() }
	<-done
}

// socket is a bound UDP socket of the bed.
type socket struct {
	*net.UDPConn
	t *testing.T
}

// bind makes a socket in the namespace; port 0 means any.
func (b *bed) bind(at netip.Addr, port uint16) *socket {
	b.t.Helper()
	var conn *net.UDPConn
	var err error
	b.do(func() { conn, err = net.ListenUDP("udp", net.UDPAddrFromAddrPort(netip.AddrPortFrom(at, port))) })
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(func() { _ = conn.Close() })
	return &socket{conn, b.t}
}

// connect makes a socket that is bound and connected.
func (b *bed) connect(at, to netip.AddrPort) *socket {
	b.t.Helper()
	var conn *net.UDPConn
	var err error
	b.do(func() { conn, err = net.DialUDP("udp", net.UDPAddrFromAddrPort(at), net.UDPAddrFromAddrPort(to)) })
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(func() { _ = conn.Close() })
	return &socket{conn, b.t}
}

// fd is the socket's descriptor, without a copy of it.
func (s *socket) fd() int {
	s.t.Helper()
	raw, err := s.SyscallConn()
	if err != nil {
		s.t.Fatal(err)
	}
	var fd int
	if err := raw.Control(func(d uintptr) { fd = int(d) }); err != nil {
		s.t.Fatal(err)
	}
	return fd
}

// at is where the socket is bound.
func (s *socket) at() netip.AddrPort { return s.LocalAddr().(*net.UDPAddr).AddrPort() }

// send sends one datagram.
func (s *socket) send(to netip.AddrPort, text string) {
	s.t.Helper()
	if _, err := s.WriteToUDPAddrPort([]byte(text), to); err != nil {
		s.t.Fatalf("send to %s: %v", to, err)
	}
}

// waiting is the text of the next datagram that comes to the socket, "" if none does.
func (s *socket) waiting() string {
	s.t.Helper()
	return s.within(10 * time.Second) // on a loopback it is there already, but for a machine that is busy
}

// empty looks whether nothing has come to the socket, once something that was sent later, or the same, has come elsewhere.
func (s *socket) empty() bool {
	s.t.Helper()
	return s.within(time.Millisecond) == ""
}

func (s *socket) within(d time.Duration) string {
	s.t.Helper()
	if err := s.SetReadDeadline(time.Now().Add(d)); err != nil {
		s.t.Fatal(err)
	}
	buf := make([]byte, 100)
	n, _, err := s.ReadFromUDPAddrPort(buf)
	if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
		s.t.Fatal(err)
	}
	return string(buf[:n])
}

// open attaches, and detaches at the end of the test.
func (b *bed) open(s steer.Spec) *steer.Steering {
	b.t.Helper()
	g, err := steer.Open(s)
	return b.opened(g, err)
}

// openHere is open by the thread that is in the namespace, where interfaces have their names.
func (b *bed) openHere(s steer.Spec) (g *steer.Steering) {
	b.t.Helper()
	var err error
	b.do(func() { g, err = steer.Open(s) })
	return b.opened(g, err)
}

func (b *bed) opened(g *steer.Steering, err error) *steer.Steering {
	b.t.Helper()
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(func() {
		if err := g.Close(); err != nil {
			b.t.Error(err)
		}
	})
	return g
}

func (b *bed) hold(g *steer.Steering, at netip.AddrPort) {
	b.t.Helper()
	if err := g.Hold(at); err != nil {
		b.t.Fatal(err)
	}
}

// attached is the number of programs in the namespace.
func (b *bed) attached() int {
	b.t.Helper()
	var found *link.QueryResult
	var err error
	b.do(func() {
		var ns *os.File
		if ns, err = os.Open("/proc/thread-self/ns/net"); err != nil {
			return
		}
		defer func() { _ = ns.Close() }()
		found, err = link.QueryPrograms(link.QueryOptions{Target: int(ns.Fd()), Attach: ebpf.AttachSkLookup})
	})
	if err != nil {
		b.t.Fatal(err)
	}
	return len(found.Programs)
}
