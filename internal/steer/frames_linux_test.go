package steer_test

import (
	"errors"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"mediagate/internal/lab"
	"mediagate/internal/steer"
)

// TestInterfaceGrown: a frame that is longer than there was reason to make room for comes by the sockets. The MTU may be raised when
// the program is there.
func TestInterfaceGrown(t *testing.T) {
	gateway, host := newCable(t)
	g, loop := openCable(t, gateway, 1<<20)
	at := port(cableOurs, 20000)
	gateway.hold(g, at)
	for b, name := range map[*bed]string{gateway: cableEnd, host: "node0"} {
		var err error
		b.do(func() {
			var l netlink.Link
			if l, err = netlink.LinkByName(name); err == nil {
				err = netlink.LinkSetMTU(l, 3000)
			}
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	sender, queue := host.bind(cableNode, 0), g.Interfaces()[0].Queues[0]
	const room, headers = 2048 - unix.XDP_PACKET_HEADROOM, 14 + 20 + 8
	fits := strings.Repeat("f", room-headers)
	sender.send(at, fits)
	if all := got(t, queue, 1); all[0] != fits {
		t.Errorf("the queue has %d bytes", len(all[0]))
	}
	for _, size := range []int{len(fits) + 1, 2900} {
		long := strings.Repeat("l", size)
		sender.send(at, long)
		if b := loop.wait(size); b != long {
			t.Errorf("the loop has %d bytes of %d", len(b), size)
		}
	}
	if n := queue.Dropped(); n != 0 {
		t.Errorf("%d dropped", n)
	}
}

// TestInterfaceOfNoCard: a bridge hands over what a namespace sent at once, and what was joined below it, as one frame, which nobody
// could take apart. So it is left alone.
func TestInterfaceOfNoCard(t *testing.T) {
	gateway, host := newCable(t)
	var err error
	gateway.do(func() { err = bridge("bridge0", cableEnd, cableOurs) })
	if err != nil {
		t.Fatal(err)
	}
	loop := gateway.bind(cableOurs, 0)
	g := gateway.openHere(steer.Spec{Lo: lo, Hi: hi, V4: []int{loop.fd()}, Senders: []netip.Addr{cableNode}, Interfaces: []string{"bridge0"}, Buffer: 1 << 20})
	if i := g.Interfaces()[0]; !errors.Is(i.Err, steer.ErrUnsupported) || !strings.Contains(i.Err.Error(), "bridge") || len(i.Queues) != 0 {
		t.Errorf("%d queues, %v", len(i.Queues), i.Err)
	}
	at := port(cableOurs, 20000)
	gateway.hold(g, at)
	train := host.bind(cableNode, 0)
	if err := unix.SetsockoptInt(train.fd(), unix.SOL_UDP, unix.UDP_SEGMENT, 400); err != nil {
		t.Fatal(err)
	}
	all := strings.Repeat("a", 400) + strings.Repeat("b", 400) + strings.Repeat("c", 300)
	train.send(at, all)
	for _, want := range []string{all[:400], all[400:800], all[800:]} {
		if b := loop.wait(len(all)); b != want {
			t.Errorf("the loop has %.10q and so on, %d bytes", b, len(b))
		}
	}
}

// bridge makes a bridge of one port, with an address, and waits until that forwards.
func bridge(name, port string, addr netip.Addr) error {
	l, err := netlink.LinkByName(port)
	if err != nil {
		return err
	}
	addrs, err := netlink.AddrList(l, unix.AF_UNSPEC)
	for _, a := range addrs {
		err = errors.Join(err, netlink.AddrDel(l, &a))
	}
	b := &netlink.Bridge{LinkAttrs: netlink.LinkAttrs{Name: name}}
	if err := errors.Join(err, netlink.LinkAdd(b)); err != nil {
		return err
	}
	if err := errors.Join(netlink.LinkSetMaster(l, b), up(name, addr)); err != nil {
		return err
	}
	if !lab.Eventually(5*time.Second, func() bool {
		var now netlink.Link
		now, err = netlink.LinkByName(name)
		return err == nil && now.Attrs().OperState == netlink.OperUp
	}) {
		return errors.Join(err, errors.New("the bridge does not come up"))
	}
	return nil
}
