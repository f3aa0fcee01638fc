package udprelay

import "net/netip"

// Protocol is what a flow's media is.
type Protocol uint8

// The protocols.
const (
	RTP Protocol = iota // RTP and RTCP, a port pair on each leg (RFC 3550)
	MMS                 // Data packets, a single port on each leg ([MS-MMSP] 2.2.2)
)

// String is "rtp" or "mms".
func (p Protocol) String() string {
	if p == MMS {
		return "mms"
	}
	return "rtp"
}

// OpenResend binds a local UDP address and port where clients send their resend requests (Spec.Resend) now, so that a
// taken port is told at start and not to the first viewer. It may be called more than once.
func (r *Relay) OpenResend(local netip.AddrPort) error { return nil }

// SetResend tells the way of an MMS flow's resend requests: the client's ID as the client knows it and as this origin
// gave it (nCubs), and where the origin takes them. It may be called again.
func (f *Flow) SetResend(clientID, originID uint32, to netip.AddrPort) {}

// CountFrom tells that Data packets of a playIncarnation carry AFFlags as a sequence number: what is lost, late, comes
// twice or again is counted for them.
func (f *Flow) CountFrom(incarnation uint8) {}
