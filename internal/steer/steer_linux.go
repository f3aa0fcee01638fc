package steer

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"sync"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"
	"golang.org/x/sys/unix"
)

// Steering is a program that is attached. Its methods are safe for concurrent use.
type Steering struct {
	spec Spec

	mu                   sync.Mutex // guards what follows, so that no call meets a closed map
	ports, held, sockets *ebpf.Map  // ports has an address of each port, held the others
	senders              *ebpf.Map  // nil when all are led away, or few
	slots                map[uint16]slot
	program              *ebpf.Program
	link                 link.Link
	interfaces           []*Interface // never changed after Open
	closed               bool
}

// perPort is how many addresses of ours may hold each port at the same time; what is held on top stays at its own
// socket. Entries take memory only while they are there.
const perPort = 4

// Open attaches a program to the network namespace of the sockets. Nothing is led away until Hold says so. The error
// matches ErrUnsupported if the process may not, or the kernel cannot.
func Open(s Spec) (*Steering, error) {
	g := &Steering{spec: s, slots: make(map[uint16]slot)}
	err := s.check()
	if err == nil {
		err = g.open()
	}
	if err != nil {
		_ = g.Close() // the first fault is the one that counts
		return nil, fmt.Errorf("steer: open ports %d-%d: %w", s.Lo, s.Hi, err)
	}
	g.openInterfaces()
	return g, nil
}

func (g *Steering) open() (err error) {
	ports := uint32(g.spec.Hi-g.spec.Lo) + 1
	// BPF_F_NO_PREALLOC: a range of 10,000 ports is seldom full.
	if g.held, err = newMap("mg_held", ebpf.Hash, keySize, ports*perPort, unix.BPF_F_NO_PREALLOC); err != nil {
		return explain("make map of ports", err)
	}
	if g.ports, err = newMap("mg_ports", ebpf.Array, 4, ports, 0); err != nil {
		return explain("make array of ports", err)
	}
	if g.sockets, err = newMap("mg_sockets", ebpf.SockMap, 4, uint32(2*g.spec.loops()), 0); err != nil {
		return explain("make map of sockets", err)
	}
	if err := g.putSockets(); err != nil {
		return err
	}
	if err := g.putSenders(); err != nil {
		return err
	}
	g.program, err = ebpf.NewProgram(&ebpf.ProgramSpec{
		Name:         "mg_steer",
		Type:         ebpf.SkLookup,
		AttachType:   ebpf.AttachSkLookup,
		Instructions: g.instructions(),
	})
	if err != nil {
		return explain("load program", err)
	}
	return g.attach()
}

// putSockets notes the sockets: those of IPv4 first, then those of IPv6.
func (g *Steering) putSockets() error {
	for family, fds := range [][]int{g.spec.V4, g.spec.V6} {
		for i, fd := range fds {
			at := uint32(family*g.spec.loops() + i)
			if err := g.sockets.Put(at, uint32(fd)); err != nil {
				return explain(fmt.Sprintf("note socket %d", fd), err)
			}
		}
	}
	return nil
}

func (g *Steering) putSenders() (err error) {
	if n := len(g.spec.Senders); g.spec.Senders == nil || n > 0 && n <= fewSenders {
		return nil
	}
	n := uint32(max(1, len(g.spec.Senders)))
	if g.senders, err = newMap("mg_senders", ebpf.Hash, 16, n, 0); err != nil {
		return explain("make map of senders", err)
	}
	for _, a := range g.spec.Senders {
		if err := g.senders.Put(a.As16(), uint32(1)); err != nil {
			return explain(fmt.Sprintf("note sender %s", a), err)
		}
	}
	return nil
}

// attach links the program to the namespace that the first socket is in: the thread that runs this may be in another.
func (g *Steering) attach() error {
	fds := append(append([]int(nil), g.spec.V4...), g.spec.V6...)
	ns, err := unix.IoctlRetInt(fds[0], unix.SIOCGSKNS)
	if err != nil {
		return explain("find network namespace", err)
	}
	defer func() { _ = unix.Close(ns) }() // the link holds the namespace itself
	if g.link, err = link.AttachNetNs(ns, g.program); err != nil {
		return explain("attach program", err)
	}
	return nil
}

// newMap makes a map. Before Linux 5.11 its memory counts as locked, and the limit of that is seldom enough.
func newMap(name string, kind ebpf.MapType, key, entries, flags uint32) (*ebpf.Map, error) {
	spec := &ebpf.MapSpec{Name: name, Type: kind, KeySize: key, ValueSize: 4, MaxEntries: entries, Flags: flags}
	if kind == ebpf.Array {
		spec.ValueSize = slotSize
	}
	m, err := ebpf.NewMap(spec)
	if errors.Is(err, unix.EPERM) && len(lacking()) == 0 {
		unlimited := unix.Rlimit{Cur: unix.RLIM_INFINITY, Max: unix.RLIM_INFINITY}
		if unix.Setrlimit(unix.RLIMIT_MEMLOCK, &unlimited) == nil {
			return ebpf.NewMap(spec)
		}
	}
	return m, err
}

// keySize is the length of a key of the map of ports.
const keySize = 20

// key is an address and port as the program writes them: the address in 16 bytes, an IPv4 one mapped (RFC 4291, section
// 2.5.5.2), then the port as a number of 32 bits in the order of the machine.
func key(at netip.AddrPort) [keySize]byte {
	var k [keySize]byte
	addr := at.Addr().As16()
	copy(k[:], addr[:])
	binary.NativeEndian.PutUint32(k[16:], uint32(at.Port()))
	return k
}

// Hold leads the datagrams to an address and port of this machine away from the socket that is bound there. An error
// means that they go on to come to that socket: the port is outside the range, the family has no socket, or more is held
// than fits.
func (g *Steering) Hold(at netip.AddrPort) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	i := g.spec.index(at)
	switch {
	case g.closed:
		return ErrClosed
	case i < 0:
		return fmt.Errorf("steer: hold %s: %w", at, specError("no socket takes it"))
	}
	if err := g.holdLocked(at, uint32(i)); err != nil {
		return fmt.Errorf("steer: hold %s: %w", at, err)
	}
	return nil
}

// Release undoes Hold. To release what is not held is no error.
func (g *Steering) Release(at netip.AddrPort) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed {
		return ErrClosed
	}
	if err := g.releaseLocked(at); err != nil {
		return fmt.Errorf("steer: release %s: %w", at, err)
	}
	return nil
}

// Close detaches the programs: every datagram finds its own socket again. No Queue may be in use. It may be called more than once.
func (g *Steering) Close() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed {
		return nil
	}
	g.closed = true
	var errs []error
	for _, i := range g.interfaces {
		errs = append(errs, i.close())
	}
	if g.link != nil {
		errs = append(errs, g.link.Close())
	}
	errs = append(errs, g.program.Close(), g.ports.Close(), g.held.Close(), g.senders.Close(), g.sockets.Close()) // nil ones do nothing
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("steer: close: %w", err)
	}
	return nil
}
