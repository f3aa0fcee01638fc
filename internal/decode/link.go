package decode

import (
	"encoding/binary"
	"fmt"
)

// Link types (draft-ietf-opsawg-pcaplinktype) that are read.
const (
	linkNull     = 0
	linkEthernet = 1
	linkRawBSD   = 12
	linkRawOther = 14
	linkRaw      = 101
	linkLoop     = 108
	linkSLL      = 113
	linkIPv4     = 228
	linkIPv6     = 229
	linkSLL2     = 276
)

// maxTags is how many VLAN tags a frame may have.
const maxTags = 4

func linkName(link uint32) string {
	switch link {
	case linkNull, linkLoop:
		return "loopback"
	case linkEthernet:
		return "Ethernet"
	case linkRaw, linkRawBSD, linkRawOther, linkIPv4, linkIPv6:
		return "raw IP"
	case linkSLL:
		return "Linux cooked"
	case linkSLL2:
		return "Linux cooked v2"
	}
	return fmt.Sprintf("link type %d", link)
}

// network finds the IP packet in a frame; ifindex is the interface that a cooked frame names, 0 if none. known is false
// for a link type that is not read; a frame without IP gives nil.
func network(link uint32, b []byte) (ip []byte, ifindex uint32, known bool) {
	be := binary.BigEndian
	switch link {
	case linkEthernet:
		if len(b) < 14 {
			return nil, 0, true
		}
		return ether(be.Uint16(b[12:]), b[14:]), 0, true
	case linkRaw, linkRawBSD, linkRawOther, linkIPv4, linkIPv6:
		return b, 0, true
	case linkNull, linkLoop: // an address family whose number differs from system to system: the IP version tells more
		return b[min(4, len(b)):], 0, true
	case linkSLL:
		if len(b) < 16 {
			return nil, 0, true
		}
		return ether(be.Uint16(b[14:]), b[16:]), 0, true
	case linkSLL2:
		if len(b) < 20 {
			return nil, 0, true
		}
		return ether(be.Uint16(b), b[20:]), be.Uint32(b[4:]), true
	}
	return nil, 0, false
}

// ether passes over VLAN tags and PPPoE.
func ether(kind uint16, b []byte) []byte {
	for range maxTags {
		switch kind {
		case 0x0800, 0x86dd:
			return b
		case 0x8100, 0x88a8, 0x9100:
			if len(b) < 4 {
				return nil
			}
			kind, b = binary.BigEndian.Uint16(b[2:]), b[4:]
		case 0x8864: // RFC 2516: version, code, session, length; then a protocol of PPP
			if len(b) < 8 {
				return nil
			}
			kind, b = map[uint16]uint16{0x21: 0x0800, 0x57: 0x86dd}[binary.BigEndian.Uint16(b[6:])], b[8:]
		default:
			return nil
		}
	}
	return nil
}
