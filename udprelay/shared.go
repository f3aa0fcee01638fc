package udprelay

import (
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
)

// sharedPair is one pair of well-known client ports for all flows of a local address. Which flow a datagram belongs
// to is told by its sender.
//
// The tables are read for each datagram and never changed: a change puts a new one in place of one of 256, so that a
// session among thousands copies little and a reader waits for nobody.
type sharedPair struct {
	local  PortPair
	sock   [kinds]*socket
	mu     sync.Mutex // one change at a time
	shards [256]atomic.Pointer[map[netip.Addr]*host]
}

// host are the flows of one client address.
type host struct {
	flows []*Flow // oldest first
	ports [kinds]map[uint16][]*Flow
}

func newHost(addr netip.Addr, flows []*Flow) *host {
	h := &host{flows: flows}
	for k := range kinds {
		h.ports[k] = make(map[uint16][]*Flow, len(flows))
	}
	for _, f := range flows {
		b := f.legs[Client].at.Load()
		h.claim(rtp, addr, f, b.advertised[rtp], b.seen[rtp])
		h.claim(rtcp, addr, f, b.advertised[rtcp], b.seen[rtcp])
		if !b.advertised[rtcp].IsValid() {
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

func (p *sharedPair) shard(a netip.Addr) *atomic.Pointer[map[netip.Addr]*host] {
	b := a.As16()
	return &p.shards[b[15]^b[14]^b[13]^b[7]^b[5]]
}

func (p *sharedPair) host(a netip.Addr) *host {
	if m := p.shard(a).Load(); m != nil {
		return (*m)[a]
	}
	return nil
}

// enter makes the tables true for a flow whose client leg has changed. A flow that stays keeps its age.
func (p *sharedPair) enter(f *Flow) {
	p.mu.Lock()
	defer p.mu.Unlock()
	b := f.legs[Client].at.Load()
	now := append([]netip.Addr{b.addr}, b.also...)
	for _, a := range f.entered {
		if !slices.Contains(now, a) {
			p.setLocked(a, f, false)
		}
	}
	for _, a := range now {
		p.setLocked(a, f, true)
	}
	f.entered = now
}

// leave takes a flow out of the tables.
func (p *sharedPair) leave(f *Flow) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, a := range f.entered {
		p.setLocked(a, f, false)
	}
	f.entered = nil
}

// setLocked puts a new table for an address in place.
func (p *sharedPair) setLocked(a netip.Addr, f *Flow, in bool) {
	shard := p.shard(a)
	next := make(map[netip.Addr]*host)
	if m := shard.Load(); m != nil {
		for k, v := range *m {
			next[k] = v
		}
	}
	var flows []*Flow
	if h := next[a]; h != nil {
		flows = slices.Clone(h.flows)
	}
	i := slices.Index(flows, f)
	switch {
	case in && i < 0:
		flows = append(flows, f)
	case !in && i >= 0:
		flows = slices.Delete(flows, i, i+1)
	}
	if delete(next, a); len(flows) > 0 {
		next[a] = newHost(a, flows)
	}
	shard.Store(&next)
}

// find names the flow that a datagram belongs to; its leg has the last word on the sender. Without one the reason
// says why.
func (p *sharedPair) find(k kind, from netip.AddrPort, b []byte) (*Flow, DropReason) {
	h := p.host(from.Addr())
	if h == nil {
		return nil, DropUnknownSource
	}
	return h.find(k, from, b)
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
