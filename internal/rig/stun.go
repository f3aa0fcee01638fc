//go:build linux

package main

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
)

// What the rig speaks of STUN (RFC 8489, section 5) and TURN (RFC 8656, sections 17 and 18).
const (
	stunCookie = 0x2112a442
	stunHeader = 20

	allocateRequest    = 0x0003
	channelBindRequest = 0x0009
	successBit         = 0x0100

	attrChannelNumber      = 0x000c
	attrXORPeerAddress     = 0x0012
	attrXORRelayedAddress  = 0x0016
	attrRequestedTransport = 0x0019
	attrErrorCode          = 0x0009

	firstChannel = 0x4000
)

// errSTUN: what was to be read is no STUN message, or lacks what it must have.
var errSTUN = errors.New("rig: read stun message: malformed")

// attribute is one attribute of a message.
type attribute struct {
	kind  uint16
	value []byte
}

// stunRequest writes a request.
func stunRequest(kind uint16, id uint64, attributes ...attribute) []byte {
	b := make([]byte, stunHeader)
	binary.BigEndian.PutUint16(b, kind)
	binary.BigEndian.PutUint32(b[4:], stunCookie)
	binary.BigEndian.PutUint64(b[12:], id)
	for _, a := range attributes {
		b = binary.BigEndian.AppendUint16(b, a.kind)
		b = binary.BigEndian.AppendUint16(b, uint16(len(a.value)))
		b = append(b, a.value...)
		b = append(b, make([]byte, -len(a.value)&3)...)
	}
	binary.BigEndian.PutUint16(b[2:], uint16(len(b)-stunHeader))
	return b
}

// stunAnswer reads the attributes of an answer to a request.
func stunAnswer(b []byte, kind uint16) (map[uint16][]byte, error) {
	if len(b) < stunHeader || int(binary.BigEndian.Uint16(b[2:])) != len(b)-stunHeader {
		return nil, errSTUN
	}
	found := map[uint16][]byte{}
	for rest := b[stunHeader:]; len(rest) > 0; {
		if len(rest) < 4 {
			return nil, errSTUN
		}
		n := int(binary.BigEndian.Uint16(rest[2:]))
		padded := 4 + n + -n&3
		if padded > len(rest) {
			return nil, errSTUN
		}
		found[binary.BigEndian.Uint16(rest)] = rest[4 : 4+n]
		rest = rest[padded:]
	}
	if got := binary.BigEndian.Uint16(b); got != kind|successBit {
		return nil, fmt.Errorf("rig: ask coturn: message %#x: answer %#x: %q", kind, got, found[attrErrorCode])
	}
	return found, nil
}

// xorAddress is the value of an address attribute, of IPv4 (RFC 8489, section 14.2).
func xorAddress(at netip.AddrPort) []byte {
	b := []byte{0, 1}
	b = binary.BigEndian.AppendUint16(b, at.Port()^stunCookie>>16)
	a := at.Addr().As4()
	return binary.BigEndian.AppendUint32(b, binary.BigEndian.Uint32(a[:])^stunCookie)
}

// readXORAddress reads one.
func readXORAddress(b []byte) (netip.AddrPort, error) {
	if len(b) != 8 || b[1] != 1 {
		return netip.AddrPort{}, errSTUN
	}
	var a [4]byte
	binary.BigEndian.PutUint32(a[:], binary.BigEndian.Uint32(b[4:])^stunCookie)
	return netip.AddrPortFrom(netip.AddrFrom4(a), binary.BigEndian.Uint16(b[2:])^stunCookie>>16), nil
}
