package steer

import (
	"errors"
	"net/netip"
)

// Spec says what is led where.
type Spec struct {
	// Lo and Hi are the first and the last port, 1 to 65535.
	Lo, Hi uint16
	// V4 and V6 are descriptors of bound, unconnected UDP sockets, one a loop; either may be empty, and both have the
	// same number of them if not. A datagram to port p goes to number (p/2) modulo their number, so that both ports of a
	// pair come to one loop. They stay the caller's, who keeps them open until Close.
	V4, V6 []int
	// Senders are the addresses whose datagrams are led away; nil means every sender's.
	Senders []netip.Addr
	// Interfaces are names of network interfaces, of the network namespace of the calling thread, whose frames do not go through
	// the kernel's own stack if they hold what is led away: they come to a Queue (AF_XDP), one for each receive queue of the interface.
	// What cannot be done there is told by Steering.Interfaces, and is no error of Open.
	Interfaces []string
	// Buffer is how much memory each Queue has for frames, in bytes, 128 KiB to 256 MiB; it is cut down to a power of two.
	Buffer int
}

// ErrUnsupported is matched by the error of Open where the kernel or the process's privileges lack something; its text
// says what.
var ErrUnsupported = errors.New("not supported")

// ErrClosed is what Hold and Release return after Close.
var ErrClosed = errors.New("steer: closed")

// errSpec is matched by the errors of a Spec that cannot be meant.
var errSpec = errors.New("wrong use")

// check refuses a Spec that could not work.
func (s Spec) check() error {
	switch {
	case s.Lo == 0 || s.Lo > s.Hi:
		return specError("the range of ports is empty or reversed")
	case len(s.V4) == 0 && len(s.V6) == 0:
		return specError("no socket")
	case len(s.V4) > 0 && len(s.V6) > 0 && len(s.V4) != len(s.V6):
		return specError("the families have different numbers of sockets")
	}
	for _, a := range s.Senders {
		if !a.IsValid() {
			return specError("a sender without address")
		}
	}
	return nil
}

type specError string

func (e specError) Error() string        { return errSpec.Error() + ": " + string(e) }
func (e specError) Is(target error) bool { return target == errSpec }

// loops is the number of sockets of each family that is there.
func (s Spec) loops() int { return max(len(s.V4), len(s.V6)) }

// index is the number of the socket for an address and port in the map of sockets, where those of IPv4 come first. It is
// negative for what cannot be led: another port, a family without sockets, an address that only counts within a zone.
func (s Spec) index(at netip.AddrPort) int {
	loops := s.loops()
	loop := int(at.Port()/2) % loops
	addr := at.Addr().Unmap()
	switch {
	case at.Port() < s.Lo || at.Port() > s.Hi || !addr.IsValid() || addr.Zone() != "":
		return -1
	case addr.Is4() && len(s.V4) > 0:
		return loop
	case addr.Is6() && len(s.V6) > 0:
		return loops + loop
	}
	return -1
}
