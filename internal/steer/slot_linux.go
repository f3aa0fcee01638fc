package steer

import (
	"encoding/binary"
	"errors"
	"net/netip"

	"github.com/cilium/ebpf"
)

// fewSenders is up to how many senders are part of the program.
const fewSenders = 8

// A slot of the array of ports, as the program reads it: 16 bytes of address as in key, and 4 of a number, that of the socket plus one,
// or 0 when nobody holds the port. A slot whose address has gone keeps a number and no address while others hold the port.
const (
	slotNumber = 16
	slotSize   = 20
)

// slot is what is known of a port that is held.
type slot struct {
	addr netip.Addr // the one in the array; invalid if it has gone
	more int        // how many there are in the hash
}

// holdLocked notes an address and port: the first of a port in the array, others in the hash.
func (g *Steering) holdLocked(at netip.AddrPort, number uint32) error {
	addr := at.Addr().Unmap()
	s, there := g.slots[at.Port()]
	if !there || s.addr == addr || !s.addr.IsValid() && !g.inHash(at) {
		if err := g.putSlot(at, number+1); err != nil {
			return err
		}
		s.addr = addr
		g.slots[at.Port()] = s
		return nil
	}
	known := g.inHash(at)
	if err := g.held.Put(key(at), number); err != nil {
		return err
	}
	if !known {
		s.more++
		g.slots[at.Port()] = s
	}
	return nil
}

// releaseLocked undoes holdLocked.
func (g *Steering) releaseLocked(at netip.AddrPort) error {
	s, there := g.slots[at.Port()]
	switch {
	case !there:
		return nil
	case s.addr.IsValid() && s.addr == at.Addr().Unmap():
		s.addr = netip.Addr{}
	default:
		err := g.held.Delete(key(at))
		if errors.Is(err, ebpf.ErrKeyNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		s.more--
	}
	if s.addr.IsValid() {
		g.slots[at.Port()] = s
		return nil
	}
	number := uint32(0)
	if s.more > 0 {
		number = 1 // any but 0: look in the hash
		g.slots[at.Port()] = s
	} else {
		delete(g.slots, at.Port())
	}
	return g.putSlot(netip.AddrPortFrom(netip.IPv6Unspecified(), at.Port()), number)
}

func (g *Steering) inHash(at netip.AddrPort) bool {
	var number uint32
	return g.held.Lookup(key(at), &number) == nil
}

// putSlot writes a port's slot. The program may read half of it: an address that is not its own, for one datagram that finds
// its usual socket then.
func (g *Steering) putSlot(at netip.AddrPort, number uint32) error {
	var value [slotSize]byte
	addr := at.Addr().As16()
	copy(value[:], addr[:])
	binary.NativeEndian.PutUint32(value[slotNumber:], number)
	return g.ports.Put(uint32(at.Port()-g.spec.Lo), value)
}
