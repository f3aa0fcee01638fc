package udprelay

import (
	"errors"
	"net/netip"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// given is a datagram in a fakeQueue.
type given struct {
	from, local netip.AddrPort
	b           []byte
	corrupt     bool
	tos         uint8
}

// fakeQueue is a Queue whose memory is worn out after Release, as that of a real one is used again.
type fakeQueue struct {
	t  *testing.T
	fd int

	mu      sync.Mutex
	waiting []given
	taken   []given
	dropped uint64
	calls   int // of Release
}

func newFakeQueue(t *testing.T) *fakeQueue {
	t.Helper()
	fd, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = unix.Close(fd) })
	return &fakeQueue{t: t, fd: fd}
}

func (q *fakeQueue) put(all ...given) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.waiting = append(q.waiting, all...)
	if _, err := unix.Write(q.fd, []byte{1, 0, 0, 0, 0, 0, 0, 0}); err != nil {
		q.t.Error(err)
	}
}

func (q *fakeQueue) Descriptor() int { return q.fd }

func (q *fakeQueue) Receive(n int) int {
	q.mu.Lock()
	defer q.mu.Unlock()
	n = min(n, len(q.waiting))
	q.taken, q.waiting = q.waiting[:n], q.waiting[n:]
	return n
}

func (q *fakeQueue) Datagram(i int) (from, local netip.AddrPort, payload []byte, tos uint8, ok bool) {
	a := q.taken[i]
	return a.from, a.local, a.b, a.tos, !a.corrupt
}

func (q *fakeQueue) Release() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.calls++
	for _, a := range q.taken {
		clear(a.b)
	}
	q.taken = nil
	if len(q.waiting) == 0 {
		var b [8]byte
		_, _ = unix.Read(q.fd, b[:]) // EAGAIN if it was read before
	}
}

func (q *fakeQueue) Dropped() uint64 {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.dropped
}

// fakeBypass is a Steering of queues: all that is held comes by them, if the test puts it there.
type fakeBypass struct {
	noSteering
	queues []Queue
}

func (*fakeBypass) Hold(netip.AddrPort) error    { return nil }
func (*fakeBypass) Release(netip.AddrPort) error { return nil }
func (b *fakeBypass) Queues() []Queue            { return b.queues }
func (b *fakeBypass) Features() []Feature {
	return []Feature{{Name: "xdp up", On: true}, {Name: "xdp down", Why: "no such interface"}}
}

// queuedFlow is a flow whose port is held, in a relay with two loops and a queue for each.
func queuedFlow(t *testing.T, queues ...Queue) (r *Relay, f *Flow, client *end, origin netip.AddrPort) {
	t.Helper()
	b := &fakeBypass{queues: queues}
	h := newHosts()
	r = newRelay(t, Config{Engine: EngineFast, Linger: -1, Loops: 2, Steer: func(SteerSpec) (Steering, error) { return b, nil }})
	f, client = reserve(t, r, h.spec()), newEnd(t, h.client, 0)
	origin = netip.AddrPortFrom(h.origin, 5004)
	connect(t, f, Client, Peer{Addr: h.client, RTP: client.addr().Port(), RTCP: client.addr().Port() + 1})
	connect(t, f, Origin, Peer{Addr: h.origin, RTP: 5004, RTCP: 5005})
	if led := r.fast.(*fastEngine).led.Load(); led != 2 {
		t.Fatalf("%d ports are held when the flow is reserved, not 2", led)
	}
	return r, f, client, origin
}

