package udprelay

import (
	"net/netip"
	"sync/atomic"
	"time"
)

// Traffic counts datagrams of one direction on one leg. Bytes are UDP payload; Packets and Bytes include RTCP.
type Traffic struct{ Packets, Bytes, RTCPPackets uint64 }

// Stats are the figures of one flow. From... counts what was accepted, To... what was sent.
type Stats struct {
	FromOrigin, ToClient, FromClient, ToOrigin Traffic
	// FirstMedia and LastMedia are the first and the last RTP packet of the media direction, or MMS packet with an ASF
	// data packet (see CountFrom); zero if there was none.
	FirstMedia, LastMedia time.Time
	// Media is what was received of the media, before the relay. Of MMS all Data packets are in Packets and Bytes, the
	// rest is of those that CountFrom named; Jitter and SSRCs are 0.
	Media MediaStats
	// RTCPLost is the highest cumulative loss that a receiver reported, RTCPFractionLost the share (0 to 1) in its
	// last report (RFC 3550, section 6.4.1).
	RTCPLost         uint64
	RTCPFractionLost float64
	// Reports counts the blocks in the receiver's reports, each of which says that media reached it; EmptyReports the
	// receiver reports without one (RFC 3550, section 6.4.2).
	Reports, EmptyReports uint64
	// ResendRequests counts the receiver's requests to send packets again: generic NACKs (RFC 4585, section 6.2.1) and
	// RequestPacketListResend ([MS-MMSP] 2.2.5).
	ResendRequests uint64
	// Resent counts the packets that the client of an MMS flow had asked for again and that then came. They filled a
	// gap, ours or the client's, and are neither late nor duplicate.
	Resent uint64
	// ClientICMP and OriginICMP are the answers that came by ICMP to datagrams that were sent to that side. The fast engine hears
	// them.
	ClientICMP, OriginICMP ICMP
	// Drops has the reasons that occurred.
	Drops map[DropReason]uint64
	// ClientLearned and OriginLearned are where that side's RTP or MMS packets really come from, zero if none came.
	ClientLearned, OriginLearned netip.AddrPort
}

// ICMP counts answers by ICMP: nobody listens on the port (port unreachable), and all others, such as host unreachable and
// administratively prohibited. Anybody who knows the ports can forge them: they explain, they decide nothing.
type ICMP struct{ PortUnreachable, Other uint64 }

// icmpCounter is an ICMP that several goroutines add to.
type icmpCounter struct{ port, other atomic.Uint64 }

func (c *icmpCounter) add(port bool) {
	if port {
		c.port.Add(1)
	} else {
		c.other.Add(1)
	}
}

func (c *icmpCounter) icmp() ICMP { return ICMP{PortUnreachable: c.port.Load(), Other: c.other.Load()} }

// reports are what the receivers of the media said in RTCP.
type reports struct {
	lost     atomic.Uint64
	fraction atomic.Uint32 // in 1/256
	nacks    atomic.Uint64
	blocks   atomic.Uint64
	empty    atomic.Uint64
}

func (r *reports) note(info *rtcpInfo) {
	if !info.whole {
		return
	}
	r.nacks.Add(info.nacks)
	r.blocks.Add(info.blocks)
	if info.empty && !info.reported {
		r.empty.Add(1)
	}
	if !info.reported {
		return
	}
	r.fraction.Store(uint32(info.fractionLost))
	// Both ports' goroutines may come here: a client may send RTCP to either.
	for old := r.lost.Load(); uint64(info.lost) > old; old = r.lost.Load() {
		if r.lost.CompareAndSwap(old, uint64(info.lost)) {
			return
		}
	}
}

// Stats are the flow's figures so far; they may still grow while it lingers. Each figure is true by itself; the whole
// is not one instant's.
func (f *Flow) Stats() Stats {
	s := Stats{ // what was sent before what came: no more is sent than comes
		ToClient: f.went(Client), FromOrigin: f.came(Origin),
		ToOrigin: f.went(Origin), FromClient: f.came(Client),
		FirstMedia: instant(&f.first), LastMedia: instant(&f.last),
		Media:            f.meter.Stats(),
		RTCPLost:         f.reports.lost.Load(),
		RTCPFractionLost: float64(f.reports.fraction.Load()) / 256,
		Reports:          f.reports.blocks.Load(),
		EmptyReports:     f.reports.empty.Load(),
		ResendRequests:   f.reports.nacks.Load(),
		ClientICMP:       f.icmp[Client].icmp(), OriginICMP: f.icmp[Origin].icmp(),
		Drops: f.drops.counts(),
	}
	c := f.course(f.media)
	s.Media.Packets, s.Media.Bytes = c.got.packets.Load(), c.got.bytes.Load()
	if f.mms != nil {
		s.Media, s.Resent = f.mms.meter.stats(), f.mms.meter.resent.Load()
	}
	if b := f.legs[Client].at.Load(); b != nil {
		s.ClientLearned = b.seen[rtp]
	}
	if b := f.legs[Origin].at.Load(); b != nil {
		s.OriginLearned = b.seen[rtp]
	}
	return s
}

func instant(ns *atomic.Int64) time.Time {
	if n := ns.Load(); n != 0 {
		return time.Unix(0, n)
	}
	return time.Time{}
}
