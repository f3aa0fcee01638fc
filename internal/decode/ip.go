package decode

import (
	"encoding/binary"
	"net/netip"
)

// Numbers of protocols in an IP header.
const (
	protoHop      = 0
	protoICMP     = 1
	protoTCP      = 6
	protoUDP      = 17
	protoRouting  = 43
	protoFragment = 44
	protoAH       = 51
	protoICMP6    = 58
	protoOptions  = 60
)

// maxExtensions is how many extension headers of IPv6 are passed over.
const maxExtensions = 8

// datagram is an IP packet, or a fragment of one.
type datagram struct {
	src, dst netip.Addr
	proto    uint8
	payload  []byte
	missing  int // bytes of the payload that were not captured

	fragment bool
	more     bool
	offset   int
	id       uint32
}

// parseIP reads the header of a packet of either version. full is the number of bytes it had on the wire, for segments
// that an interface card has put together and whose header has no length.
func parseIP(b []byte, full int) (datagram, bool) {
	if len(b) == 0 {
		return datagram{}, false
	}
	switch b[0] >> 4 {
	case 4:
		return parseIPv4(b, full)
	case 6:
		return parseIPv6(b, full)
	}
	return datagram{}, false
}

func parseIPv4(b []byte, full int) (datagram, bool) {
	if len(b) < 20 {
		return datagram{}, false
	}
	head, total := int(b[0]&15)*4, int(binary.BigEndian.Uint16(b[2:]))
	if total == 0 {
		total = max(full, len(b))
	}
	if head < 20 || head > len(b) || total < head {
		return datagram{}, false
	}
	flags := binary.BigEndian.Uint16(b[6:])
	d := datagram{
		src: netip.AddrFrom4([4]byte(b[12:16])), dst: netip.AddrFrom4([4]byte(b[16:20])), proto: b[9],
		more: flags&0x2000 != 0, offset: int(flags&0x1fff) * 8, id: uint32(binary.BigEndian.Uint16(b[4:])),
	}
	d.fragment = d.more || d.offset > 0
	d.cut(b[head:], total-head)
	return d, true
}

func parseIPv6(b []byte, full int) (datagram, bool) {
	if len(b) < 40 {
		return datagram{}, false
	}
	total := int(binary.BigEndian.Uint16(b[4:]))
	if total == 0 {
		total = max(full, len(b)) - 40
	}
	d := datagram{src: netip.AddrFrom16([16]byte(b[8:24])).Unmap(), dst: netip.AddrFrom16([16]byte(b[24:40])).Unmap(), proto: b[6]}
	d.cut(b[40:], total)
	for range maxExtensions {
		n := 0
		switch p := d.payload; d.proto {
		case protoHop, protoRouting, protoOptions:
			if len(p) >= 2 {
				n = 8 + int(p[1])*8
			}
		case protoAH:
			if len(p) >= 2 {
				n = 8 + int(p[1])*4
			}
		case protoFragment:
			if n = 8; len(p) >= n {
				at := binary.BigEndian.Uint16(p[2:])
				d.fragment, d.more, d.offset, d.id = at&^6 != 0, at&1 != 0, int(at&^7), binary.BigEndian.Uint32(p[4:])
			}
		default:
			return d, true
		}
		if n == 0 || n > len(d.payload) {
			return datagram{}, false
		}
		d.proto, d.payload = d.payload[0], d.payload[n:]
		if d.offset > 0 {
			return d, true // what follows is no header
		}
	}
	return datagram{}, false
}

// cut takes the payload of n bytes; less of it may have been captured, and padding of the link may follow it.
func (d *datagram) cut(b []byte, n int) {
	d.payload = b[:min(len(b), n)]
	d.missing = n - len(d.payload)
}
