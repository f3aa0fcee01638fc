package decode

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gopacket/gopacket/layers"
)

func at(addr string) netip.AddrPort { return netip.MustParseAddrPort(addr) }

// media says so many packets of RTP, one each 20 ms.
func (b *bench) media(from, to netip.AddrPort, ssrc uint32, numbers ...uint16) {
	b.t.Helper()
	for _, n := range numbers {
		b.now = b.now.Add(19 * time.Millisecond)
		b.add(b.datagram(from, to, rtp(n, uint32(n)*160, ssrc)))
	}
}

func upTo(n uint16) []uint16 {
	var out []uint16
	for i := range n {
		out = append(out, i+1)
	}
	return out
}

// TestFindings stages what is wrong with a conversation, and names the codes that must be found, and no others.
//
// Each case begins with a conversation that has agreed on media from 192.0.2.11:6000 to 198.51.100.7:5000.
func TestFindings(t *testing.T) {
	from, to := at("192.0.2.11:6000"), at("198.51.100.7:5000")
	rtcpFrom, rtcpTo := at("198.51.100.7:5001"), at("192.0.2.11:6001")
	for _, tc := range []struct {
		name  string
		stage func(b *bench)
		want  []string
	}{
		{"nothing wrong", func(b *bench) { b.media(from, to, 7, upTo(100)...) }, nil},
		{"too short to tell", func(*bench) {}, nil},
		{"no media", func(b *bench) { b.pass(5 * time.Second); b.say(player, wms, "\r\n") }, []string{"no-media"}},
		{"a client that reports nothing", func(b *bench) { b.media(from, to, 7, upTo(300)...) }, []string{"no-report"}},
		{"a client that reports", func(b *bench) {
			b.media(from, to, 7, upTo(300)...)
			b.add(b.datagram(rtcpFrom, rtcpTo, receiverReport(0, 0)))
		}, nil},
		{"lost", func(b *bench) { b.media(from, to, 7, 1, 2, 3, 7, 8, 9) }, []string{"lost"}},
		{"late", func(b *bench) { b.media(from, to, 7, 1, 2, 4, 3, 5) }, []string{"late"}},
		{"from another port", func(b *bench) { b.media(at("192.0.2.11:9000"), to, 7, upTo(9)...) }, []string{"unnegotiated-port"}},
		{"from another address", func(b *bench) { b.media(at("192.0.2.12:6000"), to, 7, upTo(9)...) }, []string{"unnegotiated-address"}},
		{"to another port", func(b *bench) { b.media(from, at("198.51.100.7:9000"), 7, upTo(9)...) }, []string{"nat-mapped"}},
		{"to another address", func(b *bench) { b.media(from, at("203.0.113.9:5000"), 7, upTo(9)...) }, []string{"third-address"}},
		{"of nobody", func(b *bench) {
			b.media(from, to, 7, upTo(9)...)
			b.media(at("203.0.113.1:7000"), at("203.0.113.2:7000"), 9, upTo(9)...)
		},
			[]string{"stranger"}},
		{"reports from another port", func(b *bench) {
			b.media(from, to, 7, upTo(9)...)
			b.add(b.datagram(at("198.51.100.7:9001"), rtcpTo, receiverReport(0, 0)))
		}, []string{"nat-client"}},
		{"a NAT opened from another port", func(b *bench) {
			b.media(from, to, 7, upTo(9)...)
			b.add(b.datagram(at("198.51.100.7:9001"), from, []byte("\x12any bytes")))
		}, []string{"nat-client"}},
		{"a NAT opened from the port that was announced", func(b *bench) {
			b.media(from, to, 7, upTo(9)...)
			b.add(b.datagram(to, from, []byte("\x12any bytes")))
		}, nil},
		{"any bytes of somebody else", func(b *bench) {
			b.media(from, to, 7, upTo(9)...)
			b.add(b.datagram(at("203.0.113.9:9001"), from, []byte("\x12any bytes")))
		}, nil},
		{"loss reported", func(b *bench) {
			b.media(from, to, 7, upTo(9)...)
			b.add(b.datagram(rtcpFrom, rtcpTo, receiverReport(64, 12)))
		}, []string{"reported-loss"}},
		{"asked again", func(b *bench) {
			b.media(from, to, 7, upTo(9)...)
			b.add(b.datagram(rtcpFrom, rtcpTo, nack(4, 0b101)))
		}, []string{"resend"}},
		{"port unreachable", func(b *bench) {
			b.media(from, to, 7, upTo(9)...)
			for range 5 {
				b.unreachable(b.list[len(b.list)-1])
			}
		}, []string{"icmp"}},
		{"silence", func(b *bench) { b.media(from, to, 7, upTo(9)...); b.pass(9 * time.Second); b.say(player, wms, "\r\n") }, []string{"silence"}},
		{"silence after the end", func(b *bench) {
			b.media(from, to, 7, upTo(9)...)
			b.say(player, wms, "TEARDOWN rtsp://host/a RTSP/1.0\r\nCSeq: 3\r\nSession: 7\r\n\r\n")
			b.pass(9 * time.Second)
			b.say(wms, player, "RTSP/1.0 200 OK\r\nCSeq: 3\r\n\r\n")
		}, nil},
		{"no answer", func(b *bench) {
			b.media(from, to, 7, upTo(9)...)
			b.say(player, wms, "GET_PARAMETER rtsp://host/a RTSP/1.0\r\nCSeq: 3\r\nSession: 7\r\n\r\n")
		}, []string{"no-answer"}},
		{"reset by the server", func(b *bench) {
			b.media(from, to, 7, upTo(9)...)
			b.add(b.segment(wms, player, "", func(t *layers.TCP) { t.RST = true }))
		}, []string{"reset"}},
		{"refused later", func(b *bench) {
			b.media(from, to, 7, upTo(9)...)
			b.say(player, wms, "PAUSE rtsp://host/a RTSP/1.0\r\nCSeq: 3\r\nSession: 7\r\n\r\n")
			b.say(wms, player, "RTSP/1.0 455 Method Not Valid In This State\r\nCSeq: 3\r\n\r\n")
		}, []string{"refused"}},
		{"TCP not captured", func(b *bench) {
			b.media(from, to, 7, upTo(9)...)
			b.segment(wms, player, "RTSP/1.0 200 OK\r\nCSeq: 2\r\n\r\n", nil) // never seen
			b.say(wms, player, "ANNOUNCE rtsp://host/a RTSP/1.0\r\nCSeq: 9\r\n\r\n")
		}, []string{"gap"}},
		{"the server did not answer", func(b *bench) {
			b.media(from, to, 7, upTo(9)...)
			b.add(b.segment(player, at("192.0.2.12:554"), "", func(t *layers.TCP) { t.SYN, t.ACK = true, false }))
		}, []string{"connect-silent"}},
		{"TLS", func(b *bench) {
			b.media(from, to, 7, upTo(9)...)
			b.open(at("203.0.113.9:1111"), at("192.0.2.11:554"))
			b.say(at("203.0.113.9:1111"), at("192.0.2.11:554"), "\x16\x03\x01"+strings.Repeat("\x01", 200))
		}, []string{"other-protocol"}},
		{"a port scan", func(b *bench) {
			b.media(from, to, 7, upTo(9)...)
			b.open(at("203.0.113.9:1111"), at("192.0.2.11:1755"))
			b.add(b.segment(at("203.0.113.9:1111"), at("192.0.2.11:1755"), "", func(t *layers.TCP) { t.FIN = true }))
		}, []string{"never-spoke"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			b := newBench(t)
			b.rtspDialog(player, wms, wantUDP, grantUDP)
			tc.stage(b)
			r := b.read()
			if got := codes(r); !slices.Equal(got, tc.want) {
				t.Errorf("codes %q, want %q\n%+v", got, tc.want, r.Findings)
			}
		})
	}
}

