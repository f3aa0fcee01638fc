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

// drain passes on what a Queue has. The memory is the Queue's until Release, so everything is sent before that.
func (l *loop) drain(c *fastConn, now time.Time) {
	for range readsAtOnce {
		n := c.queue.Receive(framesAtOnce)
		for i := range n {
			l.express(c, i, now)
		}
		l.flush()
		c.queue.Release()
		l.packets.Add(uint64(n))
		l.bypassed.Add(uint64(n))
		if n < framesAtOnce {
			return
		}
	}
}

// express passes one datagram on.
func (l *loop) express(c *fastConn, i int, now time.Time) {
	from, local, b, tos, ok := c.queue.Datagram(i)
	if !ok {
		c.sock.drops.add(DropCorrupt)
		return
	}
	s := l.engine.held.find(local)
	if s == nil {
		c.sock.drops.add(DropClosed)
		return
	}
	if f, to := s.decide(b, false, from, now); f != nil {
		l.send(s, f, to, b, tos)
	}
}

// troubled is for a Queue whose interface has gone or is down: it is looked at again once a second.
func (l *loop) troubled(c *fastConn, events uint32) bool {
	if c.queue == nil || events&(unix.EPOLLERR|unix.EPOLLHUP) == 0 {
		return false
	}
	l.fail(c, unix.ENETDOWN)
	return true
}

// overruns counts what the loop's queues had no memory for.
func (l *loop) overruns() {
	for _, c := range l.conns {
		if c == nil || c.queue == nil {
			continue
		}
		if n := c.queue.Dropped(); n > c.overrun {
			l.dropped.Add(n - c.overrun)
			c.overrun = n
		}
	}
}
