package transparent

import (
	"encoding/binary"
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/mdlayher/netlink"
)

// packet4 is a UDP packet of IPv4 with a header of 24 bytes, packet6 a TCP packet of IPv6.
func packet4() []byte {
	p := make([]byte, 24+8)
	p[0], p[9] = 0x46, 17
	copy(p[12:], []byte{192, 0, 2, 1, 192, 0, 2, 9})
	binary.BigEndian.PutUint16(p[24:], 5004)
	binary.BigEndian.PutUint16(p[26:], 6970)
	return p
}

func packet6() []byte {
	p := make([]byte, 40+20)
	p[0], p[6], p[23], p[39] = 0x60, 6, 1, 2
	binary.BigEndian.PutUint16(p[40:], 40000)
	binary.BigEndian.PutUint16(p[42:], 80)
	return p
}

// message is the attributes that the kernel sends with a packet.
func message(t *testing.T, payload []byte) []byte {
	t.Helper()
	b, err := netlink.MarshalAttributes([]netlink.Attribute{
		{Type: nflogPrefix, Data: []byte("udp\x00")}, {Type: nflogInterface, Data: []byte{0, 0, 0, 3}},
		{Type: nflogPayload, Data: payload},
	})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestRefusalIsRead(t *testing.T) {
	v6 := func(last byte, port uint16) netip.AddrPort {
		return netip.AddrPortFrom(netip.AddrFrom16([16]byte{15: last}), port)
	}
	for _, tc := range []struct {
		name    string
		payload []byte
		want    Refusal
	}{
		{"IPv4 with options", packet4(), Refusal{From: netip.MustParseAddrPort("192.0.2.1:5004"), To: netip.MustParseAddrPort("192.0.2.9:6970"), Protocol: 17}},
		{"IPv6", packet6(), Refusal{From: v6(1, 40000), To: v6(2, 80), Protocol: 6}},
		{"cut before the ports", packet4()[:26], Refusal{From: netip.MustParseAddrPort("192.0.2.1:0"), To: netip.MustParseAddrPort("192.0.2.9:0"), Protocol: 17}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			tc.want.Reason, tc.want.Interface = "udp", 3
			got, ok := refusal(message(t, tc.payload))
			if !ok {
				t.Fatal("not read")
			}
			if diff := cmp.Diff(tc.want, got, cmp.Comparer(func(a, b netip.AddrPort) bool { return a == b })); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// Whatever sends on the netlink socket, nothing is read behind its end.
func TestRefusalCutAnywhere(t *testing.T) {
	for _, whole := range [][]byte{packet4(), packet6()} {
		for n := range whole {
			b := message(t, whole[:n])
			refusal(b)
			for cut := range b {
				refusal(b[:cut])
			}
			if _, ok := refusal(b); ok && n < 20 {
				t.Errorf("%d bytes were read as a packet", n)
			}
		}
	}
}
