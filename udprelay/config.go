package udprelay

import (
	"net"
	"net/netip"
	"time"

	"go.uber.org/zap"
	"golang.org/x/net/ipv4"
	"golang.org/x/net/ipv6"
)

// Side is one of the two sides of a flow.
type Side uint8

// The sides.
const (
	Client Side = iota // the player
	Origin             // the node of the pool
	sides              // how many there are
)

// String is "client" or "origin".
func (s Side) String() string {
	if s == Client {
		return "client"
	}
	return "origin"
}

// PortRange is a range of UDP ports, both ends included, 1 to 65535. Pairs are taken from its even ports.
type PortRange struct{ Lo, Hi uint16 }

// PortPair is the local end of a leg: an even RTP port and the odd RTCP port above it, both bound and held. A flow of MMS
// has the even port alone, and RTCP is 0.
type PortPair struct {
	Addr      netip.Addr
	RTP, RTCP uint16
}

// LatchPolicy says whether a client may send from another port than the one it negotiated, as one behind a NAT does.
type LatchPolicy uint8

const (
	// LatchSameAddress accepts once, per port of the pair, another port of the negotiated address, as long as nothing
	// came from the negotiated one. It is the default.
	LatchSameAddress LatchPolicy = iota
	// LatchOff accepts the negotiated ports only (and learns those that the client left open).
	LatchOff
)

// String is the policy's name in the configuration.
func (p LatchPolicy) String() string {
	if p == LatchOff {
		return "off"
	}
	return "same-address"
}

// Config is what a Relay is made of. The zero value of each field but the two ranges is a working default.
type Config struct {
	// ClientPorts and OriginPorts are the ports that flows may use towards either side. ClientPorts of exactly two
	// ports, even and odd, is one shared pair for all flows (per local address).
	ClientPorts, OriginPorts PortRange
	Latch                    LatchPolicy
	// OriginLatch says whether an origin may send from another port than it said: origins do (mediamtx#691,
	// RTSP-Server#69). LatchOff hears only the port that was connected.
	OriginLatch LatchPolicy
	// Linger is how long the ports of a closed flow are read on and counted before they are free again. 0 means
	// DefaultLinger, a negative value none at all.
	Linger time.Duration
	// ReceiveBuffer and SendBuffer are the kernel's buffers of each socket in bytes, 0 means DefaultBuffer; the
	// sockets of a shared pair get eight times as much. The kernel may grant less (net.core.rmem_max, wmem_max).
	ReceiveBuffer, SendBuffer int
	// Listen binds the sockets; nil: net.ListenUDP. The fast engine takes those over that have a descriptor, as
	// *net.UDPConn has (SyscallConn), and reads the others as the plain one does.
	Listen ListenFunc
	Now    func() time.Time // nil: time.Now. The fast engine asks once for all datagrams of a wake-up
	Engine EngineChoice
	// Loops is the number of event loops of the fast engine, 0: one a core. It sees to it that GOMAXPROCS is one more: a
	// loop keeps its thread for itself.
	Loops    int
	Steer    SteerFunc // nil: the fast engine reads each flow's own sockets
	Marking  Marking
	Overload Overload
	Logger   *zap.Logger // nil: none
}

// Marking is the DSCP (RFC 2474, section 3), 0 to 63, of what is sent. Not set: that of what came, with the fast engine; the
// plain one sends with 0.
type Marking struct {
	Set  bool
	DSCP uint8
}

// tos is the second byte of the IP header, or its traffic class.
func (m Marking) tos() int { return int(m.DSCP&0x3f) << 2 }

// mark has a socket of the plain engine send with the class.
func (m Marking) mark(c *net.UDPConn, local netip.AddrPort) error {
	switch {
	case !m.Set:
		return nil
	case local.Addr().Is4():
		return ipv4.NewConn(c).SetTOS(m.tos())
	}
	return ipv6.NewConn(c).SetTrafficClass(m.tos())
}

const (
	// DefaultLinger outlasts what is still on its way when a player stops or moves on in a playlist.
	DefaultLinger = 2 * time.Second
	// DefaultBuffer holds about 0.1 s of a 20 Mbit/s stream. More would hide overload as delay.
	DefaultBuffer = 256 << 10
)
