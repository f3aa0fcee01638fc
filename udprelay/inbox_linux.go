package udprelay

import (
	"encoding/binary"
	"net"
	"net/netip"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// inboxSize holds what one wake-up reads: the last message may be as large as any, the others are packed before it, so
// that little memory is touched and it stays in the cache.
const inboxSize = 4 * bufferSize

// inbox is where a loop's datagrams lie until they are sent.
type inbox struct {
	memory  []byte
	used    int
	head    unix.Msghdr
	vector  unix.Iovec
	name    unix.RawSockaddrInet6
	control [128]byte // more than the two that are asked for
	zones   map[uint32]string
}

func newInbox() *inbox {
	in := &inbox{memory: make([]byte, inboxSize), zones: make(map[uint32]string)}
	in.head.Name = (*byte)(unsafe.Pointer(&in.name))
	in.head.Iov = &in.vector
	in.head.SetIovlen(1)
	in.head.Control = &in.control[0]
	return in
}

// receive reads one message, which may be a train of datagrams, to the unused part.
func (in *inbox) receive(fd int) (b []byte, errno unix.Errno) {
	in.vector.Base = &in.memory[in.used]
	in.vector.SetLen(bufferSize)
	in.head.Namelen = unix.SizeofSockaddrInet6
	in.head.SetControllen(len(in.control))
	in.head.Flags = 0
	n, _, errno := unix.RawSyscall(unix.SYS_RECVMSG, uintptr(fd), uintptr(unsafe.Pointer(&in.head)), unix.MSG_DONTWAIT)
	if errno != 0 {
		return nil, errno
	}
	b = in.memory[in.used : in.used+int(n) : in.used+int(n)]
	in.used += (int(n) + 63) &^ 63
	return b, 0
}

// told are the size of a train's datagrams, 0 if it is none, and how many datagrams the kernel has dropped, if it says so.
func (in *inbox) told() (size int, dropped uint32) {
	rest := in.control[:min(uint64(in.head.Controllen), uint64(len(in.control)))]
	for len(rest) >= unix.SizeofCmsghdr {
		h := (*unix.Cmsghdr)(unsafe.Pointer(&rest[0]))
		n := int(h.Len)
		if n < unix.SizeofCmsghdr || n > len(rest) {
			break
		}
		if data := rest[unix.CmsgLen(0):n]; len(data) >= 4 {
			switch v := binary.NativeEndian.Uint32(data); {
			case h.Level == unix.SOL_UDP && h.Type == unix.UDP_GRO:
				size = int(v)
			case h.Level == unix.SOL_SOCKET && h.Type == unix.SO_RXQ_OVFL:
				dropped = v
			}
		}
		rest = rest[min(unix.CmsgSpace(n-unix.CmsgLen(0)), len(rest)):]
	}
	return size, dropped
}

// from is the sender of the message that was read last.
func (in *inbox) from() netip.AddrPort {
	port := (*[2]byte)(unsafe.Pointer(&in.name.Port)) // of either family
	p := binary.BigEndian.Uint16(port[:])
	if in.name.Family == unix.AF_INET {
		return netip.AddrPortFrom(netip.AddrFrom4((*unix.RawSockaddrInet4)(unsafe.Pointer(&in.name)).Addr), p)
	}
	a := netip.AddrFrom16(in.name.Addr).Unmap()
	if in.name.Scope_id != 0 && a.Is6() {
		a = a.WithZone(in.zone(in.name.Scope_id))
	}
	return netip.AddrPortFrom(a, p)
}

// zone is the name of an interface, as package net has it.
func (in *inbox) zone(index uint32) string {
	name, ok := in.zones[index]
	if !ok {
		if i, err := net.InterfaceByIndex(int(index)); err == nil {
			name = i.Name
		}
		in.zones[index] = name
	}
	return name
}

// read passes on what a socket has.
func (l *loop) read(c *fastConn, now time.Time) {
	times := 1
	if c.sock.flow == nil {
		times = readsAtOnce
	}
	for range times {
		if len(l.in.memory)-l.in.used < bufferSize {
			l.batches.Add(uint64(l.out.flush()))
			l.in.used = 0
		}
		b, errno := l.in.receive(c.fd)
		switch errno {
		case 0:
			c.failing = false
			l.split(c, b, now)
		case unix.EAGAIN, unix.EINTR:
			return
		default:
			l.fail(c, errno)
			return
		}
	}
}

// split takes a train apart. Whose each datagram is, and where it goes, is decided for each: nothing says that a sender
// keeps to one kind of packet.
func (l *loop) split(c *fastConn, b []byte, now time.Time) {
	size, dropped := l.in.told()
	if dropped != 0 && dropped != c.dropped {
		l.dropped.Add(uint64(dropped - c.dropped))
		c.dropped = dropped
	}
	from, cut := l.in.from(), l.in.head.Flags&unix.MSG_TRUNC != 0
	if size <= 0 || size > len(b) {
		size = len(b)
	}
	for {
		one := b[:min(size, len(b))]
		b = b[len(one):]
		l.packets.Add(1)
		if f, to := c.sock.decide(one, cut && len(b) == 0, from, now); f != nil {
			l.send(c.sock, f, to, one)
		}
		if len(b) == 0 {
			return
		}
	}
}

// send queues a datagram until the end of the turn.
func (l *loop) send(s *socket, f *Flow, to netip.AddrPort, b []byte) {
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
		l.out.add(c, f, out, to, b, control)
		return
	}
	if _, err := conn.WriteToUDPAddrPort(b, to); err != nil {
		f.drops.add(writeReason(err))
		return
	}
	f.sent[out].add(len(b), control)
}
