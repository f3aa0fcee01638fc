package decode

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/bits"
	"net/netip"
	"strings"
	"time"
)

// Types of blocks (draft-ietf-opsawg-pcapng, section 4).
const (
	blockSection   = 0x0a0d0d0a
	blockInterface = 1
	blockOld       = 2
	blockSimple    = 3
	blockNames     = 4
	blockStats     = 5
	blockPacket    = 6
)

const (
	maxBlock      = 64 << 10 // of a block without packet
	maxInterfaces = 256
	maxNames      = 1024
)

// pcapng is a file of the newer kind.
type pcapng struct {
	filler
	order  binary.ByteOrder
	ifaces []Interface
	units  []unit // of the interfaces of this section
	first  int    // index in ifaces of the first of this section
	names  map[netip.Addr]string
	told   string // how the session ended that the file is of, as the gateway wrote it
	limit  int
	blocks int
	last   time.Time // simple packet blocks have no time
}

// unit is what an interface says about its packets.
type unit struct {
	link   uint32
	snap   uint32
	per    uint64 // ticks in a second
	offset int64  // seconds
}

func newPcapng(r *bufio.Reader, lim Limits) (*pcapng, error) {
	p := &pcapng{filler: filler{r: r}, limit: lim.Packet, names: map[netip.Addr]string{}}
	head, err := r.Peek(12)
	if err != nil || p.byteOrder(head[8:]) != nil {
		return nil, fmt.Errorf("%w: its header is cut off or damaged", ErrFormat)
	}
	return p, nil
}

func (p *pcapng) interfaces() []Interface { return p.ifaces }

func (p *pcapng) byteOrder(magic []byte) error {
	switch binary.BigEndian.Uint32(magic) {
	case 0x1a2b3c4d:
		p.order = binary.BigEndian
	case 0x4d3c2b1a:
		p.order = binary.LittleEndian
	default:
		return cutf("block %d is a section header without a byte order", p.blocks)
	}
	return nil
}

// next reads blocks until one has a packet.
func (p *pcapng) next() (packet, error) {
	for {
		kind, body, err := p.block()
		if err != nil {
			return packet{}, err
		}
		var k packet
		ok := false
		switch kind {
		case blockInterface:
			err = p.addInterface(body)
		case blockNames:
			p.addNames(body)
		case blockStats:
			p.addTold(body)
		case blockPacket:
			k, ok, err = p.enhanced(body, 20)
		case blockOld:
			k, ok, err = p.enhanced(body, 20)
		case blockSimple:
			k, ok, err = p.simple(body)
		}
		if ok || err != nil {
			return k, err
		}
	}
}

// block reads a block of a kind that is of use, and passes over others.
func (p *pcapng) block() (kind uint32, body []byte, err error) {
	for {
		head, err := p.take(8)
		if errors.Is(err, io.ErrUnexpectedEOF) {
			if len(head) == 0 {
				return 0, nil, io.EOF
			}
			return 0, nil, p.cut()
		}
		if err != nil {
			return 0, nil, err
		}
		p.blocks++
		if kind = binary.BigEndian.Uint32(head); kind == blockSection {
			if magic, err := p.r.Peek(4); err != nil || p.byteOrder(magic) != nil {
				return 0, nil, p.cut()
			}
			p.first, p.units = len(p.ifaces), nil
		}
		kind = p.order.Uint32(head)
		size := p.order.Uint32(head[4:])
		if size < 12 || size%4 != 0 {
			return 0, nil, cutf("block %d says that it has %d bytes: the file is damaged there", p.blocks, size)
		}
		limit := uint32(maxBlock)
		if kind == blockPacket || kind == blockOld || kind == blockSimple {
			limit += uint32(p.limit)
		}
		if kind == blockSection || kind == 0 || kind > blockPacket || size > limit {
			if err := p.skip(int64(size) - 8); err != nil {
				return 0, nil, p.cut()
			}
			continue
		}
		body, err := p.take(int(size) - 8)
		if err != nil {
			return 0, nil, p.cut()
		}
		return kind, body[:len(body)-4], nil
	}
}

func (p *pcapng) cut() error { return cutf("the file ends within block %d", p.blocks) }

// options calls f with each option of b.
func (p *pcapng) options(b []byte, f func(code uint16, value []byte)) {
	for len(b) >= 4 {
		code, n := p.order.Uint16(b), int(p.order.Uint16(b[2:]))
		if b = b[4:]; code == 0 || n > len(b) {
			return
		}
		f(code, b[:n])
		b = b[min(len(b), (n+3)&^3):]
	}
}

