package udprelay

import (
	"net/netip"
	"time"
)

// Traffic counts datagrams of one direction on one leg. Bytes are UDP payload; Packets and Bytes include RTCP.
type Traffic struct{ Packets, Bytes, RTCPPackets uint64 }

// Stats are the figures of one flow. From... counts what was accepted, To... what was sent.
type Stats struct {
	FromOrigin, ToClient, FromClient, ToOrigin Traffic
	// FirstMedia and LastMedia are the first and the last RTP packet of the media direction; zero if there was none.
	FirstMedia, LastMedia time.Time
	// Media is what was received of the media, before the relay.
	Media MediaStats
	// RTCPLost is the highest cumulative loss that a receiver reported, RTCPFractionLost the share (0 to 1) in its
	// last report.
	RTCPLost         uint64
	RTCPFractionLost float64
	// ResendRequests counts generic NACKs, the receiver's requests to send packets again.
	ResendRequests uint64
	// Drops has the reasons that occurred.
	Drops map[DropReason]uint64
	// ClientLearned and OriginLearned are where that side's RTP packets really come from, zero if none came.
	ClientLearned, OriginLearned netip.AddrPort
}

// MediaStats are RTP statistics, summed over the SSRCs seen.
type MediaStats struct {
	Packets, Bytes uint64 // RTP packets and their bytes, headers included
	Lost           uint64 // expected and not received
	Late           uint64 // received after a packet with a higher sequence number
	Duplicate      uint64 // received again
	Jitter         time.Duration
	SSRCs          int
}

// Meter keeps RTP statistics packet by packet. The zero value is ready. One goroutine at a time may call Observe;
// Stats and SetClockRate may be called from any.
type Meter struct{}

// SetClockRate tells the RTP clock of a payload type (a=rtpmap) in Hz, for the jitter.
func (m *Meter) SetClockRate(payloadType uint8, hz uint32) {}

// Observe takes an RTP packet that arrived at now. What is not RTP is passed over.
func (m *Meter) Observe(packet []byte, now time.Time) {}

// Stats are the figures so far.
func (m *Meter) Stats() MediaStats { return MediaStats{} }
