package udprelay

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// BenchmarkCrowd is the loop's own part of a datagram when many flows take turns, so that what it touches of each is cold: from
// what the kernel has read to what it is to send. One operation is a call's worth of messages of as many flows. The figure to look
// at is ns/packet: it leaves out what the benchmark does in the kernel's stead, which is to write the messages, and to touch as
// much memory as a wake-up's system calls may.
func BenchmarkCrowd(b *testing.B) {
	for _, n := range []int{1, 1000, 5000} {
		for _, train := range []int{1, 16} {
			for mode, leads := range map[string]bool{"led": true, "own": false} {
				b.Run(fmt.Sprintf("%s/flows=%d/train=%d", mode, n, train), func(b *testing.B) { benchCrowd(b, n, train, leads) })
			}
		}
	}
}

// crowd fills an inbox as the kernel would.
type crowd struct {
	*loop
	flows  []*Flow
	leader *fastConn // nil: each flow's own socket reads
	origin netip.AddrPort
	order  []int32
	train  int
	next   int
	spent  time.Duration
	others []byte // the kernel's
	stirs  int
}

func benchCrowd(b *testing.B, n, train int, leads bool) {
	h := newHosts()
	r, l := stillLoop(b, Config{ClientPorts: PortRange{5004, 5005}, OriginPorts: PortRange{20000, 32999}})
	c := &crowd{loop: l, origin: netip.AddrPortFrom(h.origin, 5004), train: train, others: make([]byte, 16<<20)}
	for i := range n {
		f := reserve(b, r, h.spec())
		client := netip.AddrFrom4([4]byte{127, 78, byte(i >> 8), byte(i)})
		connect(b, f, Client, Peer{Addr: client, RTP: 5004, RTCP: 5005})
		connect(b, f, Origin, Peer{Addr: h.origin, RTP: 5004, RTCP: 5005})
		f.SetClockRate(96, 90000)
		c.flows = append(c.flows, f)
	}
	l.obey()
	if leads {
		c.leader = &fastConn{engine: r.fast.(*fastEngine), leads: true, loop: l}
		c.leader.sock = &socket{relay: r, conn: c.leader, side: Origin, drops: &r.drops}
		for _, f := range c.flows {
			l.engine.held.add(rtpPort(f.OriginPair()), f.legs[Origin].sock[rtp])
		}
	}
	for range 4 {
		for _, i := range rand.New(rand.NewPCG(1, 2)).Perm(n) {
			c.order = append(c.order, int32(i))
		}
	}
	now := time.Now()
	for range (2*n + inboxSlots - 1) / inboxSlots { // what is learned from the first packets is
		c.turn(now)
	}
	c.spent = 0
	b.ReportAllocs()
	for b.Loop() {
		now = now.Add(200 * time.Microsecond)
		c.stir()
		c.turn(now)
	}
	b.ReportMetric(float64(c.spent)/float64(b.N*inboxSlots*train), "ns/packet")
	for _, f := range c.flows {
		if s := f.Stats(); len(s.Drops) != 0 || s.Media.Lost+s.Media.Late+s.Media.Duplicate != 0 || s.Media.SSRCs != 1 ||
			s.ToClient != s.FromOrigin || s.Media.Packets != s.FromOrigin.Packets {
			b.Fatalf("%+v", s)
		}
	}
}

// turn is a wake-up without the kernel.
func (c *crowd) turn(now time.Time) {
	for i := range inboxSlots {
		flow := c.order[c.next%len(c.order)]
		c.put(i, flow, c.next/len(c.flows))
		c.next++
		if c.leader != nil {
			continue
		}
		c.in.entries[0], c.in.vectors[0] = c.in.entries[i], c.in.vectors[i]
		start := time.Now()
		c.pass(c.flows[flow].legs[Origin].sock[rtp].conn.(*fastConn), 1, now)
		c.spent += time.Since(start)
	}
	start := time.Now()
	if c.leader != nil {
		c.pass(c.leader, inboxSlots, now)
	}
	c.sent()
	c.spent += time.Since(start)
}

func (c *crowd) stir() {
	c.stirs++
	part := c.others[c.stirs*stirred%len(c.others):][:stirred]
	for i := 0; i < len(part); i += 64 {
		part[i]++
	}
}

// put writes the i-th message: datagrams of a flow, and what the kernel tells of them.
func (c *crowd) put(i int, flow int32, round int) {
	in, size := c.in, payload
	e := &in.entries[i]
	in.vectors[i].Base = &in.memory[i*inboxStep]
	e.sent = uint32(c.train * size)
	name := (*unix.RawSockaddrInet4)(unsafe.Pointer(&in.names[i]))
	name.Family, name.Addr = unix.AF_INET, c.origin.Addr().As4()
	binary.BigEndian.PutUint16((*[2]byte)(unsafe.Pointer(&name.Port))[:], c.origin.Port())
	for k := range c.train {
		p, seq := in.memory[i*inboxStep+k*size:][:rtpHeader], uint32(round*c.train+k)
		p[0], p[1] = 0x80, 96
		binary.BigEndian.PutUint16(p[2:], uint16(seq))
		binary.BigEndian.PutUint32(p[4:], seq*18)
		binary.BigEndian.PutUint32(p[8:], uint32(flow)+1)
	}
	all, used := in.controls[i][:], 0
	tell := func(level, kind int32, data ...byte) {
		h := (*unix.Cmsghdr)(unsafe.Pointer(&all[used]))
		h.Level, h.Type = level, kind
		h.SetLen(unix.CmsgLen(len(data)))
		copy(all[used+unix.CmsgLen(0):], data)
		used += unix.CmsgSpace(len(data))
	}
	tell(unix.SOL_IP, unix.IP_TOS, 0)
	if c.train > 1 {
		tell(unix.SOL_UDP, unix.UDP_GRO, byte(size&0xff), byte(size>>8), 0, 0)
	}
	if c.leader != nil {
		// The ports are given out in order, so that nothing cold is touched here.
		port := 20000 + 2*flow
		tell(unix.SOL_IP, unix.IP_ORIGDSTADDR, unix.AF_INET, 0, byte(port>>8), byte(port), 127, 77, byte(lastNet.Load()), 2)
	}
	e.head.SetControllen(used)
}

// sent is flush without the kernel.
func (c *crowd) sent() {
	out := c.out
	for i := range out.n {
		m := &out.list[i]
		out.mark(i, m.count > 1)
		m.flow.sentTo(m.side, m.lot)
	}
	out.n, out.pieces, c.in.used = 0, 0, 0
}
