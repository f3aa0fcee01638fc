package udprelay

import (
	"encoding/binary"
	"net/netip"
	"unsafe"

	"golang.org/x/sys/unix"
)

// flush sends everything and returns in how many calls.
func (t *batch) flush() (calls int) {
	for i := 0; i < t.n; {
		end := i + 1
		for end < t.n && t.list[end].conn == t.list[i].conn {
			end++
		}
		calls += t.send(i, end)
		i = end
	}
	t.n, t.pieces = 0, 0
	return calls
}

// send sends the messages of one socket. The kernel returns how many it took and hides why it did not take the next, so
// that one is tried again first: then it is sent, or the error is its own, and it alone is given up.
func (t *batch) send(i, end int) (calls int) {
	c := t.list[i].conn
	if !c.hold() {
		for ; i < end; i++ {
			t.list[i].lose(DropClosed)
		}
		return 0
	}
	defer c.drop()
	for j := i; j < end; j++ {
		t.mark(j, t.list[j].count > 1)
	}
	for tries := 0; i < end; {
		n, _, errno := unix.RawSyscall6(unix.SYS_SENDMMSG, uintptr(c.fd), uintptr(unsafe.Pointer(&t.entries[i])),
			uintptr(end-i), unix.MSG_DONTWAIT, 0, 0)
		calls++
		switch {
		case errno == unix.EINTR:
		case errno != 0 && tries < triesAtMost && fromICMP(errno):
			c.hear() // of an earlier datagram perhaps: then this one goes now
			tries++
		case errno != 0:
			t.refused(i, errno)
			i++
			tries = 0
		default:
			for range min(int(n), end-i) {
				m := &t.list[i]
				m.flow.sentTo(m.side, m.lot)
				i++
			}
			tries = 0
		}
	}
	return calls
}

// triesAtMost is how often a datagram is tried again for an error that may not be its own.
const triesAtMost = 2

// mark tells the kernel whether a message is a train, and its class if that is not the socket's.
func (t *batch) mark(i int, train bool) {
	m, h := &t.list[i], &t.entries[i].head
	h.Control = nil
	h.SetControllen(0)
	if !train && m.tos == 0 {
		return
	}
	h.Control = &t.controls[i][0]
	used := 0
	if train {
		binary.NativeEndian.PutUint16(put(t.controls[i][:], &used, unix.SOL_UDP, unix.UDP_SEGMENT, 2), uint16(m.size))
	}
	if m.tos != 0 {
		putClass(t.controls[i][:], &used, m.to.Addr(), m.tos)
	}
	h.SetControllen(used)
}

// putClass writes the class of what goes to an address.
func putClass(control []byte, used *int, to netip.Addr, tos uint8) {
	level, kind := int32(unix.SOL_IP), int32(unix.IP_TOS)
	if !to.Is4() {
		level, kind = unix.SOL_IPV6, unix.IPV6_TCLASS
	}
	binary.NativeEndian.PutUint32(put(control, used, level, kind, 4), uint32(tos))
}

// put makes room for one control message of a message, after those that are there.
func put(control []byte, used *int, level, kind int32, size int) []byte {
	at := control[*used:]
	h := (*unix.Cmsghdr)(unsafe.Pointer(&at[0]))
	h.Level, h.Type = level, kind
	h.SetLen(unix.CmsgLen(size))
	*used += unix.CmsgSpace(size)
	return at[unix.SizeofCmsghdr:]
}

// refused is for a message that was not sent. A way that does not take trains (drivers that answer EIO, datagrams over the
// MTU, which a train never fragments) gets its datagrams singly, now and from now on.
func (t *batch) refused(i int, errno unix.Errno) {
	m := &t.list[i]
	switch {
	case m.count > 1 && (errno == unix.EIO || errno == unix.EINVAL || errno == unix.EMSGSIZE):
		m.flow.legs[m.side].alone.Store(true)
	case m.count > 1 || errno != unix.EMSGSIZE:
		m.lose(writeReason(errno))
		return
	}
	t.mark(i, false)
	h := t.entries[i].head
	for _, v := range unsafe.Slice(h.Iov, int(h.Iovlen)) {
		rest := unsafe.Slice(v.Base, int(v.Len))
		for len(rest) > 0 {
			one := rest[:min(m.size, len(rest))]
			rest = rest[len(one):]
			if errno := m.conn.sendAgain(h, one); errno != 0 {
				m.flow.drops.add(writeReason(errno))
				continue
			}
			var l lot
			l.add(len(one), m.flow.mms == nil && isRTCP(one))
			m.flow.sentTo(m.side, l)
		}
	}
}

// lose counts the datagrams of a message for a reason.
func (m *message) lose(r DropReason) { m.flow.drops[r].Add(uint64(m.count)) }

// sendAgain sends one datagram with the destination and the class of a header, in fragments if it must be.
func (c *fastConn) sendAgain(h unix.Msghdr, b []byte) unix.Errno {
	v := unix.Iovec{Base: unsafe.SliceData(b)}
	v.SetLen(len(b))
	h.Iov = &v
	h.SetIovlen(1)
	for range triesAtMost + 1 {
		_, _, errno := unix.RawSyscall(unix.SYS_SENDMSG, uintptr(c.fd), uintptr(unsafe.Pointer(&h)), unix.MSG_DONTWAIT)
		switch {
		case errno == unix.EINTR:
		case errno == unix.EMSGSIZE && c.mayFragment():
		case errno == 0 || !fromICMP(errno):
			return errno
		default:
			c.hear()
		}
	}
	return unix.EMSGSIZE
}
