package udprelay

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"

	"golang.org/x/sys/unix"
)

// stillLoop is a relay of the fast engine with one loop, which moves only when it is told to: turn it with rest.
func stillLoop(t testing.TB, cfg Config) (*Relay, *loop) {
	t.Helper()
	cfg.Engine, cfg.Loops, cfg.Linger = EngineFast, 1, -1
	r := newRelay(t, cfg)
	e := r.fast.(*fastEngine)
	l, err := newLoop(e)
	if err != nil {
		t.Fatal(err)
	}
	e.loops = []*loop{l}
	t.Cleanup(func() { e.wg.Go(l.run) }) // it obeys while the relay closes
	return r, l
}

// rest reads what is there without sending it.
func (l *loop) rest() {
	now := l.engine.relay.cfg.Now()
	for _, c := range l.conns {
		if c != nil {
			l.read(c, now)
		}
	}
}

// connected is a flow between two ends.
func connected(t testing.TB, r *Relay, l *loop, h hosts, client, origin *end) *Flow {
	t.Helper()
	f := reserve(t, r, h.spec())
	l.obey()
	connect(t, f, Client, Peer{Addr: client.addr().Addr(), RTP: client.addr().Port(), RTCP: client.addr().Port() + 1})
	connect(t, f, Origin, Peer{Addr: origin.addr().Addr(), RTP: origin.addr().Port(), RTCP: origin.addr().Port() + 1})
	return f
}

// TestOrder: what a socket of many flows receives leaves in the order in which it came, a pair back to back, and of each flow
// all that follows one another as a train.
func TestOrder(t *testing.T) {
	h := newHosts()
	r, l := stillLoop(t, Config{ClientPorts: PortRange{5004, 5005}})
	origin := newEnd(t, h.origin, 0)
	var flows []*Flow
	for i := range 3 {
		flows = append(flows, connected(t, r, l, h, newEnd(t, h.client, uint16(31000+2*i)), origin))
	}
	var sent []string
	for seq, i := range []int{0, 0, 1, 2, 2, 2, 0, 1, 1} {
		b := packet(uint32(i), uint16(seq))
		s := flows[i].legs[Origin].sock[rtp]
		f, to := s.decide(b, false, origin.addr(), r.cfg.Now(), &intake{})
		if f != flows[i] {
			t.Fatalf("datagram %d is not its flow's", seq)
		}
		l.send(s, f, to, b, 0)
		sent = append(sent, fmt.Sprint(i))
	}
	var got []string
	var trains []int
	for _, m := range l.out.list[:l.out.n] {
		trains = append(trains, m.count)
		for range m.count {
			got = append(got, fmt.Sprint(slices.Index(flows, m.flow)))
		}
	}
	if !slices.Equal(got, sent) || !slices.Equal(trains, []int{2, 1, 3, 1, 2}) {
		t.Errorf("flows %v in trains of %v, sent as %v", got, trains, sent)
	}
	l.flush()
}

// TestKernelDrops: what the kernel dropped because the loop came late is counted once, and told.
func TestKernelDrops(t *testing.T) {
	h := newHosts()
	r, l := stillLoop(t, Config{ReceiveBuffer: 4 << 10})
	client, origin := newEnd(t, h.client, 0), newEnd(t, h.origin, 0)
	f := connected(t, r, l, h, client, origin)
	const n = 200
	burst := func() {
		for i := range uint16(n) {
			origin.send(rtpPort(f.OriginPair()), packet(1, i))
		}
		for range n {
			l.rest()
			l.flush()
		}
	}
	burst()
	var lost uint64
	sent := uint64(n)
	eventually(t, "each has come or was dropped", func() bool { // a busy kernel is late
		origin.send(rtpPort(f.OriginPair()), packet(1, uint16(sent))) // says what was dropped before it
		sent++
		l.rest()
		l.flush()
		lost = l.load().KernelDropped
		return lost > 0 && f.Stats().FromOrigin.Packets+lost == sent
	})
	l.tick(l.ticked)
	if got := r.Load().Loops[0].DropsPerSecond; got != lost {
		t.Errorf("%d in the last second, want %d", got, lost)
	}
}

