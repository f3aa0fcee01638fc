package udprelay

import (
	"encoding/binary"
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
		t.mark(j)
	}
	for i < end {
		n, _, errno := unix.RawSyscall6(unix.SYS_SENDMMSG, uintptr(c.fd), uintptr(unsafe.Pointer(&t.entries[i])),
			uintptr(end-i), unix.MSG_DONTWAIT, 0, 0)
		calls++
		switch {
		case errno == unix.EINTR:
		case errno != 0:
			t.refused(i, errno)
			i++
		default:
			for range min(int(n), end-i) {
				m := &t.list[i]
				m.flow.sent[m.side].addAll(m.count, m.bytes, m.control)
				i++
			}
		}
	}
	return calls
}

// mark tells the kernel whether a message is a train.
func (t *batch) mark(i int) {
	h := &t.entries[i].head
	if t.list[i].count < 2 {
		h.Control = nil
		h.SetControllen(0)
		return
	}
	binary.NativeEndian.PutUint16(t.controls[i][unix.CmsgLen(0):], uint16(t.list[i].size))
	h.Control = &t.controls[i][0]
	h.SetControllen(unix.CmsgSpace(2))
}

// refused is for a message that was not sent. A way that does not take trains (drivers that answer EIO, datagrams over the
// MTU, which a train never fragments) gets its datagrams singly, now and from now on.
func (t *batch) refused(i int, errno unix.Errno) {
	m := &t.list[i]
	if m.count < 2 || errno != unix.EIO && errno != unix.EINVAL && errno != unix.EMSGSIZE {
		m.lose(writeReason(errno))
		return
	}
	m.flow.legs[m.side].alone.Store(true)
	h := &t.entries[i].head
	for _, v := range unsafe.Slice(h.Iov, int(h.Iovlen)) {
		rest := unsafe.Slice(v.Base, int(v.Len))
		for len(rest) > 0 {
			one := rest[:min(m.size, len(rest))]
			rest = rest[len(one):]
			if errno := sendOne(m.conn.fd, &t.names[i], h.Namelen, one); errno != 0 {
				m.flow.drops.add(writeReason(errno))
				continue
			}
			m.flow.sent[m.side].add(len(one), m.flow.mms == nil && isRTCP(one))
		}
	}
}

// lose counts the datagrams of a message for a reason.
func (m *message) lose(r DropReason) { m.flow.drops[r].Add(uint64(m.count)) }

// sendOne sends one datagram.
func sendOne(fd int, name *unix.RawSockaddrInet6, length uint32, b []byte) unix.Errno {
	for {
		_, _, errno := unix.RawSyscall6(unix.SYS_SENDTO, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(b))),
			uintptr(len(b)), unix.MSG_DONTWAIT, uintptr(unsafe.Pointer(name)), uintptr(length))
		if errno != unix.EINTR {
			return errno
		}
	}
}