// TestQueue: what comes by a queue of either loop goes on in order, in trains where it can, before its memory is used again.
func TestQueue(t *testing.T) {
	for _, loop := range []int{0, 1} {
		queues := []*fakeQueue{newFakeQueue(t), newFakeQueue(t)}
		r, f, client, origin := queuedFlow(t, queues[0], queues[1])
		const n = 3*framesAtOnce + 5
		var all []given
		for i := range uint16(n) {
			all = append(all, given{from: origin, local: rtpPort(f.OriginPair()), b: packet(7, i)[:100+i%3]})
		}
		queues[loop].put(all...)
		for i := range uint16(n) {
			client.want(rtpPort(f.ClientPair()), packet(7, i)[:100+i%3])
		}
		eventually(t, "what was sent is counted", func() bool { return f.Stats().ToClient.Packets == n })
		if s := f.Stats(); s.Media.Packets != n || s.Media.Lost != 0 || len(s.Drops) != 0 {
			t.Errorf("%+v", s)
		}
		if l := r.Load().Loops[loop]; l.Bypassed != n || l.Packets != n || l.Batches >= n {
			t.Errorf("%+v", l)
		}
	}
}

// TestQueueDrops: what is no datagram, nobody's, and a stranger's is counted by its reason; so is what the queue lost.
func TestQueueDrops(t *testing.T) {
	q := newFakeQueue(t)
	r, f, client, origin := queuedFlow(t, q)
	stranger := netip.AddrPortFrom(newHosts().attacker, 5004)
	port := rtpPort(f.OriginPair())
	q.put(
		given{from: origin, local: port, corrupt: true},
		given{from: origin, local: netip.AddrPortFrom(port.Addr(), 1), b: packet(7, 1)},
		given{from: stranger, local: port, b: packet(7, 2)},
		given{from: origin, local: port, b: packet(7, 3)},
	)
	client.want(rtpPort(f.ClientPair()), packet(7, 3))
	if d := r.Drops(); d[DropCorrupt] != 1 || d[DropClosed] != 1 {
		t.Errorf("the relay's: %v", d)
	}
	if d := f.Stats().Drops; d[DropUnknownSource] != 1 || len(d) != 1 {
		t.Errorf("the flow's: %v", d)
	}
	q.mu.Lock()
	q.dropped = 12
	q.mu.Unlock()
	eventually(t, "what the queue lost is counted", func() bool { return r.Load().Loops[0].KernelDropped == 12 })
}

// TestQueueIsTold: a queue by which nothing comes is told that there is memory all the same.
func TestQueueIsTold(t *testing.T) {
	q := newFakeQueue(t)
	queuedFlow(t, q)
	eventually(t, "it is told", func() bool {
		q.mu.Lock()
		defer q.mu.Unlock()
		return q.calls > 0
	})
}

// TestQueuesTogether: two loops have datagrams of one flow at the same time.
func TestQueuesTogether(t *testing.T) {
	queues := []*fakeQueue{newFakeQueue(t), newFakeQueue(t)}
	_, f, _, origin := queuedFlow(t, queues[0], queues[1])
	const n = 500
	var wg sync.WaitGroup
	for i, q := range queues {
		wg.Go(func() {
			for seq := range uint16(n) {
				q.put(given{from: origin, local: rtpPort(f.OriginPair()), b: packet(7, 2*seq+uint16(i))})
			}
		})
	}
	wg.Wait()
	eventually(t, "all are counted", func() bool { return f.Stats().Media.Packets == 2*n })
	if s := f.Stats(); s.FromOrigin.Packets != 2*n || s.Media.SSRCs != 1 {
		t.Errorf("%+v", s)
	}
}

// hungUp is a Queue whose interface has gone: epoll tells so without end.
type hungUp struct {
	fakeQueue
	read int
}

func (q *hungUp) Descriptor() int { return q.read }

// TestQueueTrouble: an interface that has gone does not keep the loop busy.
func TestQueueTrouble(t *testing.T) {
	var ends [2]int
	if err := unix.Pipe2(ends[:], unix.O_CLOEXEC); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = unix.Close(ends[0]) }()
	q := &hungUp{read: ends[0]}
	q.t, q.fd = t, -1
	r, f, client, origin := queuedFlow(t, q)
	_ = unix.Close(ends[1])
	eventually(t, "it is rested", func() bool { return r.Drops()[DropReadError] > 0 })
	// What comes by the flow's own socket still goes on. A loop that is kept busy turns dozens of times in each of these ways.
	o, before := newEnd(t, origin.Addr(), origin.Port()), r.Load().Loops[0].Wakeups
	const rounds = 200
	for i := range uint16(rounds) {
		o.send(rtpPort(f.OriginPair()), packet(7, i))
		client.want(rtpPort(f.ClientPair()), packet(7, i))
	}
	if n := r.Load().Loops[0].Wakeups - before; n > 2*rounds {
		t.Errorf("%d wake-ups for %d datagrams", n, rounds)
	}
}

