package udprelay

import (
	"fmt"
	"net/netip"
	"sync/atomic"
	"time"
)

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

// resendsPerSecond is how many resend requests of a flow go on to the origin in a second, and how many at once after a
// silence. Each may make the origin send 32 packets, and who knows the ID must not have a client flooded by its own
// stream ([MS-MMSP] 5.1). A player that loses every tenth packet of 20 Mbit/s and asks for each alone needs 180.
const resendsPerSecond = 200

// mmsFlow is what a flow of MMS has besides. Its media comes from the origin's one socket; resend requests may come
// from two.
type mmsFlow struct {
	way     atomic.Pointer[resendWay] // nil until SetResend
	limit   limit
	held    atomic.Pointer[hold] // nil: nothing waits
	counted atomic.Uint32        // see CountFrom: how many calls << 8 | incarnation; 0 is none
	meter   mmsMeter
}

// resendWay is where resend requests go. It is never changed, but swapped for a new one.
type resendWay struct {
	client, origin uint32
	to             netip.AddrPort
}

// check refuses what a flow cannot be.
func (s Spec) check() error {
	switch {
	case !s.ClientLocal.IsValid() || !s.OriginLocal.IsValid():
		return fmt.Errorf("udprelay: reserve flow: local address missing (client %v, origin %v)", s.ClientLocal, s.OriginLocal)
	case s.Protocol > MMS:
		return fmt.Errorf("udprelay: reserve flow: no such protocol: %d", s.Protocol)
	case s.Protocol == MMS && s.Publish:
		return fmt.Errorf("udprelay: reserve flow: protocol mms: no client publishes by it")
	case s.Protocol != MMS && s.Resend != netip.AddrPort{}:
		return fmt.Errorf("udprelay: reserve flow: resend port %v: only mms has one", s.Resend)
	}
	return nil
}

// SetResend tells the way of an MMS flow's resend requests ([MS-MMSP] 2.2.5): the client's ID as the client knows it
// and as this origin gave it (nCubs), and the address and UDP port where the origin takes them. It may be called again,
// after a redirect. Before it, or with a zero address, none is passed on. On a flow of RTP it does nothing.
func (f *Flow) SetResend(clientID, originID uint32, to netip.AddrPort) {
	if f.mms != nil {
		f.mms.way.Store(&resendWay{clientID, originID, netip.AddrPortFrom(to.Addr().Unmap(), to.Port())})
	}
}

// CountFrom tells that Data packets of a playIncarnation carry AFFlags as a sequence number from now on: of those
// packets FirstMedia, LastMedia and what is lost, late, duplicate and resent are told. To be called before each
// StartPlaying or StartStriding is passed on, whose incarnation it is (its low 8 bits), also when that is the same as
// before: the numbers may then go on or begin anew, and nothing is taken for lost between the two. On a flow of RTP it
// does nothing.
func (f *Flow) CountFrom(incarnation uint8) {
	if f.mms == nil {
		return
	}
	for {
		old := f.mms.counted.Load()
		next := (old>>8+1)<<8 | uint32(incarnation)
		if next>>8 == 0 {
			next |= 1 << 8 // after 16 million calls; 0 stays none
		}
		if f.mms.counted.CompareAndSwap(old, next) {
			return
		}
	}
}

// routeMMS is route for a flow of MMS.
func (f *Flow) routeMMS(side Side, from netip.AddrPort, b []byte, in *intake) (to netip.AddrPort, reason DropReason) {
	switch {
	case side == Origin:
		if reason = f.takeData(from, b, in); reason == DropNone {
			to = f.legs[Client].target(rtp)
		}
	case isMMSResend(b):
		to, reason = f.takeResend(from, b, in)
	default:
		// No player is known to send anything else.
		if reason = f.accept(Client, rtp, from, in.at, evidence{fit: len(b) > 0}); reason == DropNone {
			reason = DropNotMMS
		}
	}
	if reason != DropNone {
		return netip.AddrPort{}, reason
	}
	in.add(len(b), false)
	if !to.IsValid() {
		return to, DropNotConnected
	}
	return to, DropNone
}

// takeData takes a datagram of the origin. It runs on one goroutine per flow.
func (f *Flow) takeData(from netip.AddrPort, b []byte, in *intake) DropReason {
	fit := isMMSData(b)
	if reason := f.accept(Origin, rtp, from, in.at, evidence{fit: fit}); reason != DropNone {
		return reason
	}
	if !fit {
		return DropNotMMS
	}
	counted := f.mms.counted.Load()
	media := counted != 0 && byte(counted) == mmsIncarnation(b)
	f.mms.meter.observe(b, media, counted)
	in.media = in.media || media
	return DropNone
}

// takeResend takes a resend request, and gives it the ID that the origin knows: b is then no more what the client sent.
//
// Its sender need not be where the media goes: a player may ask from another socket. So the address and the ID decide,
// and nothing is learned but that the negotiated port is the client's.
func (f *Flow) takeResend(from netip.AddrPort, b []byte, in *intake) (netip.AddrPort, DropReason) {
	peer, way := f.legs[Client].at.Load(), f.mms.way.Load()
	if peer == nil || way == nil || !way.to.IsValid() {
		return netip.AddrPort{}, DropNotConnected
	}
	if !peer.home(from.Addr()) {
		return netip.AddrPort{}, DropUnknownSource
	}
	list, ok := mmsResendList(b)
	if !ok {
		return netip.AddrPort{}, DropNotMMS
	}
	if mmsClientID(b) != way.client {
		return netip.AddrPort{}, DropWrongID
	}
	f.reports.nacks.Add(1)
	if !f.mms.limit.allow(in.at) {
		return netip.AddrPort{}, DropResendFlood
	}
	if from == peer.advertised[rtp] {
		if reason := f.accept(Client, rtp, from, in.at, evidence{fit: true}); reason != DropNone {
			return netip.AddrPort{}, reason
		}
	}
	f.mms.meter.ask(list)
	if way.origin != way.client {
		putMMSClientID(b, way.origin)
	}
	return way.to, DropNone
}

// limit lets resendsPerSecond through, whoever asks from whichever goroutine: it is the time in Unix ns when all that
// was let through would have been sent at that rate.
type limit struct{ due atomic.Int64 }

func (l *limit) allow(now int64) bool {
	const each = int64(time.Second / resendsPerSecond)
	for {
		due := l.due.Load()
		next := max(due, now) + each
		if due-now > int64(2*time.Second) {
			next = now + each // the clock was set back
		}
		if next-now > int64(time.Second) {
			return false
		}
		if l.due.CompareAndSwap(due, next) {
			return true
		}
	}
}
