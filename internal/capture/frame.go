package capture

import (
	"fmt"
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
)

// frame is a packet to be written.
type frame struct {
	at       time.Time
	side     Side
	from, to netip.AddrPort
	tcp      *segment // nil: UDP
	payload  []byte
	comment  string
}

// segment is what TCP says of it.
type segment struct {
	seq, ack      uint32
	syn, fin, psh bool
	noAck         bool // the first SYN
}

// stream is the numbers of a TCP connection as far as it was recorded. TCP's own are not known to us.
type stream struct {
	mu      sync.Mutex // guards what follows and the order of segments
	next    [2]uint32  // sequence number by direction: in, out
	begun   bool
	comment string // of the next segment
	early   []early
	first   []byte // of what is read of HTTP, see Conn.head
	kept    int    // bytes in early
}

// segmentSize is how much of what was read or written at once is one segment: an IP packet holds it.
const segmentSize = 32 << 10

// Read is bytes as they came. They are not kept.
func (c *Conn) Read(b []byte) { c.bytes(b, 0) }

// Wrote is bytes that are written. They are not kept.
func (c *Conn) Wrote(b []byte) { c.bytes(b, 1) }

// Mark says something of what follows, for its comment: that it is shown without what it came in, say.
func (c *Conn) Mark(text string) {
	if c == nil {
		return
	}
	c.tcp.mu.Lock()
	defer c.tcp.mu.Unlock()
	c.tcp.comment = text
}

func (c *Conn) bytes(b []byte, way int) {
	if c == nil || len(b) == 0 {
		return
	}
	recordings := c.session.Load().recordings()
	if len(recordings) == 0 {
		return
	}
	c.tcp.mu.Lock()
	defer c.tcp.mu.Unlock()
	c.tcp.beginLocked()
	for len(b) > 0 {
		n := min(len(b), segmentSize)
		f := c.frameLocked(way, segment{psh: n == len(b)})
		f.payload, f.comment = b[:n], c.tcp.comment
		c.tcp.comment = ""
		for _, r := range recordings {
			r.take(f)
		}
		c.tcp.next[way] += uint32(n)
		b = b[n:]
	}
}

// beginLocked numbers a connection whose beginning was not recorded.
func (t *stream) beginLocked() {
	if !t.begun {
		t.begun, t.next = true, [2]uint32{1, 1}
	}
}

func (c *Conn) frameLocked(way int, s segment) frame {
	s.seq, s.ack = c.tcp.next[way], c.tcp.next[1-way]
	f := frame{at: time.Now(), side: c.side, from: c.remote, to: c.local, tcp: &s}
	if way == 1 {
		f.from, f.to = f.to, f.from
	}
	return f
}

// opened writes a handshake for a connection that is recorded from its beginning, so that readers know that nothing is
// missing. Who called is known by the side.
func (c *Conn) opened(recordings []*recording, comment string) {
	c.tcp.mu.Lock()
	defer c.tcp.mu.Unlock()
	c.tcp.begun = true
	caller := 0
	if c.side == Origin {
		caller = 1
	}
	all := []frame{c.frameLocked(caller, segment{syn: true, noAck: true})}
	c.tcp.next[caller]++
	all = append(all, c.frameLocked(1-caller, segment{syn: true}))
	c.tcp.next[1-caller]++
	all = append(all, c.frameLocked(caller, segment{}))
	all[0].comment = "the handshake is written by mediagate, which does not see TCP's own"
	if comment != "" {
		all[0].comment += "; " + comment
	}
	for _, f := range all {
		for _, r := range recordings {
			r.take(f)
		}
	}
}

// Datagram is a packet that came to a flow at at; origin says from which side. from and local are its ends, out and to
// those with which it went on. b is what went on, was what had come if that is another, nil if not. why is the reason
// that it went no further, "" if it did. Nothing of it is kept.
func (m *Media) Datagram(at time.Time, origin bool, from, local, out, to netip.AddrPort, b, was []byte, why string) {
	if m == nil {
		return
	}
	m.keep(at, origin, from, local, b, why)
	recordings := m.session.recordings()
	if len(recordings) == 0 {
		return
	}
	in := frame{at: at, side: sideOf(origin), from: from, to: local, payload: b}
	next := frame{at: at, side: sideOf(!origin), from: out, to: to, payload: b}
	switch {
	case why != "":
		in.comment = "dropped by the gateway: " + why
	case was != nil:
		in.payload = was
		in.comment, next.comment = "changed by the gateway before it goes on", "changed by the gateway: the ID of this side"
	}
	for _, r := range recordings {
		r.take(in)
		if why == "" {
			r.take(next)
		}
	}
}

// packet makes the IP packet of a frame.
func (f *frame) packet(buf gopacket.SerializeBuffer) ([]byte, error) {
	src, dst := f.from.Addr().Unmap().WithZone(""), f.to.Addr().Unmap().WithZone("")
	if !src.IsValid() || src.Is4() != dst.Is4() {
		return nil, fmt.Errorf("capture: write packet: from %v to %v: not of one family", f.from, f.to)
	}
	proto := layers.IPProtocolUDP
	if f.tcp != nil {
		proto = layers.IPProtocolTCP
	}
	var ip gopacket.SerializableLayer
	var network gopacket.NetworkLayer
	if src.Is4() {
		l := &layers.IPv4{Version: 4, TTL: 64, Protocol: proto, SrcIP: net.IP(src.AsSlice()), DstIP: net.IP(dst.AsSlice()), Flags: layers.IPv4DontFragment}
		ip, network = l, l
	} else {
		l := &layers.IPv6{Version: 6, HopLimit: 64, NextHeader: proto, SrcIP: net.IP(src.AsSlice()), DstIP: net.IP(dst.AsSlice())}
		ip, network = l, l
	}
	transport, err := f.transport(network)
	if err != nil {
		return nil, err
	}
	opt := gopacket.SerializeOptions{FixLengths: true, ComputeChecksums: true}
	if err := gopacket.SerializeLayers(buf, opt, ip, transport, gopacket.Payload(f.payload)); err != nil {
		return nil, fmt.Errorf("capture: write packet: %w", err)
	}
	return buf.Bytes(), nil
}

func (f *frame) transport(network gopacket.NetworkLayer) (gopacket.SerializableLayer, error) {
	if f.tcp == nil {
		l := &layers.UDP{SrcPort: layers.UDPPort(f.from.Port()), DstPort: layers.UDPPort(f.to.Port())}
		return l, l.SetNetworkLayerForChecksum(network)
	}
	t := f.tcp
	l := &layers.TCP{
		SrcPort: layers.TCPPort(f.from.Port()), DstPort: layers.TCPPort(f.to.Port()),
		Seq: t.seq, Ack: t.ack, SYN: t.syn, FIN: t.fin, PSH: t.psh, ACK: !t.noAck, Window: 0xffff,
	}
	if t.noAck {
		l.Ack = 0
	}
	return l, l.SetNetworkLayerForChecksum(network)
}
