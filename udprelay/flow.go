package udprelay

import (
	"net/netip"
	"time"
)

// Peer is what signalling said of one side.
type Peer struct {
	// Addr is where the control connection comes from or goes to; never what the peer says of itself.
	Addr netip.Addr
	// RTP and RTCP are the negotiated ports; 0 means not known: learn it from the first packet of that address. With
	// RTP 0, RTCP counts as not known too (a server_port of "0-1" means nothing).
	RTP, RTCP uint16
	// Also are other addresses that this side may send from, such as the other nodes of the pool.
	Also []netip.Addr
}

// Flow is the relay of one media: a leg to the client and a leg to the origin. It is safe for concurrent use. Its
// owner, the session, calls Close.
type Flow struct{}

// ClientPair is the local pair that faces the client.
func (f *Flow) ClientPair() PortPair { return PortPair{} }

// OriginPair is the local pair that faces the origin.
func (f *Flow) OriginPair() PortPair { return PortPair{} }

// Connect tells a side's peer. It may be called again to move the peer; what was learned is then forgotten, unless
// the peer is the same as before.
func (f *Flow) Connect(side Side, p Peer) error { return ErrClosed }

// AddSSRC tells an SSRC that was negotiated for the flow (the ssrc of a Transport field). RTCP that names it proves
// its sender.
func (f *Flow) AddSSRC(ssrc uint32) {}

// SetClockRate tells the RTP clock of a payload type (a=rtpmap) in Hz, for the jitter.
func (f *Flow) SetClockRate(payloadType uint8, hz uint32) {}

// Stats are the flow's figures so far; they may still grow while it lingers.
func (f *Flow) Stats() Stats { return Stats{} }

// LastSeen is when a valid packet of that side last came in, the zero time if none did.
func (f *Flow) LastSeen(side Side) time.Time { return time.Time{} }

// Close ends the flow: nothing more is passed on. Its ports linger, late packets are counted, then they are freed. It
// returns at once and may be called more than once.
func (f *Flow) Close() {}

// Done is closed when the ports of a closed flow are free again.
func (f *Flow) Done() <-chan struct{} { return nil }