// TestFastAllocates: nothing is allocated for a packet, from the kernel's receive to its send.
func TestFastAllocates(t *testing.T) {
	h := newHosts()
	r, l := stillLoop(t, Config{})
	client, origin := newEnd(t, h.client, 0), newEnd(t, h.origin, 0)
	f := connected(t, r, l, h, client, origin)
	media, seq := packet(1, 0), uint16(0)
	round := func() {
		for range 20 {
			seq++
			media[2], media[3] = byte(seq>>8), byte(seq)
			origin.send(rtpPort(f.OriginPair()), media)
			l.rest()
		}
		l.flush()
	}
	round()
	if n := testing.AllocsPerRun(100, round); n != 0 {
		t.Errorf("%v allocations for 20 packets", n)
	}
	eventually(t, "all are counted", func() bool { // a busy kernel is late
		l.rest()
		l.flush()
		return f.Stats().ToClient.Packets == 102*20
	})
	if s := f.Stats(); len(s.Drops) != 0 {
		t.Errorf("%+v", s)
	}
}

// BenchmarkLoop is the loop's own part of a packet, piece by piece; receive and flush are mostly the kernel's.
func BenchmarkLoop(b *testing.B) {
	h := newHosts()
	r, l := stillLoop(b, Config{})
	client, origin := newEnd(b, h.client, 0), newEnd(b, h.origin, 0)
	f := connected(b, r, l, h, client, origin)
	s := f.legs[Origin].sock[rtp]
	c := s.conn.(*fastConn)
	in := append(packet(1, 0), make([]byte, payload-200)...)
	at := rtpPort(f.OriginPair())
	origin.send(at, in)
	if n, errno := l.in.receive(c.fd, 1); n != 1 || errno != 0 {
		b.Fatal(n, errno)
	}
	b.Run("receive", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			l.in.used = 0
			origin.send(at, in)
			if _, errno := l.in.receive(c.fd, 1); errno != 0 {
				b.Fatal(errno)
			}
		}
	})
	b.Run("told", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			_, _ = l.in.told(0), l.in.from(0)
		}
	})
	b.Run("split", func(b *testing.B) { // decide, count and queue
		b.ReportAllocs()
		now := r.cfg.Now()
		data, _ := l.in.message(0)
		for i := 0; b.Loop(); i++ {
			data[2], data[3] = byte(i>>8), byte(i)
			l.pass(c, 1, now)
			l.out.n, l.out.pieces = 0, 0
		}
	})
	b.Run("led", func(b *testing.B) { // find the flow of a socket that receives for all
		b.ReportAllocs()
		var all holdings
		for i := range 1000 {
			all.add(netip.AddrPortFrom(h.origin, uint16(20000+i)), s)
		}
		for i := 0; b.Loop(); i++ {
			if all.find(netip.AddrPortFrom(h.origin, uint16(20000+i%1000))) == nil {
				b.Fatal("not found")
			}
		}
	})
	b.Run("flush", func(b *testing.B) {
		b.ReportAllocs()
		w := way{flow: f, side: Client, to: client.addr()}
		for b.Loop() {
			l.out.add(f.legs[Client].sock[rtp].conn.(*fastConn), w, in, false)
			l.flush()
		}
	})
}

// TestMarkWritten: a train with a class has both control messages, as the kernel reads them.
func TestMarkWritten(t *testing.T) {
	_, f, client, _ := fastFlow(t, Config{})
	c := f.legs[Client].sock[rtp].conn.(*fastConn)
	out := newBatch(true)
	for range 2 {
		out.add(c, way{flow: f, side: Client, to: client.addr(), tos: 46 << 2}, packet(1, 1), false)
	}
	out.mark(0, true)
	all, err := unix.ParseSocketControlMessage(out.controls[0][:out.entries[0].head.Controllen])
	if err != nil || len(all) != 2 || all[0].Header.Type != unix.UDP_SEGMENT || all[1].Header.Type != unix.IP_TOS || all[1].Data[0] != 46<<2 {
		t.Errorf("%+v, %v", all, err)
	}
	out.mark(0, false)
	all, err = unix.ParseSocketControlMessage(out.controls[0][:out.entries[0].head.Controllen])
	if err != nil || len(all) != 1 || all[0].Header.Type != unix.IP_TOS {
		t.Errorf("alone: %+v, %v", all, err)
	}
}
