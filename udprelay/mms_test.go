package udprelay

import (
	"encoding/binary"
	"net/netip"
	"testing"
	"time"
)

// data is a Data packet with a payload of 100 bytes. [MS-MMSP] 2.2.2.
func data(location uint32, incarnation, flags byte) []byte {
	b := make([]byte, mmsData+100)
	binary.LittleEndian.PutUint32(b, location)
	b[4], b[5] = incarnation, flags
	binary.LittleEndian.PutUint16(b[6:], uint16(len(b)))
	return b
}

// ask is a RequestPacketListResend. [MS-MMSP] 2.2.5.
func ask(id uint32, packets ...uint32) []byte {
	b := []byte{0x0d, 0xf0, 0xef, 0xbe}
	b = binary.LittleEndian.AppendUint32(b, id)
	b = binary.LittleEndian.AppendUint16(b, 1)
	b = binary.LittleEndian.AppendUint16(b, uint16(len(packets)))
	for _, p := range packets {
		b = binary.LittleEndian.AppendUint32(b, p)
	}
	return b
}

func with(b []byte, at int, v ...byte) []byte {
	copy(b[at:], v)
	return b
}

func TestIsMMSData(t *testing.T) {
	for _, tt := range []struct {
		name string
		b    []byte
		want bool
	}{
		{"nothing", nil, false},
		{"seven bytes", make([]byte, 7), false},
		{"header alone", []byte{0, 0, 0, 0, 4, 0, 8, 0}, true},
		{"a packet", data(1, 4, 1), true},
		{"a packet pair", data(0xf0f0f000, 0xff, 0x10), true},
		{"cut short", data(1, 4, 1)[:50], false},
		{"longer than it says", append(data(1, 4, 1), 0), false},
		{"size 0", with(data(1, 4, 1), 6, 0, 0), false},
		{"big-endian size", with(data(1, 4, 1), 6, 0, 108), false},
		{"RTP", packet(1, 2), false},
		{"a resend request", ask(1, 2), false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := isMMSData(tt.b); got != tt.want {
				t.Errorf("got %v", got)
			}
		})
	}
}

func TestMMSResend(t *testing.T) {
	full := make([]uint32, maxMMSResend)
	for _, tt := range []struct {
		name   string
		b      []byte
		resend bool
		n      int // packets in the list, 0: refused
	}{
		{"nothing", nil, false, 0},
		{"eleven bytes", ask(1, 2)[:11], false, 0},
		{"one", ask(1, 2), true, 1},
		{"32", ask(1, full...), true, 32},
		{"33", ask(1, append(full, 0)...), true, 0},
		{"none", ask(1), true, 0},
		{"fewer than it says", with(ask(1, 2, 3), 10, 3), true, 0},
		{"more than it says", with(ask(1, 2, 3), 10, 1), true, 1},
		{"65535", with(ask(1, 2), 10, 0xff, 0xff), true, 0},
		{"a tail beyond all lists", append(ask(1, full...), 0), true, 0},
		{"big-endian signature", with(ask(1, 2), 0, 0xbe, 0xef, 0xf0, 0x0d), false, 0},
		{"RTP", packet(1, 2), false, 0},
		{"RTCP", nack(wmsCNAME(1)), false, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := isMMSResend(tt.b); got != tt.resend {
				t.Fatalf("a resend request: %v", got)
			}
			if !tt.resend {
				return
			}
			list, ok := mmsResendList(tt.b)
			if ok != (tt.n > 0) || len(list) != tt.n*mmsResendEntry {
				t.Errorf("got %d bytes, %v", len(list), ok)
			}
		})
	}
}

// FuzzMMS: whatever comes to a flow of MMS from either side, the relay lives, forwards only what is well-formed, and
// its figures stay sane.
func FuzzMMS(f *testing.F) {
	f.Add(true, data(7, 4, 7))
	f.Add(false, ask(9, 7, 8))
	f.Add(false, packet(1, 1))
	f.Add(true, []byte{})
	local := netip.MustParseAddr("10.0.0.254")
	client, origin := netip.MustParseAddrPort("10.0.0.1:7000"), netip.MustParseAddrPort("10.1.0.1:5004")
	to := netip.MustParseAddrPort("10.1.0.1:1755")
	b := newBench(LatchSameAddress)
	flow := newFlow(b.relay, Spec{ClientLocal: local, OriginLocal: local, Protocol: MMS})
	flow.tables = []*table{&b.pair.table}
	for side, p := range map[Side]netip.AddrPort{Client: client, Origin: origin} {
		if err := flow.Connect(side, Peer{Addr: p.Addr(), RTP: p.Port()}); err != nil {
			f.Fatal(err)
		}
	}
	flow.SetResend(9, 10, to)
	flow.CountFrom(4)
	f.Fuzz(func(t *testing.T, fromOrigin bool, in []byte) {
		side, from := Client, client
		if fromOrigin {
			side, from = Origin, origin
		} else if got, reason := b.pair.find(rtp, from, in); got != flow {
			t.Fatal(reason)
		}
		fit := fromOrigin && isMMSData(in) || !fromOrigin && isMMSResend(in)
		now := time.Now()
		took := newIntake(side, now)
		got, reason := flow.route(side, rtp, from, in, now, &took)
		took.settle()
		if reason == DropNone && (!fit || got != map[bool]netip.AddrPort{true: client, false: to}[fromOrigin]) {
			t.Errorf("% x goes to %v", in, got)
		}
		if s := flow.Stats(); s.Media.Lost > 1<<40 || s.Resent+s.Media.Late+s.Media.Duplicate > s.Media.Packets {
			t.Errorf("%+v", s)
		}
	})
}
