package udprelay

import (
	"maps"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
)

// table has the flows of a socket that several share, by the addresses of their clients.
//
// It is read for each datagram and never changed: a change puts a new map in place of one of 256, so that a session
// among thousands copies little and a reader waits for nobody.
type table struct {
	resends bool       // only resend requests of MMS come here
	mu      sync.Mutex // one change at a time
	shards  [256]atomic.Pointer[map[netip.Addr]*host]
}

func (t *table) shard(a netip.Addr) *atomic.Pointer[map[netip.Addr]*host] {
	b := a.As16()
	return &t.shards[b[15]^b[14]^b[13]^b[7]^b[5]]
}

func (t *table) host(a netip.Addr) *host {
	if m := t.shard(a).Load(); m != nil {
		return (*m)[a]
	}
	return nil
}

// enter makes the table true for a flow whose client leg has changed: it was at some addresses and is now at others. A
// flow that stays keeps its age.
func (t *table) enter(f *Flow, was, now []netip.Addr) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, a := range was {
		if !slices.Contains(now, a) {
			t.setLocked(a, f, false)
		}
	}
	for _, a := range now {
		t.setLocked(a, f, true)
	}
}

// setLocked puts a new map for an address in place.
func (t *table) setLocked(a netip.Addr, f *Flow, in bool) {
	shard := t.shard(a)
	next := make(map[netip.Addr]*host)
	if m := shard.Load(); m != nil {
		maps.Copy(next, *m)
	}
	var plain, mms []*Flow
	if h := next[a]; h != nil {
		plain = h.flows
		if h.mms != nil {
			mms = h.mms.flows
		}
	}
	if f.mms != nil {
		mms = changed(mms, f, in)
	} else {
		plain = changed(plain, f, in)
	}
	if delete(next, a); len(plain)+len(mms) > 0 {
		h := newHost(a, plain)
		if len(mms) > 0 {
			h.mms = newHost(a, mms)
		}
		next[a] = h
	}
	shard.Store(&next)
}

// changed is a copy of a list with a flow in it or not.
func changed(flows []*Flow, f *Flow, in bool) []*Flow {
	i := slices.Index(flows, f)
	flows = slices.Clone(flows)
	switch {
	case in && i < 0:
		flows = append(flows, f)
	case !in && i >= 0:
		flows = slices.Delete(flows, i, i+1)
	}
	return flows
}

// find names the flow that a datagram belongs to; its leg has the last word on the sender. Without one the reason
// says why.
func (t *table) find(k kind, from netip.AddrPort, b []byte) (*Flow, DropReason) {
	h := t.host(from.Addr())
	switch {
	case h == nil:
		return nil, DropUnknownSource
	case !t.resends:
		return h.owner(k, from, b)
	case !isMMSResend(b):
		return nil, DropNotMMS
	}
	return h.mms.requester(from, b)
}

// receiver is the flow whose client is sent to at an address: the newest, rather an open one; nil if there is none.
func (t *table) receiver(k kind, to netip.AddrPort) (found *Flow) {
	h := t.host(to.Addr())
	if h == nil {
		return nil
	}
	flows := h.flows
	for range 2 {
		for _, f := range flows {
			if f.legs[Client].target(k) == to && (found == nil || f.open() || !found.open()) {
				found = f
			}
		}
		if h.mms == nil || k != rtp {
			break
		}
		flows = h.mms.flows
	}
	return found
}
