package steer

import (
	"errors"
	"fmt"
	"net/netip"
	"unsafe"

	"golang.org/x/sys/unix"
)

// The memory of a queue is cut into chunks of one frame each, of which the kernel keeps the first 256 bytes for itself.
const (
	smallChunk, largeChunk = 2048, 4096
	chunkHead              = unix.XDP_PACKET_HEADROOM
	fewestChunks           = 64
	mostMemory             = 256 << 20 // of a queue
)

// Queue takes the frames of one receive queue of an interface that are led to it. One goroutine uses it, but for Dropped.
type Queue struct {
	fd     int
	memory []byte // of all frames
	chunk  uint64
	rx     ring // frames that have come
	free   ring // memory for frames to come
	taken  uint32
	from   uint32 // count of the first that is taken
}

// chunks are how memory is cut for an interface's largest frames: how many, a power of two, and how large each is.
func chunks(buffer, mtu int) (count, size uint32, err error) {
	size = smallChunk
	if mtu+etherSize > smallChunk-chunkHead {
		size = largeChunk
	}
	if mtu+etherSize > largeChunk-chunkHead {
		return 0, 0, fmt.Errorf("frames of %d bytes do not fit a page", mtu+etherSize)
	}
	for count = fewestChunks; 2*int(count)*int(size) <= min(buffer, mostMemory); {
		count *= 2
	}
	return count, size, nil
}

// openQueue makes the socket of one queue of an interface; errNoQueue if there are fewer.
func openQueue(index, number int, count, size uint32) (*Queue, error) {
	q := &Queue{fd: -1, chunk: uint64(size)}
	if err := q.open(index, number, count, size); err != nil {
		_ = q.close() // the first fault is the one that counts
		return nil, err
	}
	return q, nil
}

func (q *Queue) open(index, number int, count, size uint32) (err error) {
	q.fd, err = unix.Socket(unix.AF_XDP, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0)
	switch {
	case errors.Is(err, unix.EPERM): // the others are there, or steering would have failed
		return fmt.Errorf("%w: the process lacks CAP_NET_RAW: open socket of AF_XDP: %w", ErrUnsupported, err)
	case err != nil:
		return explain("open socket of AF_XDP", err)
	}
	if err = q.share(count, size); err != nil {
		return err
	}
	for i := range count {
		*q.free.place(i) = uint64(i) * uint64(size)
	}
	q.free.producer.Store(count)
	at := &unix.SockaddrXDP{Ifindex: uint32(index), QueueID: uint32(number), Flags: unix.XDP_USE_NEED_WAKEUP}
	switch err = unix.Bind(q.fd, at); {
	case errors.Is(err, unix.EINVAL) && number > 0:
		return errNoQueue
	case err != nil:
		return explain(fmt.Sprintf("bind to queue %d", number), err)
	}
	return nil
}

// errNoQueue is returned by openQueue for a number that the interface does not have.
var errNoQueue = errors.New("no such queue")

// share has the kernel use memory of ours, and maps the rings. It wants all four of them but that for sending.
func (q *Queue) share(count, size uint32) (err error) {
	if q.memory, err = unix.Mmap(-1, 0, int(count*size), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS); err != nil {
		return fmt.Errorf("make memory for frames: %w", err)
	}
	reg := unix.XDPUmemReg{Addr: uint64(uintptr(unsafe.Pointer(&q.memory[0]))), Len: uint64(len(q.memory)), Size: size}
	err = setStruct(q.fd, unix.XDP_UMEM_REG, &reg)
	if errors.Is(err, unix.ENOBUFS) { // the limit of locked memory, which is seldom enough
		unlimited := unix.Rlimit{Cur: unix.RLIM_INFINITY, Max: unix.RLIM_INFINITY}
		if unix.Setrlimit(unix.RLIMIT_MEMLOCK, &unlimited) == nil {
			err = setStruct(q.fd, unix.XDP_UMEM_REG, &reg)
		}
	}
	if err != nil {
		return explain(fmt.Sprintf("lock %d KiB of memory (RLIMIT_MEMLOCK)", len(q.memory)>>10), err)
	}
	const unused = 8 // the ring of what was sent
	for option, n := range map[int]uint32{unix.XDP_UMEM_FILL_RING: count, unix.XDP_UMEM_COMPLETION_RING: unused, unix.XDP_RX_RING: count} {
		if err := setStruct(q.fd, option, &n); err != nil {
			return explain("make ring", err)
		}
	}
	var off unix.XDPMmapOffsets
	if err := getStruct(q.fd, unix.XDP_MMAP_OFFSETS, &off); err != nil {
		return explain("find rings", err)
	}
	if q.rx, err = mapRing(q.fd, unix.XDP_PGOFF_RX_RING, off.Rx, count, uint32(unsafe.Sizeof(unix.XDPDesc{}))); err != nil {
		return err
	}
	q.free, err = mapRing(q.fd, unix.XDP_UMEM_PGOFF_FILL_RING, off.Fr, count, 8)
	return err
}

