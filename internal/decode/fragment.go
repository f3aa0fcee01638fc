package decode

import (
	"net/netip"
	"slices"
	"time"
)

const (
	maxPieces    = 64 // fragments of one datagram
	maxDatagram  = 1<<16 - 1
	fragmentLife = 30 * time.Second // RFC 8200, section 4.5 has 60
)

// fragmentKey says which fragments belong together (RFC 791, section 3.2; RFC 8200, section 4.5).
type fragmentKey struct {
	src, dst netip.Addr
	proto    uint8
	id       uint32
}

// pieces are the fragments of one datagram so far.
type pieces struct {
	at    time.Time
	list  []piece
	total int // bytes of the payload, -1 as long as the last is not there
}

type piece struct {
	offset int
	data   []byte
}

// fragments puts datagrams together. What never becomes whole is counted.
type fragments struct {
	limit int
	parts map[fragmentKey]*pieces
	order []fragmentKey // as they began
	lost  int           // datagrams that were given up
}

// add takes a fragment and returns the datagram if it is the last one that was missing. Datagrams whose fragments
// overlap, or of which a part was not captured, are given up: two readers could read them differently.
func (f *fragments) add(d datagram, at time.Time) (datagram, bool) {
	key := fragmentKey{d.src, d.dst, d.proto, d.id}
	p := f.parts[key]
	if p != nil && at.Sub(p.at) > fragmentLife {
		f.drop(key)
		p = nil
	}
	end := d.offset + len(d.payload)
	if d.missing > 0 || end > maxDatagram || d.more && len(d.payload)%8 != 0 || len(d.payload) == 0 {
		f.drop(key)
		return datagram{}, false
	}
	if p == nil {
		if len(f.order) >= f.limit {
			f.drop(f.order[0])
		}
		p = &pieces{at: at, total: -1}
		f.parts[key] = p
		f.order = append(f.order, key)
	}
	i, seen := slices.BinarySearchFunc(p.list, d.offset, func(e piece, at int) int { return e.offset - at })
	if seen && len(p.list[i].data) == len(d.payload) {
		return datagram{}, false // captured twice
	}
	overlaps := seen || i > 0 && p.list[i-1].offset+len(p.list[i-1].data) > d.offset || i < len(p.list) && end > p.list[i].offset
	if overlaps || len(p.list) >= maxPieces || !d.more && p.total >= 0 {
		f.drop(key)
		return datagram{}, false
	}
	p.list = slices.Insert(p.list, i, piece{d.offset, slices.Clone(d.payload)})
	if !d.more {
		p.total = end
	}
	return f.whole(key, p, d)
}

func (f *fragments) whole(key fragmentKey, p *pieces, d datagram) (datagram, bool) {
	have := 0
	for _, e := range p.list {
		have += len(e.data)
	}
	if last := p.list[len(p.list)-1]; have != p.total || last.offset+len(last.data) != have {
		return datagram{}, false
	}
	d.payload = make([]byte, 0, have)
	for _, e := range p.list {
		d.payload = append(d.payload, e.data...)
	}
	d.fragment, d.more, d.offset = false, false, 0
	f.forget(key)
	return d, true
}

func (f *fragments) drop(key fragmentKey) {
	if f.parts[key] != nil {
		f.lost++
		f.forget(key)
	}
}

func (f *fragments) forget(key fragmentKey) {
	delete(f.parts, key)
	if i := slices.Index(f.order, key); i >= 0 {
		f.order = slices.Delete(f.order, i, i+1)
	}
}
