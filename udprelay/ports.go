package udprelay

import (
	"errors"
	"fmt"
	"net/netip"
	"sync"
	"syscall"
)

// pairs is how many port pairs the range has.
func (r PortRange) pairs() int {
	lo, hi := int(r.Lo), int(r.Hi)
	lo += lo & 1 // RFC 3550, section 11: RTP on an even port
	if r.Lo == 0 {
		lo = 2 // port 0 is none
	}
	return max(0, (hi-lo+1)/2)
}

// at is the RTP port of the i-th pair.
func (r PortRange) at(i int) uint16 {
	if r.Lo == 0 {
		return uint16(2 + 2*i)
	}
	return r.Lo + r.Lo&1 + uint16(2*i)
}

// ports hands out the pairs of one side's range, for each local address apart. A number is promised only while both
// its sockets are bound: to bind, close and promise would let another program, or another flow, take it in between.
type ports struct {
	side   Side
	rng    PortRange
	listen ListenFunc

	// mu guards the following fields. It is held while binding, which does not block, so that two flows never try for
	// one pair and an exhausted range is told from a race.
	mu   sync.Mutex
	held map[netip.AddrPort]bool // by RTP port; until release
	next map[netip.Addr]int      // where to look first: the pair freed longest ago, or nearly so
}

func newPorts(side Side, rng PortRange, listen ListenFunc) *ports {
	return &ports{side: side, rng: rng, listen: listen, held: make(map[netip.AddrPort]bool), next: make(map[netip.Addr]int)}
}

// reserve binds a free pair at an address, or only the even port of one: use is how many of the two. A port that is wanted
// is tried first.
func (p *ports) reserve(addr netip.Addr, use kind, want uint16) (PortPair, [kinds]Conn, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if pair, conns, ok := p.wantedLocked(addr, use, want); ok {
		return pair, conns, nil
	}
	n, ours, others := p.rng.pairs(), 0, 0
	var taken error
	for i := range n {
		at := (p.next[addr] + i) % n
		pair := PortPair{Addr: addr, RTP: p.rng.at(at)}
		if use == kinds {
			pair.RTCP = pair.RTP + 1
		}
		key := netip.AddrPortFrom(addr, pair.RTP)
		if p.held[key] {
			ours++
			continue
		}
		conns, err := p.bind(pair, use)
		if err == nil {
			p.held[key] = true
			p.noteLocked(addr, at+1)
			return pair, conns, nil
		}
		if !errors.Is(err, syscall.EADDRINUSE) {
			return PortPair{}, conns, p.refused(addr, err)
		}
		others, taken = others+1, err
	}
	if n == 1 && others == 1 {
		return PortPair{}, [kinds]Conn{}, fmt.Errorf("udprelay: bind %v pair %v %d-%d: another program uses a port: stop "+
			"it or configure another pair: %w (%w)", p.side, addr, p.rng.Lo, p.rng.Hi, ErrPortsExhausted, taken)
	}
	return PortPair{}, [kinds]Conn{}, fmt.Errorf("udprelay: reserve %v pair at %v: %w: all %d pairs of %d-%d are taken, %d by "+
		"flows (open or lingering), %d by other programs; widen the range", p.side, addr, ErrPortsExhausted, n, p.rng.Lo,
		p.rng.Hi, ours, others)
}

// wantedLocked binds the wanted port. It need not be of the range: the address is not ours to divide. Why it cannot be had
// makes no difference, the range serves then.
func (p *ports) wantedLocked(addr netip.Addr, use kind, want uint16) (pair PortPair, conns [kinds]Conn, ok bool) {
	pair = PortPair{Addr: addr, RTP: want}
	if use == kinds {
		if want%2 != 0 {
			return pair, conns, false
		}
		pair.RTCP = want + 1
	}
	key := netip.AddrPortFrom(addr, want)
	if want == 0 || p.held[key] {
		return pair, conns, false
	}
	conns, err := p.bind(pair, use)
	if err != nil {
		return pair, conns, false
	}
	p.held[key] = true
	return pair, conns, true
}

// noteLocked remembers where to look first, for so many addresses: with the addresses of clients there is no end of them.
func (p *ports) noteLocked(addr netip.Addr, at int) {
	const most = 1024
	if _, ok := p.next[addr]; !ok && len(p.next) >= most {
		clear(p.next) // what is freed longest ago is found by trying, too
	}
	p.next[addr] = at
}

// bind binds the sockets of a pair or none.
func (p *ports) bind(pair PortPair, use kind) (conns [kinds]Conn, err error) {
	for k := range use {
		at := netip.AddrPortFrom(pair.Addr, pair.RTP+uint16(k))
		if conns[k], err = p.listen(at); err != nil {
			if k == rtcp {
				err = errors.Join(fmt.Errorf("%v: %w", at, err), conns[rtp].Close())
			} else {
				err = fmt.Errorf("%v: %w", at, err)
			}
			return [kinds]Conn{}, err
		}
	}
	return conns, nil
}

// refused tells what to do about an error that the next pair would meet as well.
func (p *ports) refused(addr netip.Addr, err error) error {
	return fmt.Errorf("udprelay: bind %v pair at %v: %s: %w", p.side, addr, advice(err), err)
}

func advice(err error) string {
	switch {
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		return "this host does not have the address: add it to an interface or configure another"
	case errors.Is(err, syscall.EACCES), errors.Is(err, syscall.EPERM):
		return "not permitted: configure ports above 1023 or give the program CAP_NET_BIND_SERVICE"
	case errors.Is(err, syscall.EMFILE), errors.Is(err, syscall.ENFILE):
		return "too many open files: raise the limit (ulimit -n, LimitNOFILE)"
	}
	return "the system refuses the port"
}

// release makes a pair free again, once its sockets are closed.
func (p *ports) release(pair PortPair) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.held, netip.AddrPortFrom(pair.Addr, pair.RTP))
}
