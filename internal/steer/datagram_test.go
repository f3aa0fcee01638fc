package steer

import (
	"bytes"
	"encoding/binary"
	"net"
	"net/netip"
	"testing"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
)

// frameOf is a frame as another program makes it.
func frameOf(t testing.TB, from, to netip.AddrPort, payload []byte) []byte {
	t.Helper()
	udp := &layers.UDP{SrcPort: layers.UDPPort(from.Port()), DstPort: layers.UDPPort(to.Port())}
	ether := &layers.Ethernet{SrcMAC: net.HardwareAddr{2, 0, 0, 0, 0, 1}, DstMAC: net.HardwareAddr{2, 0, 0, 0, 0, 2}}
	var ip interface {
		gopacket.NetworkLayer
		gopacket.SerializableLayer
	}
	if from.Addr().Is4() {
		ether.EthernetType = layers.EthernetTypeIPv4
		ip = &layers.IPv4{Version: 4, TOS: 46 << 2, TTL: 64, Protocol: layers.IPProtocolUDP, SrcIP: from.Addr().AsSlice(), DstIP: to.Addr().AsSlice()}
	} else {
		ether.EthernetType = layers.EthernetTypeIPv6
		ip = &layers.IPv6{Version: 6, TrafficClass: 46 << 2, HopLimit: 64, NextHeader: layers.IPProtocolUDP, SrcIP: from.Addr().AsSlice(), DstIP: to.Addr().AsSlice()}
	}
	if err := udp.SetNetworkLayerForChecksum(ip); err != nil {
		t.Fatal(err)
	}
	b := gopacket.NewSerializeBuffer()
	if err := gopacket.SerializeLayers(b, gopacket.SerializeOptions{FixLengths: true, ComputeChecksums: true}, ether, ip, udp, gopacket.Payload(payload)); err != nil {
		t.Fatal(err)
	}
	return bytes.Clone(b.Bytes())
}

var (
	from4, to4 = netip.MustParseAddrPort("192.0.2.11:5004"), netip.MustParseAddrPort("203.0.113.1:20000")
	from6, to6 = netip.MustParseAddrPort("[2001:db8::11]:5004"), netip.MustParseAddrPort("[2001:db8:1::1]:20000")
)

// TestParse reads what another program has made, of every length up to that of a frame, with padding after it and without.
func TestParse(t *testing.T) {
	for _, each := range [][2]netip.AddrPort{{from4, to4}, {from6, to6}} {
		for n := range 1473 {
			payload := make([]byte, n)
			for i := range payload {
				payload[i] = byte(i*7 + n)
			}
			frame := frameOf(t, each[0], each[1], payload)
			for _, f := range [][]byte{frame, append(frame, 1, 2, 3, 4, 5)} { // a short frame is filled up to 60 bytes
				d, ok := parse(f)
				if !ok || d.from != each[0] || d.local != each[1] || d.tos != 46<<2 || !bytes.Equal(d.payload, payload) {
					t.Fatalf("%d bytes from %v: %v %+v", n, each[0], ok, d)
				}
			}
		}
	}
}

// TestParseCorrupt: every bit of the IPv4 header, of UDP and of what it holds is covered, but what a checksum cannot tell.
func TestParseCorrupt(t *testing.T) {
	for _, each := range [][2]netip.AddrPort{{from4, to4}, {from6, to6}} {
		frame := frameOf(t, each[0], each[1], []byte("sixteen or more bytes"))
		for i := etherSize; i < len(frame); i++ {
			for bit := range 8 {
				f := bytes.Clone(frame)
				f[i] ^= 1 << bit
				if _, ok := parse(f); ok && (each[0].Addr().Is4() || !uncovered6(i-etherSize)) {
					t.Errorf("from %v: byte %d, bit %d is wrong and it passes", each[0].Addr(), i, bit)
				}
			}
		}
		for n := range len(frame) {
			if _, ok := parse(frame[:n]); ok {
				t.Errorf("from %v: %d bytes of %d pass", each[0].Addr(), n, len(frame))
			}
		}
	}
}

// uncovered6 are the bytes of IPv6's header that no checksum covers and no length depends on: class and label, hop limit, and the
// next header, which the program has looked at.
func uncovered6(i int) bool { return i < 4 || i == 6 || i == 7 }

// TestChecksum: none is needed over IPv4 and one is over IPv6, and that of another namespace of this machine has the pseudo
// header only.
func TestChecksum(t *testing.T) {
	four, six := frameOf(t, from4, to4, []byte("media")), frameOf(t, from6, to6, []byte("media"))
	field4, field6 := four[etherSize+ipv4Size+6:], six[etherSize+ipv6Size+6:]
	binary.BigEndian.PutUint16(field4, 0)
	binary.BigEndian.PutUint16(field6, 0)
	if _, ok := parse(four); !ok {
		t.Error("IPv4 without a checksum does not pass")
	}
	if _, ok := parse(six); ok {
		t.Error("IPv6 without a checksum passes")
	}
	pseudo := func(addrs []byte, length byte) uint16 {
		return fold(sum(sum(0, addrs), []byte{0, 17, 0, length}))
	}
	binary.NativeEndian.PutUint16(field4, pseudo(four[etherSize+12:etherSize+20], 13))
	binary.NativeEndian.PutUint16(field6, pseudo(six[etherSize+8:etherSize+40], 13))
	if _, ok := parse(four); !ok {
		t.Error("a checksum that is left to a card does not pass over IPv4")
	}
	if _, ok := parse(six); !ok {
		t.Error("a checksum that is left to a card does not pass over IPv6")
	}
}

// FuzzParse: nothing that comes breaks it, and what passes lies within the frame.
func FuzzParse(f *testing.F) {
	f.Add(frameOf(f, from4, to4, []byte("media")))
	f.Add(frameOf(f, from6, to6, []byte("media")))
	f.Fuzz(func(t *testing.T, frame []byte) {
		d, ok := parse(frame)
		if !ok {
			return
		}
		if !d.from.IsValid() || !d.local.IsValid() || len(d.payload) > len(frame)-etherSize-ipv4Size-udpSize {
			t.Fatalf("%+v of %d bytes", d, len(frame))
		}
		p := gopacket.NewPacket(frame, layers.LayerTypeEthernet, gopacket.NoCopy)
		if udp, is := p.Layer(layers.LayerTypeUDP).(*layers.UDP); is && !bytes.Equal(udp.Payload, d.payload) {
			t.Fatalf("%x, and gopacket has %x", d.payload, udp.Payload)
		}
	})
}

func BenchmarkParse(b *testing.B) {
	frame := frameOf(b, from4, to4, make([]byte, 1316))
	b.ReportAllocs()
	for b.Loop() {
		if _, ok := parse(frame); !ok {
			b.Fatal("it does not pass")
		}
	}
}
