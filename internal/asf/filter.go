package asf

import "encoding/binary"

// Filter returns the packet with only the payloads that keep wants: the packet itself if it wants all of them, nil if it
// wants none, else a shorter copy, without padding and with its length written into it. keep is called once for each
// payload, in their order. [MS-MMSP] 3.2.5.11.1: payloads of streams that are not selected are left out.
func (p *Packet) Filter(keep func(Payload) bool) []byte {
	kept := make([][2]int, 0, len(p.Payloads))
	for i, l := range p.Payloads {
		switch {
		case !keep(l):
		case p.extents == nil: // the only one
			return p.raw
		default:
			kept = append(kept, p.extents[i])
		}
	}
	if len(kept) == 0 {
		return nil
	}
	if len(kept) == len(p.Payloads) {
		return p.raw
	}
	const timesAndCount = 4 + 2 + 1
	b := p.rebuild(2, 0, p.timeAt+timesAndCount)
	b[len(b)-1] = b[len(b)-1]&0xc0 | byte(len(kept))
	for _, e := range kept {
		b = append(b, p.raw[e[0]:e[1]]...)
	}
	binary.LittleEndian.PutUint16(b[p.flagsAt+2:], uint16(len(b)))
	return b
}
