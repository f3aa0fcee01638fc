package steer

import (
	"errors"
	"fmt"
	"net"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// Interface is a network interface whose frames are led to queues before the kernel's own stack sees them.
type Interface struct {
	Name   string
	Native bool     // in its driver, not after the kernel has made a buffer of its own for each frame
	Queues []*Queue // by number; none if Err says why not
	Err    error

	sockets *ebpf.Map
	program *ebpf.Program
	link    link.Link
}

// mostQueues of an interface are served.
const mostQueues = 64

// Interfaces are those of the Spec, in its order, with what came of each.
func (g *Steering) Interfaces() []*Interface { return g.interfaces }

// openInterfaces never fails: what cannot be done at one of them leaves its datagrams to the sockets.
func (g *Steering) openInterfaces() {
	for _, name := range g.spec.Interfaces {
		i := &Interface{Name: name}
		if i.Err = g.openInterface(i); i.Err != nil {
			_ = i.close() // the first fault is the one that counts
			i.Queues = nil
		}
		g.interfaces = append(g.interfaces, i)
	}
}

func (g *Steering) openInterface(i *Interface) error {
	nic, err := net.InterfaceByName(i.Name)
	if err != nil {
		return fmt.Errorf("find interface: %w", err)
	}
	if len(nic.HardwareAddr) != 6 {
		return fmt.Errorf("%w: it is no Ethernet", ErrUnsupported)
	}
	count, size, err := chunks(g.spec.Buffer, nic.MTU)
	if err != nil {
		return err
	}
	if i.sockets, err = ebpf.NewMap(&ebpf.MapSpec{Name: "mg_queues", Type: ebpf.XSKMap, KeySize: 4, ValueSize: 4, MaxEntries: mostQueues}); err != nil {
		return explain("make map of queues", err)
	}
	for number := range mostQueues {
		q, err := openQueue(nic.Index, number, count, size)
		if errors.Is(err, errNoQueue) {
			break
		}
		if err != nil {
			return err
		}
		i.Queues = append(i.Queues, q)
		if err := i.sockets.Put(uint32(number), uint32(q.fd)); err != nil {
			return explain("note queue", err)
		}
	}
	i.program, err = ebpf.NewProgram(&ebpf.ProgramSpec{
		Name: "mg_express", Type: ebpf.XDP, Instructions: g.express([6]byte(nic.HardwareAddr), size-chunkHead, i.sockets),
	})
	if err != nil {
		return explain("load program", err)
	}
	return i.attach(nic.Index)
}

// card is the kind of an interface that is not a virtual one, such as bridge or vlan.
const card = "device"

// attach links the program to the interface, in its driver if that can. Otherwise only to a card: the kernel then keeps from joining
// what comes by it, but a bridge or a VLAN has what the interfaces below have joined, or what a namespace of this machine sent as one.
func (i *Interface) attach(index int) (err error) {
	opts := link.XDPOptions{Program: i.program, Interface: index, Flags: link.XDPDriverMode}
	if i.link, err = link.AttachXDP(opts); err == nil {
		i.Native = true
		return nil
	}
	if errors.Is(err, unix.EBUSY) || errors.Is(err, unix.EEXIST) {
		return explain("attach program, where there is one already", err)
	}
	if nic, fault := netlink.LinkByIndex(index); fault == nil && nic.Type() != card {
		return fmt.Errorf("%w: a %s shows trains of datagrams as one, unless the driver takes the program: %w", ErrUnsupported, nic.Type(), err)
	}
	opts.Flags = link.XDPGenericMode
	if i.link, err = link.AttachXDP(opts); err != nil {
		return explain("attach program", err)
	}
	return nil
}

// close leaves the frames to the kernel's own stack again. The queues must not be in use.
func (i *Interface) close() error {
	var errs []error
	if i.link != nil {
		errs = append(errs, i.link.Close())
	}
	errs = append(errs, i.program.Close(), i.sockets.Close()) // nil ones do nothing
	for _, q := range i.Queues {
		errs = append(errs, q.close())
	}
	return errors.Join(errs...)
}
