package udprelay

import (
	"net/netip"
	"time"

	"golang.org/x/sys/unix"
)

// framesAtOnce is how many datagrams of a Queue are taken before what they became is sent.
const framesAtOnce = batchSize

// queued makes a Queue one of a loop's sockets. Its descriptor stays the Queue's.
func (e *fastEngine) queued(q Queue) *fastConn {
	c := &fastConn{engine: e, fd: q.Descriptor(), queue: q, local: netip.AddrPort{}}
	c.sock = &socket{relay: e.relay, conn: c, side: Origin, drops: &e.relay.drops, quit: make(chan struct{})}
	return c
}

// bypass finds the queues of a Steering that has some. What comes by one of them comes to its loop, which need not be the
// loop of the flow: so two loops may have datagrams of one flow.
func (e *fastEngine) bypass() []Feature {
	b, ok := e.steering.(Bypass)
	if !ok {
		return nil
	}
	for _, q := range b.Queues() {
		e.queues = append(e.queues, e.queued(q))
	}
	e.relay.crossed = len(e.queues) > 0
	return b.Features()
}

// frame is a datagram of a Queue: whose it is, and where it goes.
type frame struct {
	from netip.AddrPort
	b    []byte
	tos  uint8
	sock *socket // nil: nobody's
	flow *Flow   // nil: it goes nowhere
	to   netip.AddrPort
}

// drain passes on what a Queue has. The memory is the Queue's until Release, so everything is sent before that.
func (l *loop) drain(c *fastConn, now time.Time) {
	for range readsAtOnce {
		n := c.queue.Receive(framesAtOnce)
		l.express(c, n, now)
		l.flush()
		c.queue.Release()
		l.packets.Add(uint64(n))
		l.bypassed.Add(uint64(n))
		c.failing = c.failing && n == 0
		if n < framesAtOnce {
			return
		}
	}
}

// express passes the n datagrams on that were taken. As in pass, whose they are is found for all, and their flows are touched,
// before any is judged.
func (l *loop) express(c *fastConn, n int, now time.Time) {
	for i := range n {
		l.frames[i].sock = l.whose(c, i)
	}
	for i := range n {
		if s := l.frames[i].sock; s != nil {
			l.touched += s.flow.touch(Origin, s.k)
		}
	}
	for i := 0; i < n; {
		i = l.judge(i, n, now)
	}
	for i := range n {
		if d := &l.frames[i]; d.sock != nil && d.flow != nil {
			l.send(d.sock, d.flow, d.to, d.b, d.tos)
		}
	}
}

// whose reads the i-th of the taken datagrams into frames, and finds its socket, or counts why it has none.
func (l *loop) whose(c *fastConn, i int) (s *socket) {
	d := &l.frames[i]
	var local netip.AddrPort
	var ok bool
	if d.from, local, d.b, d.tos, ok = c.queue.Datagram(i); !ok {
		c.sock.drops.add(DropCorrupt)
		return nil
	}
	if l.engine.relay.cfg.Marking.Set {
		d.tos = 0 // as a socket then tells none: it is that of the socket that sends
	}
	if s = l.engine.held.find(local); s == nil {
		c.sock.drops.add(DropClosed)
	}
	return s
}

// judge judges the datagrams from the i-th on that are of one flow's port, and returns the first of others.
func (l *loop) judge(i, n int, now time.Time) int {
	s := l.frames[i].sock
	if s == nil {
		return i + 1
	}
	in := newIntake(s.side, now)
	s.flow.turn.Lock()
	defer s.flow.turn.Unlock()
	for ; i < n && l.frames[i].sock == s; i++ {
		d := &l.frames[i]
		d.flow, d.to = s.decide(d.b, false, d.from, now, &in)
	}
	in.settle()
	return i
}

// troubled is for a Queue whose interface has gone or is down: it is looked at again once a second.
func (l *loop) troubled(c *fastConn, events uint32) bool {
	if c.queue == nil || events&(unix.EPOLLERR|unix.EPOLLHUP) == 0 {
		return false
	}
	l.fail(c, unix.ENETDOWN)
	return true
}

// overruns counts what the loop's queues had no memory for, and tells each that there is some.
func (l *loop) overruns() {
	for _, c := range l.conns {
		if c == nil || c.queue == nil {
			continue
		}
		c.queue.Release()
		if n := c.queue.Dropped(); n > c.overrun {
			l.dropped.Add(n - c.overrun)
			c.overrun = n
		}
	}
}