// Descriptor is readable (poll, epoll) while there are frames. It is the Queue's own.
func (q *Queue) Descriptor() int { return q.fd }

// Receive takes up to n frames, and says how many there were. They are kept until Release.
func (q *Queue) Receive(n int) int {
	q.from = q.rx.consumer.Load()
	q.taken = min(q.rx.producer.Load()-q.from, uint32(n))
	return int(q.taken)
}

// Datagram is what the i-th of the taken frames holds. tos is the second byte of its IP header, or its traffic class. ok is false for what no host
// would take: a length that cannot be, a checksum that is wrong. payload is of use until Release.
func (q *Queue) Datagram(i int) (from, local netip.AddrPort, payload []byte, tos uint8, ok bool) {
	at := q.rx.frame(q.from + uint32(i))
	if at.Addr >= uint64(len(q.memory)) || uint64(at.Len) > uint64(len(q.memory))-at.Addr {
		return from, local, nil, 0, false // the kernel's word is checked like any other's
	}
	d, ok := parse(q.memory[at.Addr:][:at.Len])
	return d.from, d.local, d.payload, d.tos, ok
}

// Release gives the memory of the taken frames back, and wakes a driver that waits for memory. It does so too when none was taken, and is to
// be called now and then: a driver may have gone to sleep just after the memory came.
func (q *Queue) Release() {
	next := q.free.producer.Load()
	for i := range q.taken {
		*q.free.place(next + i) = q.rx.frame(q.from+i).Addr &^ (q.chunk - 1)
	}
	q.free.producer.Store(next + q.taken)
	q.rx.consumer.Store(q.from + q.taken)
	q.from, q.taken = q.from+q.taken, 0
	if q.free.waiting() {
		wake(q.fd)
	}
}

// wake asks whether a socket is readable, without waiting: by that the kernel tells the driver that there is memory (its
// Documentation/networking/af_xdp.rst, XDP_USE_NEED_WAKEUP). To receive does it too, since Linux 5.11.
func wake(fd int) (readable bool) {
	poll, now := unix.PollFd{Fd: int32(fd), Events: unix.POLLIN}, unix.Timespec{}
	n, _, errno := unix.RawSyscall6(unix.SYS_PPOLL, uintptr(unsafe.Pointer(&poll)), 1, uintptr(unsafe.Pointer(&now)), 0, 0, 0)
	return errno == 0 && n == 1
}

// Dropped is how many frames were lost since Open because nobody took those before.
func (q *Queue) Dropped() uint64 {
	var s unix.XDPStatistics
	if err := getStruct(q.fd, unix.XDP_STATISTICS, &s); err != nil {
		return 0
	}
	return s.Rx_dropped + s.Rx_ring_full
}

func (q *Queue) close() error {
	errs := []error{q.rx.unmap(), q.free.unmap()}
	if q.fd >= 0 {
		errs = append(errs, unix.Close(q.fd))
	}
	if q.memory != nil {
		errs = append(errs, unix.Munmap(q.memory))
	}
	return errors.Join(errs...)
}
