package udprelay

import (
	"net/netip"
	"time"
)

func (s Side) other() Side { return 1 - s }

// route decides on a datagram that came to port k of one side and counts it: where it goes, or why it goes nowhere.
// It does no I/O. What was accepted is in the flow's figures when in is settled.
func (f *Flow) route(side Side, k kind, from netip.AddrPort, b []byte, now time.Time, in *intake) (netip.AddrPort, DropReason) {
	if !f.open() {
		return netip.AddrPort{}, DropClosed
	}
	in.open(f)
	if f.mms != nil {
		return f.routeMMS(side, from, b, in)
	}
	var reason DropReason
	control := isRTCP(b)
	switch {
	case control:
		reason = f.takeRTCP(side, k, from, b, in)
	case k == rtcp:
		if reason = f.accept(side, k, from, in.at, evidence{}); reason == DropNone {
			reason = DropNotRTP
		}
	case side == f.media:
		reason = f.takeMedia(side, from, b, now, in)
	default:
		reason = f.takeBack(side, from, b, in)
	}
	if reason != DropNone {
		return netip.AddrPort{}, reason
	}
	in.add(len(b), control)
	to := f.legs[side.other()].target(k)
	if !to.IsValid() {
		return to, DropNotConnected
	}
	return to, DropNone
}

func (f *Flow) accept(side Side, k kind, from netip.AddrPort, now int64, e evidence) DropReason {
	reason, moved := f.legs[side].accept(k, from, now, e)
	if moved && side == Client && len(f.tables) > 0 {
		f.moved()
	}
	return reason
}

// takeRTCP takes a control packet. It may come to the RTP port as well (RFC 5761).
func (f *Flow) takeRTCP(side Side, k kind, from netip.AddrPort, b []byte, in *intake) DropReason {
	var info rtcpInfo
	info.read(b)
	if reason := f.accept(side, k, from, in.at, evidence{fit: true, proof: f.named(&info)}); reason != DropNone {
		return reason
	}
	if side != f.media {
		f.reports.note(&info)
	}
	return DropNone
}

// takeMedia takes a packet of the direction that the media runs in. It runs on one goroutine per flow.
func (f *Flow) takeMedia(side Side, from netip.AddrPort, b []byte, now time.Time, in *intake) DropReason {
	fit := mayBeRTP(b)
	if reason := f.accept(side, rtp, from, in.at, evidence{fit: fit}); reason != DropNone {
		return reason
	}
	if !fit {
		return DropNotRTP
	}
	if ssrc := rtpSSRC(b); ssrc != f.lastSSRC {
		f.lastSSRC = ssrc
		f.ssrcs.add(ssrc, &f.ssrcs.heard)
	}
	f.meter.observe(b, now)
	in.media = true
	return DropNone
}

// takeBack takes a packet that came to the RTP port against the media's direction: something to open a NAT, or a back
// channel. It runs on one goroutine per flow.
//
// The client's port is learned from anything that is not empty. Observed: GStreamer 1.22 opens the NAT with random
// bytes, live555 with four fixed ones; to ask for an RTP header there would keep them out and no attacker.
func (f *Flow) takeBack(side Side, from netip.AddrPort, b []byte, in *intake) DropReason {
	fit := side == Client && len(b) > 0 || side == Origin && mayBeRTP(b)
	if reason := f.accept(side, rtp, from, in.at, evidence{fit: fit}); reason != DropNone {
		return reason
	}
	if !f.back.admit(b) {
		return DropNotRTP
	}
	return DropNone
}
