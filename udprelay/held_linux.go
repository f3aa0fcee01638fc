package udprelay

import (
	"net/netip"
	"sync"
	"sync/atomic"
)

// holdings name the socket of each address and port whose datagrams are led to the loops' own sockets. Every loop looks there,
// without a lock; who reserves the flow enters a socket, its loop takes it out.
type holdings struct {
	mu    sync.Mutex // of who changes something
	pages [256]atomic.Pointer[page]
}

// page are the ports with the same upper byte.
type page [256]atomic.Pointer[holding]

// holding is one of the addresses at which a port is held. It is never changed: readers may be at it.
type holding struct {
	at   netip.AddrPort
	sock *socket
	next *holding
}

// find is the socket of an address and port, nil if nobody holds it.
func (h *holdings) find(at netip.AddrPort) *socket {
	p := h.pages[at.Port()>>8].Load()
	if p == nil {
		return nil
	}
	for one := p[at.Port()&0xff].Load(); one != nil; one = one.next {
		if one.at == at {
			return one.sock
		}
	}
	return nil
}

// add enters a socket; remove goes before another is entered at the same address and port.
func (h *holdings) add(at netip.AddrPort, s *socket) {
	h.mu.Lock()
	defer h.mu.Unlock()
	p := h.pages[at.Port()>>8].Load()
	if p == nil {
		p = new(page)
		h.pages[at.Port()>>8].Store(p)
	}
	place := &p[at.Port()&0xff]
	place.Store(&holding{at: at, sock: s, next: place.Load()})
}

func (h *holdings) remove(at netip.AddrPort) {
	h.mu.Lock()
	defer h.mu.Unlock()
	p := h.pages[at.Port()>>8].Load()
	if p == nil {
		return
	}
	place := &p[at.Port()&0xff]
	var rest *holding
	for one := place.Load(); one != nil; one = one.next {
		if one.at != at {
			rest = &holding{at: one.at, sock: one.sock, next: rest}
		}
	}
	place.Store(rest)
}
