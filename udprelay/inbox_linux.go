package udprelay

import (
	"encoding/binary"
	"net"
	"net/netip"
	"unsafe"

	"golang.org/x/sys/unix"
)

const (
	// inboxSlots is how many messages one call reads, and how many of the largest the inbox holds.
	inboxSlots = 16
	// inboxStep is how far apart the messages of one call lie: not at the same place of each page, where they would contend for the
	// same lines of the processor's cache.
	inboxStep = bufferSize + 33*64
	inboxSize = inboxSlots * inboxStep
)

// inbox is where a loop's datagrams lie until they are sent.
type inbox struct {
	memory   []byte
	used     int
	entries  [inboxSlots]entry
	vectors  [inboxSlots]unix.Iovec
	names    [inboxSlots]unix.RawSockaddrInet6
	controls [inboxSlots][160]byte // more than what is asked for
	zones    map[uint32]string
}

func newInbox() *inbox {
	in := &inbox{memory: make([]byte, inboxSize), zones: make(map[uint32]string)}
	for i := range in.entries {
		h := &in.entries[i].head
		h.Name = (*byte)(unsafe.Pointer(&in.names[i]))
		h.Iov = &in.vectors[i]
		h.SetIovlen(1)
		h.Control = &in.controls[i][0]
	}
	return in
}

// room is how many of the largest messages fit the unused part.
func (in *inbox) room() int {
	if in.used+bufferSize > len(in.memory) {
		return 0
	}
	return 1 + (len(in.memory)-in.used-bufferSize)/inboxStep
}

// receive reads up to n messages, each of which may be a train of datagrams, to the unused part. There must be room.
func (in *inbox) receive(fd, n int) (got int, errno unix.Errno) {
	for i := range n {
		in.vectors[i].Base = &in.memory[in.used+i*inboxStep]
		in.vectors[i].SetLen(bufferSize)
		h := &in.entries[i].head
		h.Namelen = unix.SizeofSockaddrInet6
		h.SetControllen(len(in.controls[i]))
		h.Flags = 0
	}
	r, _, errno := unix.RawSyscall6(unix.SYS_RECVMMSG, uintptr(fd), uintptr(unsafe.Pointer(&in.entries[0])), uintptr(n),
		unix.MSG_DONTWAIT, 0, 0)
	if errno != 0 {
		return 0, errno
	}
	got = min(int(r), n)
	if n == 1 { // packed, so that little memory is touched
		in.used += (int(in.entries[0].sent) + 63) &^ 63
	} else {
		in.used += got * inboxStep
	}
	return got, 0
}

// message is what the i-th message of the last call holds; cut says that it was longer.
func (in *inbox) message(i int) (b []byte, cut bool) {
	e := &in.entries[i]
	n := min(int(e.sent), bufferSize)
	return unsafe.Slice(in.vectors[i].Base, n), e.head.Flags&unix.MSG_TRUNC != 0
}

// told is what the kernel says of a message.
type told struct {
	size    int            // of a train's datagrams, 0 if it is none
	dropped uint32         // datagrams that it has dropped so far
	tos     uint8          // of the IP header, or its traffic class
	local   netip.AddrPort // where it was sent to; invalid if nobody asked
}

// told reads the control messages of the i-th message.
func (in *inbox) told(i int) (t told) {
	rest := in.controls[i][:min(uint64(in.entries[i].head.Controllen), uint64(len(in.controls[i])))]
	for len(rest) >= unix.SizeofCmsghdr {
		h := (*unix.Cmsghdr)(unsafe.Pointer(&rest[0]))
		n := int(h.Len)
		if n < unix.SizeofCmsghdr || n > len(rest) {
			break
		}
		t.note(h.Level, h.Type, rest[unix.SizeofCmsghdr:n])
		rest = rest[min(unix.CmsgSpace(n-unix.SizeofCmsghdr), len(rest)):]
	}
	return t
}

// note takes one control message (ip(7), ipv6(7), udp(7)).
func (t *told) note(level, kind int32, data []byte) {
	switch {
	case level == unix.SOL_IP && kind == unix.IP_TOS && len(data) >= 1:
		t.tos = data[0]
	case len(data) < 4:
	case level == unix.SOL_UDP && kind == unix.UDP_GRO:
		t.size = int(binary.NativeEndian.Uint32(data))
	case level == unix.SOL_SOCKET && kind == unix.SO_RXQ_OVFL:
		t.dropped = binary.NativeEndian.Uint32(data)
	case level == unix.SOL_IPV6 && kind == unix.IPV6_TCLASS:
		t.tos = uint8(binary.NativeEndian.Uint32(data))
	case level == unix.SOL_IP && kind == unix.IP_ORIGDSTADDR && len(data) >= 8:
		t.local = netip.AddrPortFrom(netip.AddrFrom4([4]byte(data[4:8])), binary.BigEndian.Uint16(data[2:]))
	case level == unix.SOL_IPV6 && kind == unix.IPV6_ORIGDSTADDR && len(data) >= 24:
		t.local = netip.AddrPortFrom(netip.AddrFrom16([16]byte(data[8:24])).Unmap(), binary.BigEndian.Uint16(data[2:]))
	}
}

// from is the sender of the i-th message.
func (in *inbox) from(i int) netip.AddrPort {
	name := &in.names[i]
	port := (*[2]byte)(unsafe.Pointer(&name.Port)) // of either family
	p := binary.BigEndian.Uint16(port[:])
	if name.Family == unix.AF_INET {
		return netip.AddrPortFrom(netip.AddrFrom4((*unix.RawSockaddrInet4)(unsafe.Pointer(name)).Addr), p)
	}
	a := netip.AddrFrom16(name.Addr).Unmap()
	if name.Scope_id != 0 && a.Is6() {
		a = a.WithZone(in.zone(name.Scope_id))
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
