package udprelay

import (
	"net/netip"
	"time"

	"golang.org/x/sys/unix"
)

// readsAtOnce is how many calls in a row read a socket of several flows, so that one that is never empty leaves the others a
// turn.
const readsAtOnce = 4

// read passes on what a socket has. Of a flow's own socket it reads one message: there is rarely more, and what is left wakes
// the loop again.
func (l *loop) read(c *fastConn, now time.Time) {
	if c.queue != nil {
		l.drain(c, now)
		return
	}
	times, most := readsAtOnce, inboxSlots
	if c.sock.flow != nil {
		times, most = 1, 1
	}
	for range times {
		if l.in.room() < most {
			l.flush()
		}
		n, errno := l.in.receive(c.fd, most)
		switch errno {
		case 0:
			c.failing = false
			l.pass(c, n, now)
		case unix.EAGAIN, unix.EINTR:
			return
		default:
			if fromICMP(errno) {
				c.hear()
				continue
			}
			l.fail(c, errno)
			return
		}
		if n < most {
			return
		}
	}
}

// arrival is a message of the last call: what the kernel tells of it, and the socket that it is for; nil if there is none.
type arrival struct {
	told
	sock *socket
}

// pass takes the n messages that the last call read. Whose they are is found for all before any is judged, and their flows are
// touched: a processor waits for the memory of many flows as long as for that of one, if nothing makes it wait in between, as
// each addition does that others may read.
func (l *loop) pass(c *fastConn, n int, now time.Time) {
	for i := range n {
		a := &l.came[i]
		a.told, a.sock = l.in.told(i), c.sock
		if c.leads {
			a.sock = l.engine.held.find(a.local)
		}
	}
	for i := range n {
		if s := l.came[i].sock; s != nil && s.flow != nil {
			l.touched += s.flow.touch(s.side, s.k)
		}
	}
	var count uint64
	for i := range n {
		count += l.split(c, i, now)
	}
	l.packets.Add(count)
	if c.leads {
		l.led.Add(count)
	}
}

// flush sends what is queued; its memory is free then.
func (l *loop) flush() {
	l.batches.Add(uint64(l.out.flush()))
	l.in.used = 0
}

// split takes a train apart. Whose each datagram is, and where it goes, is decided for each: nothing says that a sender
// keeps to one kind of packet. count is how many there were, 0 if there is nobody to take them.
func (l *loop) split(c *fastConn, i int, now time.Time) (count uint64) {
	b, cut := l.in.message(i)
	t, s := &l.came[i].told, l.came[i].sock
	if t.dropped != 0 && t.dropped != c.dropped {
		l.dropped.Add(uint64(t.dropped - c.dropped))
		c.dropped = t.dropped
	}
	size := t.size
	if size <= 0 || size > len(b) {
		size = len(b)
	}
	if s == nil {
		l.engine.relay.drops[DropClosed].Add(datagrams(len(b), size))
		return 0
	}
	from, in := l.in.from(i), newIntake(s.side, now)
	for {
		one := b[:min(size, len(b))]
		b = b[len(one):]
		count++
		if f, to := s.take(one, cut && len(b) == 0, from, now, &in); f != nil {
			if l.out.full() {
				in.settle() // before what it counts leaves
			}
			l.send(s, f, to, one, t.tos)
		}
		if len(b) == 0 {
			in.settle()
			return count
		}
	}
}

// datagrams is how many a train has.
func datagrams(length, size int) uint64 {
	if size == 0 {
		return 1 // an empty one
	}
	return uint64((length + size - 1) / size)
}

// send queues a datagram until the end of the turn.
func (l *loop) send(s *socket, f *Flow, to netip.AddrPort, b []byte, tos uint8) {
	if f.keep(s, to, b, tos) {
		return
	}
	out := s.side.other()
	control := f.mms == nil && isRTCP(b)
	conn := f.legs[out].sock[s.k].conn
	if c, ok := conn.(*fastConn); ok {
		if !c.reaches(to) {
			f.drops.add(DropUnreachable)
			return
		}
		if l.out.full() {
			l.batches.Add(uint64(l.out.flush()))
		}
		l.out.add(c, way{flow: f, side: out, to: to, tos: tos & dscpBits}, b, control)
		return
	}
	f.write(s, to, b, tos)
}
