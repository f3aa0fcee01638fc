package udprelay

import "net/netip"

// SteerFunc makes a Steering for the sockets of the fast engine's loops. It is called once, by New.
type SteerFunc func(SteerSpec) (Steering, error)

// SteerSpec says what may be led where.
type SteerSpec struct {
	// Ports are those of Config.OriginPorts. An origin leg may have another at an address that is not the host's own
	// (Spec.OriginPort).
	Ports PortRange
	// V4 and V6 are descriptors of bound UDP sockets, one of each family a loop; V6 is empty where the host has no IPv6. They
	// are open until Close has returned.
	V4, V6 []int
}

// Steering leads datagrams from nodes to held ports to the socket of a loop, whose number is half the port's modulo the number
// of loops. Everything else, and what it cannot lead, comes to the socket that is bound to the port. Its methods may be called by
// several goroutines; they do not wait for the network.
type Steering interface {
	// Hold has the datagrams to an address and port led away from now on. An error changes nothing: they go on to come to
	// their own socket.
	Hold(netip.AddrPort) error
	// Release undoes Hold.
	Release(netip.AddrPort) error
	// Close undoes everything.
	Close() error
}
