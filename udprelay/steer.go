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
	// Buffer is how much memory a Queue should have for datagrams, in bytes: as much as the kernel counts for one of those sockets.
	Buffer int
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

// Bypass is what a Steering is besides, if it takes datagrams to held ports from network interfaces before the kernel's own
// stack has them (AF_XDP). What it does not take comes to the sockets.
type Bypass interface {
	// Queues are where they come. Each is read by one loop.
	Queues() []Queue
	// Features say of each interface whether that is so, and why not.
	Features() []Feature
}

// Queue has the datagrams of one receive queue of an interface. One goroutine uses it, but for Dropped.
type Queue interface {
	// Descriptor is readable while there are datagrams. It stays the Queue's own, and open until Steering.Close.
	Descriptor() int
	// Receive takes up to n datagrams and says how many there were; they are kept until Release.
	Receive(n int) int
	// Datagram is the i-th of those: its sender, where it was sent to, what it holds, and the second byte of its IP header or its
	// traffic class. ok is false if a length or a checksum of it is wrong. payload is of use until Release.
	Datagram(i int) (from, local netip.AddrPort, payload []byte, tos uint8, ok bool)
	// Release gives back what Receive took. It is called once a second besides, when nothing was taken.
	Release()
	// Dropped is how many were lost so far because nobody took those before.
	Dropped() uint64
}
