package decode

import (
	"bytes"
	"encoding/binary"
	"net/netip"
	"testing"
	"time"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
	"github.com/gopacket/gopacket/pcapgo"
)

// The hosts of captures that tests build.
var (
	player = netip.MustParseAddrPort("198.51.100.7:40000")
	wms    = netip.MustParseAddrPort("192.0.2.11:8554")
	epoch  = time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
)

// bench builds captures packet by packet, of a clock that goes on by a millisecond with each.
type bench struct {
	t     testing.TB
	seq   map[[2]netip.AddrPort]uint32
	list  [][]byte // IP packets
	times []time.Time
	now   time.Time
}

func newBench(t testing.TB) *bench {
	return &bench{t: t, seq: map[[2]netip.AddrPort]uint32{}, now: epoch}
}

func serialize(t testing.TB, parts ...gopacket.SerializableLayer) []byte {
	t.Helper()
	buf := gopacket.NewSerializeBuffer()
	if err := gopacket.SerializeLayers(buf, gopacket.SerializeOptions{FixLengths: true, ComputeChecksums: true}, parts...); err != nil {
		t.Fatal(err)
	}
	return bytes.Clone(buf.Bytes())
}

// ip makes an IP packet of either version.
func (b *bench) ip(from, to netip.Addr, proto layers.IPProtocol, rest ...gopacket.SerializableLayer) []byte {
	b.t.Helper()
	if from.Is4() {
		ip := &layers.IPv4{Version: 4, TTL: 64, Protocol: proto, SrcIP: from.AsSlice(), DstIP: to.AsSlice()}
		setNetwork(b.t, ip, rest)
		return serialize(b.t, append([]gopacket.SerializableLayer{ip}, rest...)...)
	}
	ip := &layers.IPv6{Version: 6, HopLimit: 64, NextHeader: proto, SrcIP: from.AsSlice(), DstIP: to.AsSlice()}
	setNetwork(b.t, ip, rest)
	return serialize(b.t, append([]gopacket.SerializableLayer{ip}, rest...)...)
}

func setNetwork(t testing.TB, ip gopacket.NetworkLayer, rest []gopacket.SerializableLayer) {
	t.Helper()
	for _, l := range rest {
		if s, ok := l.(interface {
			SetNetworkLayerForChecksum(gopacket.NetworkLayer) error
		}); ok {
			if err := s.SetNetworkLayerForChecksum(ip); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func (b *bench) add(ip []byte) {
	b.now = b.now.Add(time.Millisecond)
	b.list, b.times = append(b.list, ip), append(b.times, b.now)
}

// segment makes a TCP segment with what the sender has to say next.
func (b *bench) segment(from, to netip.AddrPort, payload string, set func(*layers.TCP)) []byte {
	b.t.Helper()
	way, back := [2]netip.AddrPort{from, to}, [2]netip.AddrPort{to, from}
	for _, w := range [][2]netip.AddrPort{way, back} {
		if _, ok := b.seq[w]; !ok {
			b.seq[w] = 1<<32 - 200 // it wraps soon
		}
	}
	tcp := &layers.TCP{SrcPort: layers.TCPPort(from.Port()), DstPort: layers.TCPPort(to.Port()), Seq: b.seq[way], Ack: b.seq[back], ACK: true, Window: 65535}
	if set != nil {
		set(tcp)
	}
	b.seq[way] += uint32(len(payload))
	if tcp.SYN || tcp.FIN {
		b.seq[way]++
	}
	return b.ip(from.Addr(), to.Addr(), layers.IPProtocolTCP, tcp, gopacket.Payload(payload))
}

// open connects.
func (b *bench) open(from, to netip.AddrPort) {
	b.t.Helper()
	b.add(b.segment(from, to, "", func(t *layers.TCP) { t.SYN, t.ACK = true, false }))
	b.add(b.segment(to, from, "", func(t *layers.TCP) { t.SYN = true }))
	b.add(b.segment(from, to, "", nil))
}

func (b *bench) say(from, to netip.AddrPort, text string) {
	b.t.Helper()
	b.add(b.segment(from, to, text, nil))
}

func (b *bench) datagram(from, to netip.AddrPort, payload []byte) []byte {
	b.t.Helper()
	udp := &layers.UDP{SrcPort: layers.UDPPort(from.Port()), DstPort: layers.UDPPort(to.Port())}
	return b.ip(from.Addr(), to.Addr(), layers.IPProtocolUDP, udp, gopacket.Payload(payload))
}

// rtp makes a packet with a payload of its own.
func rtp(seq uint16, stamp, ssrc uint32) []byte {
	b := []byte{0x80, 0}
	b = binary.BigEndian.AppendUint16(b, seq)
	b = binary.BigEndian.AppendUint32(b, stamp)
	b = binary.BigEndian.AppendUint32(b, ssrc)
	return append(b, "some media of "+string(rune('a'+seq%26))...)
}

// file writes the packets as a pcap file of a link type, each in the frame that f puts around it.
func (b *bench) file(link layers.LinkType, f func(ip []byte) []byte) []byte {
	b.t.Helper()
	var buf bytes.Buffer
	w := pcapgo.NewWriterNanos(&buf)
	if err := w.WriteFileHeader(65536, link); err != nil {
		b.t.Fatal(err)
	}
	for i, ip := range b.list {
		frame := ip
		if f != nil {
			frame = f(ip)
		}
		if err := w.WritePacket(gopacket.CaptureInfo{Timestamp: b.times[i], CaptureLength: len(frame), Length: len(frame)}, frame); err != nil {
			b.t.Fatal(err)
		}
	}
	return buf.Bytes()
}

// read reads the packets as raw IP.
func (b *bench) read() *Report {
	b.t.Helper()
	return readBytes(b.t, b.file(layers.LinkTypeRaw, nil))
}

func readBytes(t testing.TB, data []byte) *Report {
	t.Helper()
	r, err := Read(bytes.NewReader(data), Limits{})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// lines are the lines of all conversations.
func lines(r *Report) []string {
	var out []string
	for _, c := range r.Conversations {
		for _, e := range c.Events {
			out = append(out, e.From+": "+e.Line)
		}
	}
	return out
}

func codes(r *Report) []string {
	var out []string
	for _, f := range r.Findings {
		out = append(out, f.Code)
	}
	return out
}

// rtspDialog says a conversation that sets up media over UDP, or interleaved, and plays it.
func (b *bench) rtspDialog(client, server netip.AddrPort, transport, granted string) {
	b.t.Helper()
	b.open(client, server)
	b.say(client, server, "SETUP rtsp://host/a RTSP/1.0\r\nCSeq: 1\r\nTransport: "+transport+"\r\n\r\n")
	b.say(server, client, "RTSP/1.0 200 OK\r\nCSeq: 1\r\nSession: 7\r\nTransport: "+granted+"\r\n\r\n")
	b.say(client, server, "PLAY rtsp://host/a RTSP/1.0\r\nCSeq: 2\r\nSession: 7\r\n\r\n")
	b.say(server, client, "RTSP/1.0 200 OK\r\nCSeq: 2\r\nSession: 7\r\n\r\n")
}

const (
	wantUDP  = "RTP/AVP;unicast;client_port=5000-5001"
	grantUDP = "RTP/AVP;unicast;client_port=5000-5001;server_port=6000-6001"
	overTCP  = "RTP/AVP/TCP;unicast;interleaved=0-1"
)
