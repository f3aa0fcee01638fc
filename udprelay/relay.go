package udprelay

import (
	"context"
	"errors"
	"net/netip"
	"time"

	"go.uber.org/zap"
)

// The errors that a caller tells apart with errors.Is.
var (
	// ErrPortsExhausted: every pair of the range is held by a flow, lingers, or is in use by another program.
	ErrPortsExhausted = errors.New("ports exhausted")
	// ErrClosed: the relay or the flow is closed or being shut down.
	ErrClosed = errors.New("closed")
)

// Side is one of the two sides of a flow.
type Side uint8

// The sides.
const (
	Client Side = iota // the player
	Origin             // the node of the pool
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

// PortPair is the local end of a leg: an even RTP port and the odd RTCP port above it, both bound and held.
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

// Config is what a Relay is made of. The zero value of each field but the two ranges is a working default.
type Config struct {
	// ClientPorts and OriginPorts are the ports that flows may use towards either side. ClientPorts of exactly two
	// ports, even and odd, is one shared pair for all flows (per local address).
	ClientPorts, OriginPorts PortRange
	Latch                    LatchPolicy
	// Linger is how long the ports of a closed flow are read on and counted before they are free again. 0 means
	// DefaultLinger, a negative value none at all.
	Linger time.Duration
	// ReceiveBuffer and SendBuffer are the kernel's buffers of each socket in bytes, 0 means DefaultBuffer; the
	// sockets of a shared pair get eight times as much. The kernel may grant less (net.core.rmem_max, wmem_max).
	ReceiveBuffer, SendBuffer int
	Listen                    ListenFunc       // nil: net.ListenUDP
	Now                       func() time.Time // nil: time.Now
	Logger                    *zap.Logger      // nil: none
}

const (
	// DefaultLinger outlasts what is still on its way when a player stops or moves on in a playlist.
	DefaultLinger = 2 * time.Second
	// DefaultBuffer holds about 0.1 s of a 20 Mbit/s stream. More would hide overload as delay.
	DefaultBuffer = 256 << 10
)

// Relay hands out flows. It is safe for concurrent use.
type Relay struct{ cfg Config }

// Spec says what a flow needs. Both addresses must be the host's own: the media is sent from them.
type Spec struct {
	ClientLocal, OriginLocal netip.Addr
	// Publish: the media runs from the client to the origin (mode=record).
	Publish bool
}

// New checks the configuration; it binds nothing.
func New(cfg Config) (*Relay, error) { return &Relay{cfg: cfg}, nil }

// Open binds the shared pair at a local address now, so that a taken port is told at start and not to the first
// viewer. Without a shared pair it does nothing.
func (r *Relay) Open(local netip.Addr) error { return ErrClosed }

// Reserve binds and holds what a flow needs before anything is promised to either side.
func (r *Relay) Reserve(spec Spec) (*Flow, error) { return nil, ErrClosed }

// InUse is the number of flows whose ports are not free yet: open ones and lingering ones.
func (r *Relay) InUse() int { return 0 }

// Drops are the datagrams, by reason, that could be given to no flow. The map is the caller's.
func (r *Relay) Drops() map[DropReason]uint64 { return nil }

// Shutdown refuses new flows, waits until the present ones are closed and have lingered, then does as Close. When ctx
// ends first it closes them and returns the context's cause.
func (r *Relay) Shutdown(ctx context.Context) error { return nil }

// Close ends all flows without lingering and returns when every goroutine of the relay has ended. It may be called
// more than once.
func (r *Relay) Close() error { return nil }