func (p *pcapng) addInterface(b []byte) error {
	if len(b) < 8 {
		return cutf("block %d is an interface without a link type", p.blocks)
	}
	if len(p.ifaces) >= maxInterfaces {
		return cutf("more than %d interfaces", maxInterfaces)
	}
	u := unit{link: uint32(p.order.Uint16(b)), snap: p.order.Uint32(b[4:]), per: 1_000_000}
	iface := Interface{Link: linkName(u.link)}
	p.options(b[8:], func(code uint16, v []byte) {
		switch {
		case code == 2: // if_name
			iface.Name = clean(string(v), 64)
		case code == 3: // if_description
			iface.Description = clean(string(v), 128)
		case code == 9 && len(v) > 0: // if_tsresol
			u.per = resolution(v[0])
		case code == 14 && len(v) == 8: // if_tsoffset
			u.offset = int64(p.order.Uint64(v))
		}
	})
	p.ifaces, p.units = append(p.ifaces, iface), append(p.units, u)
	return nil
}

// resolution is how many ticks a second has: a negative power of 10, or of 2 if the highest bit is set.
func resolution(v byte) uint64 {
	if v&0x80 != 0 {
		return 1 << min(v&0x7f, 63)
	}
	per := uint64(1)
	for range min(v, 19) {
		per *= 10
	}
	return per
}

// addTold reads an interface statistics block, for what the gateway says there of the session that the file is of
// (docs/capture.md).
func (p *pcapng) addTold(b []byte) {
	const head = 12 // interface and time
	if len(b) < head {
		return
	}
	p.options(b[head:], func(code uint16, v []byte) {
		if words, ok := strings.CutPrefix(string(v), "session ended "); ok && code == 1 { // opt_comment
			p.told = clean(words, 2048)
		}
	})
}

// addNames reads a name resolution block: whose addresses are whose.
func (p *pcapng) addNames(b []byte) {
	for len(b) >= 4 {
		kind, n := p.order.Uint16(b), int(p.order.Uint16(b[2:]))
		if b = b[4:]; kind == 0 || n > len(b) {
			return
		}
		size := map[uint16]int{1: 4, 2: 16}[kind]
		if addr, ok := netip.AddrFromSlice(b[:min(size, n)]); ok && n > size && len(p.names) < maxNames {
			name := b[size:n]
			for i, c := range name {
				if c == 0 {
					name = name[:i]
					break
				}
			}
			p.names[addr.Unmap()] = clean(string(name), 64)
		}
		b = b[min(len(b), (n+3)&^3):]
	}
}

// enhanced reads an enhanced packet block, or an old packet block, which differs in how it writes the interface.
func (p *pcapng) enhanced(b []byte, head int) (packet, bool, error) {
	if len(b) < head {
		return packet{}, false, cutf("block %d is a packet without a header", p.blocks)
	}
	iface := int64(p.order.Uint32(b))
	if iface >= int64(len(p.units)) { // an old block has 16 bits for it and 16 for a count of drops
		iface = int64(p.order.Uint16(b))
	}
	n := p.order.Uint32(b[12:])
	if iface >= int64(len(p.units)) || n > uint32(len(b)-head) || n > uint32(p.limit) {
		return packet{}, false, cutf("block %d is a packet of no interface or of %d bytes: the file is damaged there", p.blocks, n)
	}
	u := p.units[iface]
	p.last = u.time(uint64(p.order.Uint32(b[4:]))<<32 | uint64(p.order.Uint32(b[8:])))
	full := int(max(n, min(p.order.Uint32(b[16:]), 1<<20)))
	return packet{at: p.last, iface: p.first + int(iface), link: u.link, data: b[head : head+int(n)], full: full}, true, nil
}

func (p *pcapng) simple(b []byte) (packet, bool, error) {
	if len(b) < 4 || len(p.units) == 0 {
		return packet{}, false, cutf("block %d is a packet of no interface: the file is damaged there", p.blocks)
	}
	u, full := p.units[0], p.order.Uint32(b)
	n := min(full, uint32(len(b)-4))
	if u.snap > 0 {
		n = min(n, u.snap)
	}
	return packet{at: p.last, iface: p.first, link: u.link, data: b[4 : 4+n], full: int(max(n, min(full, 1<<20)))}, true, nil
}

// time makes a time of ticks.
func (u unit) time(ticks uint64) time.Time {
	seconds, rest := ticks/u.per, ticks%u.per
	hi, lo := bits.Mul64(rest, 1_000_000_000)
	nanos, _ := bits.Div64(hi, lo, u.per) // rest < per, so it fits
	if u.offset < 0 {
		seconds -= min(seconds, uint64(-(u.offset+1))+1)
	} else {
		seconds += min(uint64(u.offset), 1<<40)
	}
	return stamp(seconds, nanos)
}