// TestQueueRecovers: what comes again after a trouble makes the next trouble worth a line in the log.
func TestQueueRecovers(t *testing.T) {
	l, c, _ := expressing(t)
	q := newFakeQueue(t)
	q.put(c.queue.(*full).all...)
	c.queue, c.failing = q, true
	l.drain(c, time.Now())
	if c.failing {
		t.Error("it is still known as one that cannot be read")
	}
}

// TestQueueFeatures: what is so and what is not is told by interface, and without Steering there is none.
func TestQueueFeatures(t *testing.T) {
	r, _, _, _ := queuedFlow(t, newFakeQueue(t))
	if all := r.Engine().Features; len(all) != 5 || all[3].Name != "xdp up" || !all[3].On || all[4].On || all[4].Why == "" {
		t.Errorf("%+v", all)
	}
	none := newRelay(t, Config{Engine: EngineFast, Steer: func(SteerSpec) (Steering, error) { return nil, errors.New("too old") }})
	if all := none.Engine().Features; len(all) != 3 {
		t.Errorf("%+v", all)
	}
}

// full is a Queue that has the same datagrams again and again.
type full struct {
	fakeQueue
	all []given
}

func (q *full) Datagram(i int) (from, local netip.AddrPort, payload []byte, tos uint8, ok bool) {
	return q.all[i].from, q.all[i].local, q.all[i].b, 0, true
}

// expressing is a loop that does not run, with datagrams of several flows, some of them back to back.
func expressing(tb testing.TB) (l *loop, c *fastConn, n int) {
	h := newHosts()
	r, l := stillLoop(tb, Config{ClientPorts: PortRange{5004, 5005}, OriginPorts: PortRange{20000, 20999}})
	r.crossed = true
	q := &full{}
	for i := range 8 {
		f := reserve(tb, r, h.spec())
		connect(tb, f, Client, Peer{Addr: h.client, RTP: uint16(31000 + 2*i), RTCP: uint16(31001 + 2*i)})
		connect(tb, f, Origin, Peer{Addr: h.origin, RTP: 5004, RTCP: 5005})
		l.engine.held.add(rtpPort(f.OriginPair()), f.legs[Origin].sock[rtp])
		for range 1 + i%3 {
			q.all = append(q.all, given{from: netip.AddrPortFrom(h.origin, 5004), local: rtpPort(f.OriginPair()), b: packet(uint32(i), 1)})
		}
	}
	l.obey()
	c = &fastConn{engine: l.engine, queue: q}
	c.sock = &socket{relay: r, conn: c, side: Origin, drops: &r.drops}
	return l, c, len(q.all)
}

// TestQueueAllocates: nothing is allocated for what comes by a queue.
func TestQueueAllocates(t *testing.T) {
	l, c, n := expressing(t)
	seq, now := uint16(1), time.Now()
	turn := func() {
		for i, g := range c.queue.(*full).all {
			g.b[2], g.b[3] = byte((seq+uint16(i))>>8), byte(seq+uint16(i))
		}
		seq += uint16(n)
		l.express(c, n, now)
		l.out.n, l.out.pieces = 0, 0
	}
	turn() // what is learned from the first is
	if a := testing.AllocsPerRun(200, turn); a != 0 {
		t.Errorf("%v allocations for %d datagrams", a, n)
	}
}

func BenchmarkLoopExpress(b *testing.B) {
	l, c, n := expressing(b)
	now := time.Now()
	b.ReportAllocs()
	for b.Loop() {
		l.express(c, n, now)
		l.out.n, l.out.pieces = 0, 0
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*n), "ns/packet")
}