func (b *bench) pass(d time.Duration) { b.now = b.now.Add(d) }

// unreachable answers a packet with an ICMP error of its receiver.
func (b *bench) unreachable(ip []byte) {
	b.t.Helper()
	from, to := netip.AddrFrom4([4]byte(ip[12:16])), netip.AddrFrom4([4]byte(ip[16:20]))
	if ip[9] == protoICMP {
		ip = ip[28:]
		from, to = netip.AddrFrom4([4]byte(ip[12:16])), netip.AddrFrom4([4]byte(ip[16:20]))
	}
	icmp := &layers.ICMPv4{TypeCode: layers.CreateICMPv4TypeCode(3, 3)}
	b.add(append(b.ip(to, from, layers.IPProtocolICMPv4, icmp), ip...))
	last := b.list[len(b.list)-1]
	binary.BigEndian.PutUint16(last[2:], uint16(len(last)))
}

func receiverReport(fraction byte, lost uint32) []byte {
	b := []byte{0x81, rtcpRR, 0, 7, 0, 0, 0, 1, 0, 0, 0, 7, fraction}
	return append(b, append([]byte{byte(lost >> 16), byte(lost >> 8), byte(lost)}, make([]byte, 16)...)...)
}

func nack(pid, bits uint16) []byte {
	b := []byte{0x81, rtcpRTPFB, 0, 3, 0, 0, 0, 1, 0, 0, 0, 7}
	return binary.BigEndian.AppendUint16(binary.BigEndian.AppendUint16(b, pid), bits)
}

