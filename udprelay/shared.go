package udprelay

import (
	"net/netip"
	"slices"
	"time"
)

// sharedPair is one pair of well-known client ports for all flows of a local address. Which flow a datagram belongs
// to is told by its sender.
type sharedPair struct {
	table
	local  PortPair
	sock   [kinds]*socket
	opened time.Time
}

// host are the flows of one client address, by protocol: RTP knows nothing of its neighbour but that it is there.
type host struct {
	flows []*Flow // oldest first
	ports [kinds]map[uint16][]*Flow
	mms   *host // the flows of MMS; nil if there are none, and in itself
}

// newHost has the flows of one protocol.
func newHost(addr netip.Addr, flows []*Flow) *host {
	h := &host{flows: flows}
	for k := range kinds {
		h.ports[k] = make(map[uint16][]*Flow, len(flows))
	}
	for _, f := range flows {
		b := f.legs[Client].at.Load()
		h.claim(rtp, addr, f, b.advertised[rtp], b.seen[rtp])
		h.claim(rtcp, addr, f, b.advertised[rtcp], b.seen[rtcp])
		if !b.advertised[rtcp].IsValid() && f.mms == nil {
			// A Windows Media client with a single client_port sends its resend requests from there.
			h.claim(rtcp, addr, f, b.advertised[rtp], b.seen[rtp])
		}
	}
	return h
}

func (h *host) claim(k kind, addr netip.Addr, f *Flow, ports ...netip.AddrPort) {
	for _, at := range ports {
		if at.Addr() == addr && !slices.Contains(h.ports[k][at.Port()], f) {
			h.ports[k][at.Port()] = append(h.ports[k][at.Port()], f)
		}
	}
}

// owner names the flow that a datagram to a shared pair belongs to.
//
// A resend request of MMS is unlike all of RTP. Nothing else is known to come from a client of MMS, so the rest is its
// only if no flow of RTP could have it, or if it comes from a port that MMS alone negotiated.
func (h *host) owner(k kind, from netip.AddrPort, b []byte) (*Flow, DropReason) {
	if h.mms == nil || k == rtcp {
		return h.find(k, from, b)
	}
	if isMMSResend(b) {
		return h.mms.requester(from, b)
	}
	if !anyOpen(h.flows) ||
		anyOpen(h.mms.ports[k][from.Port()]) && !anyOpen(h.ports[k][from.Port()]) {
		return h.mms.find(k, from, b)
	}
	return h.find(k, from, b)
}

func anyOpen(flows []*Flow) bool { return slices.ContainsFunc(flows, (*Flow).open) }

// requester is the flow that a resend request is for: one with its client ID, rather an open one, rather one whose
// client has the sender's port, rather a newer one. Two origins may give two clients behind one address the same ID.
func (h *host) requester(from netip.AddrPort, b []byte) (*Flow, DropReason) {
	var found *Flow
	best := -1
	for _, f := range h.flows {
		way := f.mms.way.Load()
		if way == nil || way.client != mmsClientID(b) {
			continue
		}
		rank := 0
		if f.open() {
			rank = 2
		}
		if at := f.legs[Client].at.Load(); from == at.advertised[rtp] || from == at.seen[rtp] {
			rank++
		}
		if rank >= best {
			found, best = f, rank
		}
	}
	switch {
	case found != nil:
		return found, DropNone
	case len(h.flows) == 1:
		return h.flows[0], DropNone // it says no and counts it
	}
	return nil, DropWrongID
}

// find goes by the sender's port, then by the SSRCs in the packet, then by what may still be learned. A closed flow
// gets only what no open one claims: a player that moves on binds the same port again.
func (h *host) find(k kind, from netip.AddrPort, b []byte) (*Flow, DropReason) {
	claims := h.ports[k][from.Port()]
	if len(claims) == 1 && claims[0].open() {
		return claims[0], DropNone
	}
	if f := h.claimed(claims, k, from, b); f != nil {
		return f, DropNone
	}
	if f := newestNaming(h.flows, b); f != nil && f.open() {
		return f, DropNone
	}
	if f, several := h.learner(k); f != nil {
		return f, DropNone
	} else if several {
		return nil, DropAmbiguous
	}
	if f := newestNaming(h.flows, b); f != nil {
		return f, DropNone // closed
	}
	if len(claims) > 0 {
		return claims[len(claims)-1], DropNone // closed
	}
	if len(h.flows) == 1 {
		return h.flows[0], DropNone // its leg says no and counts it
	}
	return nil, DropWrongPort
}

// learner is the one open flow that may learn port k, nil if there is none or several. Of several, those are left out
// whose other port was heard as negotiated: no NAT changes their ports.
func (h *host) learner(k kind) (found *Flow, several bool) {
	var one, fresh *Flow
	var ones, freshes int
	for _, f := range h.flows {
		b := f.legs[Client].at.Load()
		if !f.open() || !b.mayLatch(k, f.legs[Client].free) {
			continue
		}
		ones, one = ones+1, f
		if other := 1 - k; !b.seen[other].IsValid() || b.seen[other] != b.advertised[other] {
			freshes, fresh = freshes+1, f
		}
	}
	switch {
	case ones == 1:
		return one, false
	case freshes == 1:
		return fresh, false
	}
	return nil, ones > 1
}

// claimed chooses among open flows that know the sender's port, as two clients behind one NAT may announce the same.
func (h *host) claimed(claims []*Flow, k kind, from netip.AddrPort, b []byte) *Flow {
	if f := newestNaming(claims, b); f != nil && f.open() {
		return f
	}
	var newest, heard *Flow
	for _, f := range claims {
		if !f.open() {
			continue
		}
		newest = f
		if f.legs[Client].at.Load().seen[k] == from {
			heard = f
		}
	}
	if heard != nil {
		return heard
	}
	return newest
}

// newestNaming is the newest flow, an open one if there is one, of which the packet names an SSRC.
func newestNaming(flows []*Flow, b []byte) *Flow {
	var info rtcpInfo
	switch {
	case len(flows) == 0:
		return nil
	case isRTCP(b):
		info.read(b)
	case mayBeRTP(b):
		info.add(rtpSSRC(b))
	}
	var found *Flow
	for _, f := range flows {
		if f.named(&info) && (found == nil || f.open() || !found.open()) {
			found = f
		}
	}
	return found
}
