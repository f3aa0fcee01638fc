package udprelay

import (
	"encoding/binary"
	"net"
	"net/netip"
	"strconv"
	"unsafe"

	"golang.org/x/sys/unix"
)

const (
	batchSize  = 64     // messages
	vectorSize = 256    // pieces of memory of all messages
	trainSize  = 64     // datagrams in a message: what all kernels take
	trainBytes = 65_000 // in a message: less than fits an IP packet
)

// way is whose a datagram is, and where and how it goes.
type way struct {
	flow *Flow
	side Side
	to   netip.AddrPort
	tos  uint8 // 0: as the socket's
}

// message is one call's worth for one destination: a datagram, or a train of them.
type message struct {
	way
	lot
	conn  *fastConn
	size  int // of each datagram but the last
	last  int // of that
	count int // RTCP too, as whole
	whole int // bytes
}

// entry is the kernel's struct mmsghdr.
type entry struct {
	head unix.Msghdr
	sent uint32
}

// batch are the messages of a turn, in order. The memory that they point to is the inbox's.
type batch struct {
	gso      bool
	n        int
	pieces   int
	list     [batchSize]message
	entries  [batchSize]entry
	names    [batchSize]unix.RawSockaddrInet6
	vectors  [vectorSize]unix.Iovec
	controls [batchSize][controlSize]byte
}

// controlSize holds two control messages with a number each: the size of a train's datagrams, and the class.
const controlSize = 48

func newBatch(gso bool) *batch {
	t := &batch{gso: gso}
	for i := range t.entries {
		t.entries[i].head.Name = (*byte)(unsafe.Pointer(&t.names[i]))
	}
	return t
}

func (t *batch) full() bool { return t.n == batchSize || t.pieces == vectorSize }

// add queues a datagram, as part of the train before it if that goes the same way. There must be room.
func (t *batch) add(c *fastConn, w way, b []byte, control bool) {
	if t.n == 0 || !t.extend(c, w, b) {
		i := t.n
		t.n++
		t.list[i] = message{way: w, conn: c, size: len(b)}
		h := &t.entries[i].head
		h.Namelen = putName(&t.names[i], c.v6, w.to)
		h.Iov = &t.vectors[t.pieces]
		h.SetIovlen(0)
		t.piece(b)
	}
	m := &t.list[t.n-1]
	m.count++
	m.whole += len(b)
	m.last = len(b)
	m.lot.add(len(b), control)
}

// extend reports whether a datagram was joined to the last message.
func (t *batch) extend(c *fastConn, w way, b []byte) bool {
	m := &t.list[t.n-1]
	if m.way != w || m.conn != c || m.size == 0 || m.last != m.size || len(b) > m.size || len(b) == 0 ||
		m.count == trainSize || m.whole+len(b) > trainBytes || !t.gso || w.flow.legs[w.side].alone.Load() {
		return false
	}
	v := &t.vectors[t.pieces-1]
	if unsafe.Add(unsafe.Pointer(v.Base), int(v.Len)) == unsafe.Pointer(&b[0]) {
		v.SetLen(int(v.Len) + len(b))
		return true
	}
	t.piece(b)
	return true
}

func (t *batch) piece(b []byte) {
	v := &t.vectors[t.pieces]
	v.Base = unsafe.SliceData(b)
	v.SetLen(len(b))
	t.pieces++
	h := &t.entries[t.n-1].head
	h.SetIovlen(int(h.Iovlen) + 1)
}

// putName writes a destination as the kernel wants it and returns its length.
func putName(name *unix.RawSockaddrInet6, v6 bool, to netip.AddrPort) uint32 {
	binary.BigEndian.PutUint16((*[2]byte)(unsafe.Pointer(&name.Port))[:], to.Port())
	if !v6 {
		name.Family = unix.AF_INET
		(*unix.RawSockaddrInet4)(unsafe.Pointer(name)).Addr = to.Addr().As4()
		return unix.SizeofSockaddrInet4
	}
	name.Family, name.Flowinfo, name.Addr, name.Scope_id = unix.AF_INET6, 0, to.Addr().As16(), 0
	if zone := to.Addr().Zone(); zone != "" {
		name.Scope_id = scope(zone)
	}
	return unix.SizeofSockaddrInet6
}

// scope is the index of an interface, by its name or as a number.
func scope(zone string) uint32 {
	if i, err := net.InterfaceByName(zone); err == nil {
		return uint32(i.Index)
	}
	n, err := strconv.ParseUint(zone, 10, 32)
	if err != nil {
		return 0
	}
	return uint32(n)
}