// TestNackCount counts what one request names.
func TestNackCount(t *testing.T) {
	var f Flow
	f.observeRTCP(append(nack(4, 0b1000000000000101), receiverReport(0, 0xffffff)...)) // minus one lost
	if f.Reports.Nacked != 4 || f.Reports.Lost != 0 || f.Reports.Receivers != 1 {
		t.Errorf("%+v", f.Reports)
	}
}

// TestStatusFlow is a player that is refused UDP and plays over TCP: a note, and media with figures of each channel.
func TestStatusFlow(t *testing.T) {
	b := newBench(t)
	b.open(player, wms)
	b.say(player, wms, "SETUP rtsp://host/a RTSP/1.0\r\nCSeq: 1\r\nTransport: "+wantUDP+"\r\n\r\n")
	b.say(wms, player, "RTSP/1.0 461 Unsupported Transport\r\nCSeq: 1\r\n\r\n")
	b.say(player, wms, "SETUP rtsp://host/a RTSP/1.0\r\nCSeq: 2\r\nTransport: "+overTCP+"\r\n\r\n")
	b.say(wms, player, "RTSP/1.0 200 OK\r\nCSeq: 2\r\nSession: 7\r\nTransport: "+overTCP+"\r\n\r\n")
	b.say(player, wms, "PLAY rtsp://host/a RTSP/1.0\r\nCSeq: 3\r\nSession: 7\r\n\r\n")
	b.say(wms, player, "RTSP/1.0 200 OK\r\nCSeq: 3\r\nSession: 7\r\n\r\n")
	for _, n := range []uint16{1, 2, 5} {
		p := rtp(n, uint32(n)*160, 9)
		b.say(wms, player, fmt.Sprintf("$\x00\x00%c%s", len(p), p))
	}
	b.say(wms, player, "$\x05\x00\x04abcd")
	b.say(player, wms, "TEARDOWN rtsp://host/a RTSP/1.0\r\nCSeq: 4\r\nSession: 7\r\n\r\n")
	b.say(wms, player, "RTSP/1.0 200 OK\r\nCSeq: 4\r\n\r\n")
	r := b.read()
	if got := codes(r); !slices.Equal(got, []string{"unnegotiated-channel", "refused", "skipped"}) {
		t.Errorf("codes %q", got)
	}
	text := strings.Join(lines(r), "\n")
	if !strings.Contains(text, "server: 4 packets of media, ") || !strings.Contains(text, "2 lost") {
		t.Errorf("the run is not told:\n%s", text)
	}
}

// TestPortsUsedAgain plays twice to the same port: figures of the two are apart.
func TestPortsUsedAgain(t *testing.T) {
	b := newBench(t)
	for i := range uint16(2) {
		client := netip.AddrPortFrom(player.Addr(), player.Port()+i)
		b.rtspDialog(client, wms, wantUDP, grantUDP)
		b.media(at("192.0.2.11:6000"), at("198.51.100.7:5000"), 7, upTo(10+i)...)
		b.say(client, wms, "TEARDOWN rtsp://host/a RTSP/1.0\r\nCSeq: 3\r\nSession: 7\r\n\r\n")
	}
	r := b.read()
	for i, want := range []uint64{10, 11} {
		if f := r.Conversations[i].Media[0].Flows; len(f) != 1 || f[0].Packets != want {
			t.Errorf("conversation %d: %d flows, %+v", i+1, len(f), f)
		}
	}
}

// TestEarlyMedia is media that comes before the answer that negotiated it.
func TestEarlyMedia(t *testing.T) {
	b := newBench(t)
	b.media(at("192.0.2.11:6000"), at("198.51.100.7:5000"), 7, 1, 2)
	b.rtspDialog(player, wms, wantUDP, grantUDP)
	b.media(at("192.0.2.11:6000"), at("198.51.100.7:5000"), 7, 3, 4, 5)
	r := b.read()
	if len(r.Strays) != 0 || len(r.Conversations[0].Media[0].Flows) != 1 {
		t.Errorf("%d strays, flows %+v", len(r.Strays), r.Conversations[0].Media[0].Flows)
	}
}

