package udprelay

import (
	"net/netip"
	"slices"
	"sync/atomic"
	"time"
)

// kind is one of the two ports of a pair.
type kind uint8

const (
	rtp kind = iota
	rtcp
	kinds // how many there are
)

// relatchEvery is the shortest time between two moves of a port by RTCP proof: a NAT that forgets a mapping takes
// tens of seconds (RFC 4787, section 4.3), so one second hurts no real client and makes flapping cheap for us.
const relatchEvery = time.Second

// bearings are all that a leg knows of where its peer is. They are never changed: a leg swaps them for new ones, so
// that a packet is judged by a consistent set without a lock.
//
//	seen invalid --from advertised--> seen = advertised
//	seen invalid --other port, may learn--> seen = other (latched)
//	latched --from advertised--> seen = advertised: what was negotiated outranks what was guessed
//	any --other port, RTCP proof--> seen = other, and the RTP port may be latched once more
//
// What judges an ordinary packet, and what says where one goes, is a line of the processor's cache each.
type bearings struct {
	seen       [kinds]netip.AddrPort // where accepted packets come from; invalid: none came
	to         [kinds]netip.AddrPort // see target; kept by aim
	addr       netip.Addr
	also       []netip.Addr
	advertised [kinds]netip.AddrPort // invalid: not known
	again      [kinds]bool           // may be latched once more although seen
	moved      int64                 // when proof last moved a port, in Unix ns
}

// newBearings takes a peer whose addresses have been checked.
func newBearings(p Peer) *bearings {
	b := &bearings{addr: p.Addr.Unmap()}
	for _, a := range p.Also {
		b.also = append(b.also, a.Unmap())
	}
	if p.RTP != 0 {
		b.advertised[rtp] = netip.AddrPortFrom(b.addr, p.RTP)
		if p.RTCP != 0 {
			b.advertised[rtcp] = netip.AddrPortFrom(b.addr, p.RTCP)
		}
	}
	b.aim()
	return b
}

// samePeer reports whether o says the same of the peer, whatever has been seen.
func (b *bearings) samePeer(o *bearings) bool {
	return b.addr == o.addr && b.advertised == o.advertised && slices.Equal(b.also, o.also)
}

// home reports whether an address is one of the peer's.
func (b *bearings) home(a netip.Addr) bool {
	return a == b.addr || slices.Contains(b.also, a)
}

// mayLatch reports whether another port of the peer's may be taken for port k without proof. free is the side's rule
// for a peer that negotiated its ports; one that left them open is always learned.
func (b *bearings) mayLatch(k kind, free bool) bool {
	if b.seen[k].IsValid() && !b.again[k] {
		return false
	}
	return free || !b.advertised[k].IsValid()
}

// evidence is what the content of a packet says of its sender.
type evidence struct {
	fit   bool // it is what a peer sends to that port: a port may be learned from it
	proof bool // it is RTCP that names an SSRC of the flow
}

// judge decides on a packet that came to port k from an address. next is nil if nothing was learned.
func (b *bearings) judge(k kind, from netip.AddrPort, free bool, now int64, e evidence) (*bearings, DropReason) {
	switch {
	case from == b.seen[k]:
		return nil, DropNone
	case from == b.advertised[k]:
		if !e.fit {
			return nil, DropNone
		}
		return b.sees(k, from), DropNone
	case !b.home(from.Addr()):
		return nil, DropUnknownSource
	case e.fit && b.mayLatch(k, free):
		return b.sees(k, from), DropNone
	case e.proof && now-b.moved >= int64(relatchEvery):
		next := b.sees(k, from)
		next.moved = now
		if k == rtcp {
			// A NAT that moved the one port has moved the other: let the next packet there show where to.
			next.again[rtp] = true
		}
		return next, DropNone
	}
	return nil, DropWrongPort
}

func (b *bearings) sees(k kind, from netip.AddrPort) *bearings {
	next := *b
	next.seen[k], next.again[k] = from, false
	next.aim()
	return &next
}

// target is where packets for port k of the peer go; invalid if that is not known.
func (b *bearings) target(k kind) netip.AddrPort { return b.to[k] }

// aim makes to true for what is advertised and seen.
func (b *bearings) aim() {
	b.to = b.advertised
	for k := range kinds {
		if b.seen[k].IsValid() {
			b.to[k] = b.seen[k]
		}
	}
	// RFC 3550, section 11: RTCP is on the next port. Asked for when server_port is missing, single, or unusable (the
	// "0-1" of mediamtx#407).
	if at := b.to[rtp]; !b.to[rtcp].IsValid() && at.IsValid() && at.Port() != 65535 {
		b.to[rtcp] = netip.AddrPortFrom(at.Addr(), at.Port()+1)
	}
}

// leg is one side of a flow: sockets and, once known, a peer.
type leg struct {
	at    atomic.Pointer[bearings] // nil until Connect
	sock  [kinds]*socket
	alone atomic.Bool // the way to the peer refuses trains of datagrams
	free  bool        // another port than the negotiated one may be learned
}

// accept decides whether a packet that came to port k of this leg is its peer's, and learns from it. It does no I/O;
// moved says that another port than what was said before is now the peer's.
func (l *leg) accept(k kind, from netip.AddrPort, now int64, e evidence) (reason DropReason, moved bool) {
	for {
		b := l.at.Load()
		if b == nil {
			return DropNotConnected, false
		}
		next, reason := b.judge(k, from, l.free, now, e)
		if next == nil {
			return reason, false
		}
		if l.at.CompareAndSwap(b, next) {
			return reason, b.seen[k].IsValid() || from != b.advertised[k]
		}
	}
}

// target is where packets for port k of the peer go; invalid if that is not known.
func (l *leg) target(k kind) netip.AddrPort {
	if b := l.at.Load(); b != nil {
		return b.target(k)
	}
	return netip.AddrPort{}
}
