package decode

import (
	"encoding/binary"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"mediagate/mms/mmswire"
)

// mms says a message in a packet of its own.
func (b *bench) mms(from, to netip.AddrPort, m mmswire.Message) {
	b.t.Helper()
	b.say(from, to, string(mmswire.AppendPacket(nil, 0, 0, mmswire.Encode(m))))
}

// mmsDialog agrees on media for port 7000 of the player and starts it.
func (b *bench) mmsDialog() {
	b.t.Helper()
	b.open(player, wms)
	b.mms(player, wms, &mmswire.Connect{SubscriberName: "NSPlayer/9.0.0.1; {GUID}; Host: host"})
	b.mms(wms, player, &mmswire.ReportConnectedEX{})
	b.mms(player, wms, &mmswire.ConnectFunnel{FunnelName: `\\198.51.100.7\UDP\7000`})
	b.mms(wms, player, &mmswire.ReportConnectedFunnel{FunnelName: "Funnel Of The Gods"})
	b.mms(player, wms, &mmswire.StartPlaying{Position: 12, PlayIncarnation: 4})
	b.mms(wms, player, &mmswire.ReportStartedPlaying{PlayIncarnation: 4})
}

func data(n uint32) []byte {
	return mmswire.AppendData(nil, mmswire.Data{LocationID: n, PlayIncarnation: 4, AFFlags: byte(n), Payload: []byte("some media, not the same each time: " + string(rune('a'+n%26)))})
}

// TestMMSToAnotherPort is a NAT, or a server, that sends the media of a funnel elsewhere.
func TestMMSToAnotherPort(t *testing.T) {
	b := newBench(t)
	b.mmsDialog()
	for n := range uint32(9) {
		b.add(b.datagram(at("192.0.2.11:5004"), at("198.51.100.7:9000"), data(n)))
	}
	b.add(b.datagram(at("198.51.100.7:7000"), at("192.0.2.11:8554"), mmswire.AppendResend(nil, mmswire.ResendRequest{Packets: []uint32{3, 4}})))
	b.pass(2 * time.Second)
	b.mms(wms, player, &mmswire.ReportEndOfStream{})
	r := b.read()
	if got := codes(r); !slices.Equal(got, []string{"nat-mapped", "resend"}) {
		t.Errorf("codes %q", got)
	}
	if !strings.Contains(strings.Join(lines(r), "\n"), "client: first resend request over UDP") {
		t.Errorf("lines %q", lines(r))
	}
}

// TestMMSSeek plays from elsewhere: a step of the numbers is no loss then.
func TestMMSSeek(t *testing.T) {
	b := newBench(t)
	b.mmsDialog()
	for _, n := range []uint32{1, 2, 4} {
		b.add(b.datagram(at("192.0.2.11:5004"), at("198.51.100.7:7000"), data(n)))
	}
	b.mms(player, wms, &mmswire.StartPlaying{LocationID: 500, PlayIncarnation: 4})
	for _, n := range []uint32{500, 501, 503} {
		b.add(b.datagram(at("192.0.2.11:5004"), at("198.51.100.7:7000"), data(n)))
	}
	r := b.read()
	if f := r.Conversations[0].Media[0].Flows; len(f) != 1 || f[0].lost() != 2 {
		t.Errorf("flows %+v", f)
	}
}

// TestUnreadable is what is no message where one should be: it is told, and the next one is read.
func TestUnreadable(t *testing.T) {
	t.Run("rtsp", func(t *testing.T) {
		b := newBench(t)
		b.open(player, wms)
		b.say(player, wms, "OPTIONS rtsp://host/a RTSP/1.0\r\nCSeq: 1\r\n\r\n")
		b.say(wms, player, "RTSP/1.0 200 OK\r\nCSeq: 1\r\nContent-Length: two\r\n\r\n")
		b.say(wms, player, "RTSP/1.0 200 OK\r\nCSeq: 1\r\n\r\n")
		got := lines(b.read())
		if len(got) != 3 || !strings.HasPrefix(got[1], "server: not readable as RTSP: ") || got[2] != "server: RTSP/1.0 200 OK" {
			t.Errorf("lines %q", got)
		}
	})
	t.Run("mms", func(t *testing.T) {
		b := newBench(t)
		b.mmsDialog()
		bad := mmswire.AppendPacket(nil, 0, 0, mmswire.Encode(&mmswire.ReportEndOfStream{}))
		bad[8], bad[32] = 0xff, 0xff // lengths that disagree
		b.say(wms, player, string(bad))
		b.mms(wms, player, &mmswire.ReportEndOfStream{})
		got := lines(b.read())
		if len(got) != 8 || !strings.HasPrefix(got[6], "server: not readable as MMS: ") || got[7] != "server: LinkMacToViewerReportEndOfStream" {
			t.Errorf("lines %q", got)
		}
	})
}

// TestPacketPairs passes over the random bytes of $P packets, of which PacketLength does not count all ([MS-WMSP]
// 2.2.3.7).
func TestPacketPairs(t *testing.T) {
	packet := func(kind byte, body ...byte) []byte {
		return append(binary.LittleEndian.AppendUint16([]byte{'$', kind}, uint16(len(body))), body...)
	}
	pair := func(length, reason, random int) []byte {
		b := binary.LittleEndian.AppendUint16([]byte{'$', 'P'}, uint16(length))
		b = binary.LittleEndian.AppendUint32(b, uint32(reason))
		return append(b, make([]byte, random)...)
	}
	stream := slices.Concat(pair(504, 4, 500), pair(504, 0, 504), pair(100, 4, 104), packet('E', 0, 0, 0, 0))
	for step := 1; step < len(stream); step += 13 {
		var r wmspReader
		var got []string
		for at := 0; at < len(stream); at += step {
			if fault := r.each(stream[at:min(len(stream), at+step)], func(p []byte) { got = append(got, string(p[:2])) }); fault != "" {
				t.Fatalf("in steps of %d: %s", step, fault)
			}
		}
		if d := cmp.Diff([]string{"$P", "$P", "$P", "$E"}, got); d != "" || r.partial() {
			t.Fatalf("in steps of %d: %s", step, d)
		}
	}
}

// TestLongSilenceOfWords listens to a connection that was there before, whose first message comes after much media.
func TestLongSilenceOfWords(t *testing.T) {
	b := newBench(t)
	for range 60 {
		b.say(wms, player, strings.Repeat("\x00\xff\x10", 400))
	}
	b.say(player, wms, "TEARDOWN rtsp://host/a RTSP/1.0\r\nCSeq: 9\r\n\r\n")
	r := b.read()
	if got := lines(r); len(got) != 1 || got[0] != "client: TEARDOWN rtsp://host/a RTSP/1.0" {
		t.Errorf("lines %q", got)
	}
	if len(r.Conversations) == 1 && r.Conversations[0].Client != player {
		t.Errorf("client %s", r.Conversations[0].Client)
	}
}
