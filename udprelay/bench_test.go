package udprelay

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"testing"
	"time"
)

// payload is seven MPEG transport stream packets and the RTP header, the size that relays are measured with.
const payload = 1316

// stirred is how much memory others touch between two wake-ups: for each datagram its buffer and what the kernel keeps of it and of
// its sockets.
const stirred = 128 << 10

// BenchmarkForward sends through real sockets on loopback, one packet at a time over the flows in turn: one operation
// is origin's send, the relay, client's receive.
func BenchmarkForward(b *testing.B) {
	for mode, ports := range map[string]PortRange{"own": {20000, 22999}, "shared": {5004, 5005}} {
		for _, n := range []int{1, 1000} {
			for _, p := range []Protocol{RTP, MMS} {
				b.Run(fmt.Sprintf("%v/%s/flows=%d", p, mode, n), func(b *testing.B) { benchForward(b, p, ports, n) })
			}
		}
	}
}

func benchForward(b *testing.B, p Protocol, ports PortRange, n int) {
	h := newHosts()
	r := newRelay(b, Config{ClientPorts: ports, OriginPorts: PortRange{23000, 25999}, Linger: -1})
	c, o := newEnd(b, h.client, 30000), newEnd(b, h.origin, 40000)
	to := make([]netip.AddrPort, n)
	for i := range to {
		spec := h.spec()
		spec.Protocol = p
		f := reserve(b, r, spec)
		connect(b, f, Client, Peer{Addr: h.client, RTP: 30000, RTCP: 30001})
		connect(b, f, Origin, Peer{Addr: h.origin, RTP: 40000, RTCP: 40001})
		f.CountFrom(4)
		to[i] = rtpPort(f.OriginPair())
	}
	in, out := packet(1, 0), make([]byte, 2*payload)
	if p == MMS {
		in = data(0, 4, 0)
		in[6], in[7] = payload&0xff, payload>>8
	}
	in = append(in, make([]byte, payload-len(in))...)
	if err := c.SetReadDeadline(time.Now().Add(10 * time.Minute)); err != nil {
		b.Fatal(err)
	}
	b.SetBytes(payload)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		if p == MMS {
			in[0], in[1], in[5] = byte(i/n), byte(i/n>>8), byte(i/n)
		} else {
			in[2], in[3] = byte(i/n>>8), byte(i/n)
		}
		o.send(to[i%n], in)
		if _, _, err := c.ReadFromUDPAddrPort(out); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkHandle is the relay's own part of a packet, without the network.
func BenchmarkHandle(b *testing.B) {
	h := newHosts()
	r := newRelay(b, Config{ClientPorts: PortRange{5004, 5005}, Linger: -1, Listen: listenNull})
	f := reserve(b, r, h.spec())
	connect(b, f, Client, Peer{Addr: h.client, RTP: 30000, RTCP: 30001})
	connect(b, f, Origin, Peer{Addr: h.origin, RTP: 40000, RTCP: 40001})
	f.SetClockRate(96, 90000)
	in := append(packet(1, 0), make([]byte, payload-200)...)
	from, rr := netip.AddrPortFrom(h.origin, 40000), report(9, 1, 0, 0)
	fromClient := netip.AddrPortFrom(h.client, 30001)
	b.Run("media", func(b *testing.B) {
		b.ReportAllocs()
		for i := 0; b.Loop(); i++ {
			in[2], in[3] = byte(i>>8), byte(i)
			f.legs[Origin].sock[rtp].handle(in, false, from)
		}
	})
	b.Run("report", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			f.legs[Client].sock[rtcp].handle(rr, false, fromClient)
		}
	})
}

// BenchmarkHandleMMS is the relay's own part of a Data packet and of a resend request of one among ten players.
func BenchmarkHandleMMS(b *testing.B) {
	h := newHosts()
	r := newRelay(b, Config{ClientPorts: PortRange{5004, 5005}, Linger: -1, Listen: listenNull})
	spec := h.spec()
	spec.Protocol, spec.Resend = MMS, netip.AddrPortFrom(h.toClient, 1755)
	var f *Flow
	for i := range uint16(10) {
		f = reserve(b, r, spec)
		connect(b, f, Client, Peer{Addr: h.client, RTP: vlcPort + i})
		connect(b, f, Origin, Peer{Addr: h.origin, RTP: 5004})
		f.SetResend(uint32(i), 70, netip.AddrPortFrom(h.origin, 1755))
		f.CountFrom(4)
	}
	in := append(data(0, 4, 0), make([]byte, payload-108)...)
	in[6], in[7] = payload&0xff, payload>>8
	from, request, client := netip.AddrPortFrom(h.origin, 5004), ask(9, 1, 2, 3), netip.AddrPortFrom(h.client, vlcPort+9)
	b.Run("media", func(b *testing.B) {
		f.CountFrom(4) // begins anew
		b.ReportAllocs()
		for i := 0; b.Loop(); i++ {
			in[0], in[1], in[2], in[5] = byte(i), byte(i>>8), byte(i>>16), byte(i)
			f.legs[Origin].sock[rtp].handle(in, false, from)
		}
		if s := f.Stats(); s.Media.Lost+s.Media.Late+uint64(len(s.Drops)) != 0 {
			b.Errorf("%+v", s)
		}
	})
	b.Run("request", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			f.mms.limit.due.Store(0)
			putMMSClientID(request, 9)
			r.asked[spec.Resend].sock.handle(request, false, client)
		}
	})
}

// BenchmarkMeter is what the statistics cost a packet in the loop: 16 packets of as many flows at a time, touched first as a loop
// does, after others have used as much memory as a wake-up's system calls may. The figure to look at is ns/packet.
func BenchmarkMeter(b *testing.B) {
	for _, n := range []int{1, 1000, 5000} {
		b.Run(fmt.Sprintf("flows=%d", n), func(b *testing.B) {
			meters, order, others := make([]Meter, n), rand.New(rand.NewPCG(1, 2)).Perm(n), make([]byte, 16<<20)
			for i := range meters {
				meters[i].SetClockRate(96, 90000)
			}
			now, p, touched, spent := time.Now(), packet(1, 0), uint64(0), time.Duration(0)
			for next := 0; b.Loop(); {
				for i := 0; i < stirred; i += 64 {
					others[(next*stirred/16+i)%len(others)]++
				}
				now = now.Add(200 * time.Microsecond)
				start := time.Now()
				for i := range 16 {
					touched += meters[order[(next+i)%n]].touch(false)
				}
				for range 16 {
					binary.BigEndian.PutUint16(p[2:], uint16(next/n))
					m := &meters[order[next%n]]
					m.observe(p, now)
					m.publish()
					next++
				}
				spent += time.Since(start)
			}
			b.ReportMetric(float64(spent)/float64(16*b.N), "ns/packet")
			for i := range meters {
				if s := meters[i].Stats(); s.Lost+s.Late+s.Duplicate != 0 {
					b.Fatal(s, touched)
				}
			}
		})
	}
}
