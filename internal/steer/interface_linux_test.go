package steer_test

import (
	"bytes"
	"errors"
	"net/netip"
	"os"
	"testing"
	"time"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/cilium/ebpf/link"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"mediagate/internal/lab"
	"mediagate/internal/steer"
)

// A cable between two hosts, both of them namespaces of the test. The gateway's end is cable0.
var (
	cableOurs, cableNode   = netip.MustParseAddr("10.97.7.1"), netip.MustParseAddr("10.97.7.2")
	cableOther             = netip.MustParseAddr("10.97.7.3") // the node's too, and no node of a pool
	cableOurs6, cableNode6 = netip.MustParseAddr("fd97::1"), netip.MustParseAddr("fd97::2")
)

const cableEnd = "cable0"

// newCable makes both hosts.
func newCable(t *testing.T) (gateway, host *bed) {
	t.Helper()
	gateway, host = newBed(t), newBed(t)
	var ns *os.File
	var err error
	host.do(func() { ns, err = os.Open("/proc/thread-self/ns/net") })
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = ns.Close() }()
	gateway.do(func() {
		veth := &netlink.Veth{LinkAttrs: netlink.LinkAttrs{Name: cableEnd}, PeerName: "node0", PeerNamespace: netlink.NsFd(ns.Fd())}
		err = errors.Join(netlink.LinkAdd(veth), up(cableEnd, cableOurs, cableOurs6))
	})
	if err == nil {
		host.do(func() { err = up("node0", cableNode, cableOther, cableNode6) })
	}
	if err != nil {
		t.Fatal(err)
	}
	return gateway, host
}

// up gives an interface its addresses.
func up(name string, addrs ...netip.Addr) error {
	l, err := netlink.LinkByName(name)
	if err != nil {
		return err
	}
	for _, a := range addrs {
		n := netlink.NewIPNet(a.AsSlice())
		n.Mask[len(n.Mask)-1] = 0 // neighbours
		if err := netlink.AddrAdd(l, &netlink.Addr{IPNet: n, Flags: unix.IFA_F_NODAD}); err != nil {
			return err
		}
	}
	return netlink.LinkSetUp(l)
}

// openCable attaches to the gateway's end; what comes by sockets comes to loop.
func openCable(t *testing.T, gateway *bed, buffer int) (g *steer.Steering, loop *socket) {
	t.Helper()
	loop = gateway.bind(cableOurs, 0)
	loop6 := gateway.bind(cableOurs6, 0)
	s := steer.Spec{Lo: lo, Hi: hi, V4: []int{loop.fd()}, V6: []int{loop6.fd()}, Senders: []netip.Addr{cableNode, cableNode6},
		Interfaces: []string{cableEnd}, Buffer: buffer}
	g = gateway.openHere(s)
	i := g.Interfaces()[0]
	if i.Err != nil || len(i.Queues) != 1 || !i.Native {
		t.Fatalf("%d queues, native %v: %v", len(i.Queues), i.Native, i.Err)
	}
	return g, loop
}

// got are the datagrams that a queue has or gets soon, until there are n of them.
func got(t *testing.T, q *steer.Queue, n int) (all []string) {
	t.Helper()
	for len(all) < n {
		poll := []unix.PollFd{{Fd: int32(q.Descriptor()), Events: unix.POLLIN}}
		if ready, err := unix.Poll(poll, 10_000); ready != 1 {
			t.Fatalf("the queue has %d datagrams, want %d (%v)", len(all), n, err)
		}
		for i := range q.Receive(16) {
			from, _, b, _, ok := q.Datagram(i)
			if !ok || from.Addr() != cableNode && from.Addr() != cableNode6 {
				t.Errorf("a datagram of %s, ok %v", from, ok)
			}
			all = append(all, string(b))
		}
		q.Release()
	}
	return all
}

// TestInterface sends a datagram to each kind of place and looks for it in the queue, the loop's socket, and the port's own.
func TestInterface(t *testing.T) {
	gateway, host := newCable(t)
	g, loop := openCable(t, gateway, 1<<20)
	for _, at := range []netip.AddrPort{port(cableOurs, 20000), port(cableOurs, 20007), port(cableOurs6, 20003)} {
		gateway.hold(g, at)
	}
	queue := g.Interfaces()[0].Queues[0]
	long := bytes.Repeat([]byte("0123456789abcdef"), 200) // two fragments and more
	for _, tc := range []struct {
		name string
		from netip.Addr
		to   netip.AddrPort
		text string
		want string
	}{
		{"held", cableNode, port(cableOurs, 20000), "one", "queue"},
		{"held, the last port, nothing in it", cableNode, port(cableOurs, 20007), "", "queue"},
		{"held, as long as a frame may be", cableNode, port(cableOurs, 20007), string(long[:1472]), "queue"},
		{"IPv6", cableNode6, port(cableOurs6, 20003), "six", "queue"},
		{"in fragments", cableNode, port(cableOurs, 20000), string(long), "loop"},
		{"not held", cableNode, port(cableOurs, 20001), "two", own},
		{"not held in IPv6", cableNode6, port(cableOurs6, 20000), "two", own},
		{"out of the range", cableNode, port(cableOurs, 20008), "three", own},
		{"a stranger", cableOther, port(cableOurs, 20000), "four", own},
	} {
		t.Run(tc.name, func(t *testing.T) {
			bound := gateway.bind(tc.to.Addr(), tc.to.Port())
			defer func() { _ = bound.Close() }()
			host.bind(tc.from, 0).send(tc.to, tc.text)
			if tc.want == "queue" {
				if all := got(t, queue, 1); len(all) != 1 || all[0] != tc.text {
					t.Errorf("the queue has %q", all)
				}
				return
			}
			where := map[string]*socket{"loop": loop, own: bound}[tc.want]
			if b := where.wait(len(tc.text)); b != tc.text {
				t.Errorf("%s has %q", tc.want, b)
			}
			if n := queue.Receive(1); n != 0 {
				t.Errorf("the queue has %d", n)
			}
		})
	}
}

