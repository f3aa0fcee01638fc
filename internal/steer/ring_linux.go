package steer

import (
	"fmt"
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/unix"
)

// ring is one of the rings that a queue shares with the kernel: who produces and who consumes each count without end, and the
// place is the count modulo the size, a power of two.
type ring struct {
	memory             []byte // mapped
	producer, consumer *atomic.Uint32
	flags              *atomic.Uint32
	entries            unsafe.Pointer
	size               uint32
}

// mapRing maps a ring whose size was set before.
func mapRing(fd int, at int64, off unix.XDPRingOffset, size, entry uint32) (r ring, err error) {
	r.size = size
	r.memory, err = unix.Mmap(fd, at, int(off.Desc)+int(size*entry), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED|unix.MAP_POPULATE)
	if err != nil {
		return ring{}, fmt.Errorf("map ring: %w", err)
	}
	place := func(o uint64) unsafe.Pointer { return unsafe.Pointer(&r.memory[o]) }
	r.producer, r.consumer = (*atomic.Uint32)(place(off.Producer)), (*atomic.Uint32)(place(off.Consumer))
	r.flags, r.entries = (*atomic.Uint32)(place(off.Flags)), place(off.Desc)
	return r, nil
}

// frame is the entry of a ring of received frames.
func (r *ring) frame(count uint32) *unix.XDPDesc {
	return (*unix.XDPDesc)(unsafe.Add(r.entries, uintptr(count&(r.size-1))*unsafe.Sizeof(unix.XDPDesc{})))
}

// place is the entry of a ring of free memory.
func (r *ring) place(count uint32) *uint64 {
	return (*uint64)(unsafe.Add(r.entries, uintptr(count&(r.size-1))*8))
}

// waiting says that the kernel sleeps until it is told that there is something.
func (r *ring) waiting() bool { return r.flags.Load()&unix.XDP_RING_NEED_WAKEUP != 0 }

func (r *ring) unmap() error {
	if r.memory == nil {
		return nil
	}
	return unix.Munmap(r.memory)
}

// setStruct sets an option of a socket of AF_XDP that is a struct.
func setStruct[T any](fd, option int, v *T) error {
	_, _, errno := unix.Syscall6(unix.SYS_SETSOCKOPT, uintptr(fd), unix.SOL_XDP, uintptr(option),
		uintptr(unsafe.Pointer(v)), unsafe.Sizeof(*v), 0)
	if errno != 0 {
		return errno
	}
	return nil
}

// getStruct reads one. Older kernels know less of it and leave the rest.
func getStruct[T any](fd, option int, v *T) error {
	size := uint32(unsafe.Sizeof(*v))
	_, _, errno := unix.Syscall6(unix.SYS_GETSOCKOPT, uintptr(fd), unix.SOL_XDP, uintptr(option),
		uintptr(unsafe.Pointer(v)), uintptr(unsafe.Pointer(&size)), 0)
	switch {
	case errno != 0:
		return errno
	case uintptr(size) < unsafe.Sizeof(*v):
		return unix.ENOSYS
	}
	return nil
}
