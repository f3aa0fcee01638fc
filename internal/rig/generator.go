//go:build linux

package main

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"runtime"
	"sync/atomic"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// load is what the generator sends.
type load struct {
	Flows    int           `json:"flows"`
	Size     int           `json:"bytes"`   // UDP payload, headerSize+channelHeader to 1472
	Rate     int           `json:"rate"`    // packets a second over all flows; 0: as fast as one thread can
	Burst    int           `json:"burst"`   // packets back to back of one flow; 1: singly, over the flows in turn
	Tick     time.Duration `json:"tick_ns"` // packets leave at its multiples, as a network card's interrupts come; 0: each alone
	Patience time.Duration `json:"-"`       // for packets that are missing in the end
}

// The payload begins with an RTP header (RFC 3550, section 5.1), so that a relay's meters run, then the number of the
// packet in its flow and the time when it was sent.
const (
	numberAt   = 12
	sentAt     = 16
	headerSize = 24
	clockRate  = 90000
	payloadMP2 = 33 // MPEG transport stream (RFC 3551, section 6)
)

// slots is how many packets one system call sends.
const slots = 64

// mmsghdr is struct mmsghdr of sendmmsg(2).
type mmsghdr struct {
	hdr unix.Msghdr
	len uint32
	_   [4]byte
}

// generator sends from the origin's media port. One thread runs it.
type generator struct {
	fd    int
	load  load
	ssrc  uint32 // of flow 0
	to    []unix.RawSockaddrInet4
	next  []uint32 // number of the next packet, per flow
	sent  atomic.Uint64
	late  atomic.Uint64 // packets that left more than a millisecond after their time
	quit  atomic.Bool
	msgs  [slots]mmsghdr
	iovs  [slots]unix.Iovec
	bytes [slots][]byte
}

// newGenerator binds the socket in the origin's namespace.
func newGenerator(l load, ssrc uint32, to []netip.AddrPort) (*generator, error) {
	g := &generator{load: l, ssrc: ssrc, next: make([]uint32, len(to)), to: make([]unix.RawSockaddrInet4, len(to))}
	for i, a := range to {
		g.to[i] = unix.RawSockaddrInet4{Family: unix.AF_INET, Addr: a.Addr().As4()}
		binary.BigEndian.PutUint16((*[2]byte)(unsafe.Pointer(&g.to[i].Port))[:], a.Port())
	}
	for i := range slots {
		g.bytes[i] = make([]byte, l.Size)
		g.iovs[i].Base = &g.bytes[i][0]
		g.iovs[i].SetLen(l.Size)
		g.msgs[i].hdr.Iov = &g.iovs[i]
		g.msgs[i].hdr.SetIovlen(1)
		g.msgs[i].hdr.Namelen = unix.SizeofSockaddrInet4
	}
	err := inside(originHost, func() (err error) {
		if g.fd, err = unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0); err != nil {
			return err
		}
		if err = unix.SetsockoptInt(g.fd, unix.SOL_SOCKET, unix.SO_SNDBUFFORCE, 8<<20); err != nil {
			return err
		}
		return unix.Bind(g.fd, &unix.SockaddrInet4{Port: mediaPort, Addr: originAddr.As4()})
	})
	if err != nil {
		return nil, fmt.Errorf("rig: open generator: %w", err)
	}
	return g, nil
}

// fill writes packet k of the whole into a slot.
func (g *generator) fill(slot int, flow int, now int64) {
	n, b := g.next[flow], g.bytes[slot]
	g.next[flow]++
	b[0], b[1] = 2<<6, payloadMP2
	binary.BigEndian.PutUint16(b[2:], uint16(n))
	binary.BigEndian.PutUint32(b[4:], uint32(now/1000*clockRate/1000000))
	binary.BigEndian.PutUint32(b[8:], g.ssrc+uint32(flow))
	binary.BigEndian.PutUint32(b[numberAt:], n)
	binary.BigEndian.PutUint64(b[sentAt:], uint64(now))
	g.msgs[slot].hdr.Name = (*byte)(unsafe.Pointer(&g.to[flow]))
}

// flush sends the first n slots.
func (g *generator) flush(n int) error {
	for at := 0; at < n; {
		done, _, errno := unix.RawSyscall6(unix.SYS_SENDMMSG, uintptr(g.fd), uintptr(unsafe.Pointer(&g.msgs[at])), uintptr(n-at), 0, 0, 0)
		switch {
		case errno == unix.EINTR:
		case errno != 0:
			return fmt.Errorf("rig: send: %w", errno)
		default:
			at += int(done)
		}
	}
	g.sent.Add(uint64(n))
	return nil
}

// prime sends a few packets to each flow, slowly: connections of NAT and sources of RTP are known before it counts.
func (g *generator) prime() error {
	for range primes {
		for flow := range g.to {
			g.fill(0, flow, now())
			if err := g.flush(1); err != nil {
				return err
			}
			if flow%8 == 7 {
				nap(time.Millisecond)
			}
		}
	}
	g.sent.Store(0)
	return nil
}

// primes is how many packets per flow are sent before the count begins. RFC 3550, section A.1: a source is valid after
// two in order.
const primes = 3

// run sends until quit. It pins its thread.
func (g *generator) run() error {
	runtime.LockOSThread()
	if err := pin(0, trafficCore); err != nil {
		return err
	}
	// The kernel may otherwise put off the end of a sleep by 50 us.
	if err := unix.Prctl(unix.PR_SET_TIMERSLACK, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("rig: set timer slack: %w", err)
	}
	start := now()
	for k := 0; !g.quit.Load(); {
		due := slots
		if g.load.Rate > 0 {
			if due = min(slots, g.due(now()-start)-k); due <= 0 {
				g.rest(start, k)
				continue
			}
			if start+g.when(k)+int64(time.Millisecond) < now() {
				g.late.Add(uint64(due))
			}
		}
		at := now()
		for i := range due {
			g.fill(i, (k+i)/g.load.Burst%len(g.to), at)
		}
		if err := g.flush(due); err != nil {
			return err
		}
		k += due
	}
	return nil
}

// when is the time of packet k after the start, in ns.
func (g *generator) when(k int) int64 {
	burst := int64(k / g.load.Burst * g.load.Burst)
	t := burst * int64(time.Second) / int64(g.load.Rate)
	if tick := int64(g.load.Tick); tick > 0 {
		t = (t + tick - 1) / tick * tick
	}
	return t
}

// due is how many packets should have left after so many ns.
func (g *generator) due(after int64) int {
	if tick := int64(g.load.Tick); tick > 0 {
		after -= after % tick
	}
	n := int(after*int64(g.load.Rate)/int64(time.Second)) + 1
	return (n + g.load.Burst - 1) / g.load.Burst * g.load.Burst
}

// rest sleeps until packet k is due. A raw system call: the scheduler of Go would make the wake-up late.
func (g *generator) rest(start int64, k int) {
	if d := start + g.when(k) - now(); d > 0 {
		nap(time.Duration(d))
	}
}

func nap(d time.Duration) {
	ts := unix.NsecToTimespec(int64(d))
	// An interrupted sleep is looked at anew by the caller.
	_, _, _ = unix.RawSyscall(unix.SYS_NANOSLEEP, uintptr(unsafe.Pointer(&ts)), 0, 0)
}

// now is the time in ns by the clock that the sink's program reads too.
func now() int64 {
	var ts unix.Timespec
	_ = unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts) // it cannot fail: the clock exists
	return ts.Nano()
}

func (g *generator) close() { _ = unix.Close(g.fd) }