// TestLegs are the two sides of a gateway: what was lost before it, and what it lost.
func TestLegs(t *testing.T) {
	gateway := at("192.0.2.1:40000")
	b := newBench(t)
	b.rtspDialog(player, at("198.51.100.1:554"), wantUDP, grantUDP)
	b.rtspDialog(gateway, wms, "RTP/AVP;unicast;client_port=20000-20001", "RTP/AVP;unicast;client_port=20000-20001;server_port=6000-6001")
	for n := range uint16(60) {
		if n == 20 {
			continue // lost before the gateway
		}
		p := rtp(n, uint32(n)*160, 0xabcd)
		b.add(b.datagram(at("192.0.2.11:6000"), at("192.0.2.1:20000"), p))
		if n != 30 && n != 31 { // lost in the gateway
			b.add(b.datagram(at("198.51.100.1:6000"), at("198.51.100.7:5000"), p))
		}
	}
	r := b.read()
	if r.Conversations[0].Leg != 2 || r.Conversations[1].Leg != 0 {
		t.Errorf("legs %d and %d", r.Conversations[0].Leg, r.Conversations[1].Leg)
	}
	if got := codes(r); !slices.Equal(got, []string{"lost-between", "lost"}) {
		t.Errorf("codes %q: %+v", got, r.Findings)
	}
	if !strings.HasPrefix(r.Findings[0].Text, "2 of 60 packets were seen from 192.0.2.11:6000 to 192.0.2.1:20000, and not from") {
		t.Errorf("text %q", r.Findings[0].Text)
	}
}

// TestSharedMedia is Windows Media over RTSP: two streams in the packets of one.
func TestSharedMedia(t *testing.T) {
	for name, transports := range map[string][2]string{
		"the same ports": {grantUDP, grantUDP},
		"the same SSRC":  {overTCP + ";ssrc=00000007", "RTP/AVP/TCP;unicast;interleaved=2-3;ssrc=00000007"},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			b.open(player, wms)
			for i, tr := range transports {
				b.say(player, wms, fmt.Sprintf("SETUP rtsp://host/%d RTSP/1.0\r\nCSeq: %d\r\nTransport: %s\r\n\r\n", i, i, tr))
				b.say(wms, player, fmt.Sprintf("RTSP/1.0 200 OK\r\nCSeq: %d\r\nSession: 7\r\nTransport: %s\r\n\r\n", i, tr))
			}
			b.say(player, wms, "PLAY rtsp://host/ RTSP/1.0\r\nCSeq: 5\r\nSession: 7\r\n\r\n")
			b.say(wms, player, "RTSP/1.0 200 OK\r\nCSeq: 5\r\nSession: 7\r\n\r\n")
			for n := range uint16(100) {
				p := rtp(n, uint32(n)*160, 7)
				b.pass(20 * time.Millisecond)
				if transports[0] == grantUDP {
					b.add(b.datagram(at("192.0.2.11:6000"), at("198.51.100.7:5000"), p))
				} else {
					b.say(wms, player, fmt.Sprintf("$\x00\x00%c%s", len(p), p))
				}
			}
			r := b.read()
			m := r.Conversations[0].Media
			if len(m) != 2 || m[0].Shares != "" || m[1].Shares != "rtsp://host/0" || len(m[0].Flows) != 1 {
				t.Errorf("media %+v", m)
			}
			if got := codes(r); len(got) != 0 {
				t.Errorf("codes %q", got)
			}
		})
	}
}

// TestRollover is a player that is refused over RTSP and plays over MMS.
func TestRollover(t *testing.T) {
	b := newBench(t)
	b.open(player, wms)
	b.say(player, wms, "DESCRIBE rtsp://host/a.wmv RTSP/1.0\r\nCSeq: 1\r\n\r\n")
	b.say(wms, player, "RTSP/1.0 503 Service Unavailable\r\nCSeq: 1\r\n\r\n")
	again := netip.AddrPortFrom(player.Addr(), player.Port()+1)
	b.open(again, wms)
	b.say(again, wms, "SETUP rtsp://host/a.wmv RTSP/1.0\r\nCSeq: 1\r\nTransport: "+overTCP+"\r\n\r\n")
	b.say(wms, again, "RTSP/1.0 200 OK\r\nCSeq: 1\r\nSession: 7\r\nTransport: "+overTCP+"\r\n\r\n")
	b.say(again, wms, "PLAY rtsp://host/a.wmv RTSP/1.0\r\nCSeq: 2\r\nSession: 7\r\n\r\n")
	b.say(wms, again, "RTSP/1.0 200 OK\r\nCSeq: 2\r\nSession: 7\r\n\r\n")
	r := b.read()
	if len(r.Findings) != 1 || r.Findings[0].Level != levelWarning || !strings.HasSuffix(r.Findings[0].Text, "the player went on and plays in conversation [2]") {
		t.Errorf("findings %+v", r.Findings)
	}
}