// TestInterfaceMemory: memory is used again and again, what there is no memory for is counted, and it goes on after that.
func TestInterfaceMemory(t *testing.T) {
	gateway, host := newCable(t)
	g, _ := openCable(t, gateway, 1) // as little as there can be: 64 frames
	at := port(cableOurs, 20000)
	gateway.hold(g, at)
	queue, sender := g.Interfaces()[0].Queues[0], host.bind(cableNode, 0)
	send := func(n int) (all []string) {
		for i := range n {
			text := string(rune('a'+i%26)) + string(bytes.Repeat([]byte{byte(i)}, i%1000))
			sender.send(at, text)
			all = append(all, text)
		}
		return all
	}
	for range 50 {
		if sent, all := send(30), got(t, queue, 30); !equal(sent, all) {
			t.Fatal("what came is not what was sent, in its order")
		}
	}
	const most = 64
	sent := send(200)
	lab.Eventually(15*time.Second, func() bool { return queue.Dropped() >= uint64(len(sent)-most) })
	if n := queue.Dropped(); n != uint64(len(sent)-most) {
		t.Errorf("%d dropped, want %d", n, len(sent)-most)
	}
	if all := got(t, queue, most); !equal(sent[:most], all) {
		t.Error("what came is not what was sent first")
	}
	if sent, all := send(3), got(t, queue, 3); !equal(sent, all) {
		t.Error("it does not go on")
	}
}

func equal(a, b []string) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}

// TestInterfaceRelease: what is let go, and what was closed, comes to its own socket again.
func TestInterfaceRelease(t *testing.T) {
	gateway, host := newCable(t)
	g, _ := openCable(t, gateway, 1<<20)
	at := port(cableOurs, 20000)
	bound, sender := gateway.bind(at.Addr(), at.Port()), host.bind(cableNode, 0)
	gateway.hold(g, at)
	sender.send(at, "held")
	got(t, g.Interfaces()[0].Queues[0], 1)
	if err := g.Release(at); err != nil {
		t.Fatal(err)
	}
	sender.send(at, "let go")
	if b := bound.wait(6); b != "let go" {
		t.Errorf("its own socket has %q", b)
	}
	gateway.hold(g, at)
	if err := g.Close(); err != nil {
		t.Fatal(err)
	}
	sender.send(at, "closed")
	if b := bound.wait(6); b != "closed" {
		t.Errorf("its own socket has %q", b)
	}
}

// TestInterfaceRefused: what an interface cannot is told, and the sockets serve.
func TestInterfaceRefused(t *testing.T) {
	gateway, host := newCable(t)
	loop := gateway.bind(cableOurs, 0)
	var other link.Link
	var err error
	gateway.do(func() {
		var p *ebpf.Program
		if p, err = ebpf.NewProgram(&ebpf.ProgramSpec{Type: ebpf.XDP, Instructions: asm.Instructions{asm.Mov.Imm(asm.R0, 2), asm.Return()}}); err != nil {
			return
		}
		var l netlink.Link
		if l, err = netlink.LinkByName(cableEnd); err == nil {
			other, err = link.AttachXDP(link.XDPOptions{Program: p, Interface: l.Attrs().Index, Flags: link.XDPDriverMode})
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = other.Close() }()
	g := gateway.openHere(steer.Spec{Lo: lo, Hi: hi, V4: []int{loop.fd()}, Interfaces: []string{cableEnd, "lo", "absent"}})
	for _, i := range g.Interfaces() {
		if i.Err == nil || len(i.Queues) != 0 {
			t.Errorf("%s: %d queues, %v", i.Name, len(i.Queues), i.Err)
		}
		t.Log(i.Name, i.Err)
	}
	at := port(cableOurs, 20000)
	gateway.hold(g, at)
	host.bind(cableNode, 0).send(at, "hello")
	if b := loop.wait(5); b != "hello" {
		t.Errorf("the loop has %q", b)
	}
}

// wait is a datagram that comes soon, for a busy machine.
func (s *socket) wait(size int) string {
	s.t.Helper()
	if err := s.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
		s.t.Fatal(err)
	}
	buf := make([]byte, size+1)
	n, _, err := s.ReadFromUDPAddrPort(buf)
	if err != nil {
		s.t.Fatal(err)
	}
	return string(buf[:n])
}
