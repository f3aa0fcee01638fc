package steer

import (
	"encoding/binary"
	"net/netip"
)

// What the kernel's own stack checks of a datagram has to be checked here, for it has not seen it: lengths and checksums. The
// program has let through Ethernet without tags, IPv4 without options and fragments, IPv6 without extension headers, and UDP.
const (
	etherSize, ipv4Size, ipv6Size, udpSize = 14, 20, 40, 8

	etherIPv4, etherIPv6 = 0x0800, 0x86dd
)

// datagram is what a frame holds; payload is part of it.
type datagram struct {
	from, local netip.AddrPort
	payload     []byte
	tos         uint8 // the second byte of the IPv4 header (RFC 2474), or the traffic class (RFC 8200, section 3)
}

// parse reads a frame; false for what a host would not take (RFC 1122, section 3.2.1 and 4.1.3; RFC 8200, section 8.1).
func parse(frame []byte) (d datagram, ok bool) {
	if len(frame) < etherSize+ipv4Size+udpSize {
		return d, false
	}
	ip := frame[etherSize:]
	var pseudo uint64
	var src, dst netip.Addr
	var udp []byte
	switch binary.BigEndian.Uint16(frame[12:]) {
	case etherIPv4:
		total := int(binary.BigEndian.Uint16(ip[2:]))
		if ip[0] != 0x45 || total < ipv4Size+udpSize || total > len(ip) || fold(sum(0, ip[:ipv4Size])) != 0xffff {
			return d, false
		}
		d.tos, udp, pseudo = ip[1], ip[ipv4Size:total], sum(0, ip[12:ipv4Size])
		src, dst = netip.AddrFrom4([4]byte(ip[12:])), netip.AddrFrom4([4]byte(ip[16:]))
	case etherIPv6:
		if len(ip) < ipv6Size+udpSize || ip[0]>>4 != 6 {
			return d, false
		}
		length := int(binary.BigEndian.Uint16(ip[4:]))
		if length < udpSize || length > len(ip)-ipv6Size {
			return d, false
		}
		d.tos, udp, pseudo = ip[0]<<4|ip[1]>>4, ip[ipv6Size:ipv6Size+length], sum(0, ip[8:ipv6Size])
		src, dst = netip.AddrFrom16([16]byte(ip[8:])), netip.AddrFrom16([16]byte(ip[24:]))
	default:
		return d, false
	}
	length := int(binary.BigEndian.Uint16(udp[4:]))
	if length < udpSize || length > len(udp) {
		return d, false
	}
	udp = udp[:length] // RFC 768: what IP has on top is none of the datagram's
	if !intact(udp, pseudo, src.Is4()) {
		return d, false
	}
	d.from = netip.AddrPortFrom(src, binary.BigEndian.Uint16(udp))
	d.local = netip.AddrPortFrom(dst, binary.BigEndian.Uint16(udp[2:]))
	d.payload = udp[udpSize:]
	return d, true
}

// intact checks the checksum of UDP (RFC 768); pseudo is the sum of both addresses. What another network namespace of this
// machine has sent has that of the pseudo header only: a network card would add the rest, and between them there is none.
func intact(udp []byte, pseudo uint64, four bool) bool {
	const protocol = 17
	rest := [4]byte{0, protocol, udp[4], udp[5]}
	pseudo = sum(pseudo, rest[:])
	switch field := binary.NativeEndian.Uint16(udp[6:]); field {
	case 0:
		return four // not made; RFC 8200, section 8.1: it must be over IPv6
	case fold(pseudo):
		return true
	}
	return fold(sum(pseudo, udp)) == 0xffff
}

// sum adds the 16-bit words of b, in the order of the machine, to a sum (RFC 1071). Words of 32 bits are added instead, to four sums
// that do not wait for each other: no datagram is so long that one of them overflows.
func sum(to uint64, b []byte) uint64 {
	const low = 0xffffffff
	var s1, s2, s3 uint64
	for len(b) >= 16 {
		v, w := binary.NativeEndian.Uint64(b), binary.NativeEndian.Uint64(b[8:])
		to += v & low
		s1 += v >> 32
		s2 += w & low
		s3 += w >> 32
		b = b[16:]
	}
	for len(b) > 0 {
		var word [4]byte
		b = b[copy(word[:], b):]
		to += uint64(binary.NativeEndian.Uint32(word[:]))
	}
	return to + s1 + s2 + s3
}

// fold makes 16 bits of a sum.
func fold(s uint64) uint16 {
	s = s>>32 + s&0xffffffff
	s = s>>32 + s&0xffffffff
	s = s>>16 + s&0xffff
	s = s>>16 + s&0xffff
	return uint16(s>>16 + s&0xffff)
}
