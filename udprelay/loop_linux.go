package udprelay

import (
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"time"
	"unsafe"

	"go.uber.org/zap"
	"golang.org/x/sys/unix"
)

const (
	// waitAtMost is how long a loop waits in the kernel, in ms: as Go does not know that it waits, it must come back.
	waitAtMost = 10
	// eventsAtOnce bounds a wake-up's work.
	eventsAtOnce = 64
)

// command is told to a loop: read a socket, read it no more, or end.
type command struct {
	conn *fastConn
	add  bool
	end  bool
}

// loop reads its sockets in a thread of its own. What is not guarded or atomic is that thread's.
type loop struct {
	engine  *fastEngine
	poll    int // epoll
	bell    int // eventfd: there are commands
	events  [eventsAtOnce]unix.EpollEvent
	conns   []*fastConn // by slot
	unused  []int32     // slots
	paused  []*fastConn // those that could not be read
	in      *inbox
	came    [inboxSlots]arrival // by the last call
	frames  [framesAtOnce]frame // of the queue that is read
	touched uint64              // kept, so that the compiler leaves what it is the sum of
	out     *batch
	ended   bool

	ticked   time.Time     // when the last second began
	worked   time.Duration // of the thread, by then
	lost     uint64        // dropped by the kernel, by then
	busy     atomic.Uint64 // of the last second, in 1/1000
	perSec   atomic.Uint64 // dropped by the kernel in the last second
	wakeups  atomic.Uint64
	packets  atomic.Uint64
	led      atomic.Uint64
	bypassed atomic.Uint64
	batches  atomic.Uint64
	dropped  atomic.Uint64

	mu   sync.Mutex // guards the following
	todo []command
}

func newLoop(e *fastEngine) (*loop, error) {
	l := &loop{engine: e, in: newInbox(), out: newBatch(e.gso)}
	var err error
	if l.poll, err = unix.EpollCreate1(unix.EPOLL_CLOEXEC); err != nil {
		return nil, fmt.Errorf("udprelay: make event loop: epoll: %w", err)
	}
	if l.bell, err = unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK); err != nil {
		_ = unix.Close(l.poll)
		return nil, fmt.Errorf("udprelay: make event loop: eventfd: %w", err)
	}
	event := unix.EpollEvent{Events: unix.EPOLLIN, Fd: -1}
	if err = unix.EpollCtl(l.poll, unix.EPOLL_CTL_ADD, l.bell, &event); err != nil {
		l.shut()
		return nil, fmt.Errorf("udprelay: make event loop: %w", err)
	}
	return l, nil
}

func (l *loop) shut() {
	_ = unix.Close(l.bell)
	_ = unix.Close(l.poll)
}

// post tells the loop something; it does it soon.
func (l *loop) post(c command) {
	l.mu.Lock()
	l.todo = append(l.todo, c)
	l.mu.Unlock()
	one := [8]byte{1} // any number but 0, in either order of bytes
	_, _ = unix.Write(l.bell, one[:])
}

func (l *loop) run() {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	defer l.shut()
	l.ticked = time.Now()
	for !l.ended {
		l.turn(l.wait())
	}
}

// wait is the wake-up. The call is raw: Go's monitor would poll for a thread that blocks in an ordinary one. A signal of the
// collector ends it.
func (l *loop) wait() int {
	n, _, errno := unix.RawSyscall6(unix.SYS_EPOLL_PWAIT, uintptr(l.poll), uintptr(unsafe.Pointer(&l.events[0])),
		eventsAtOnce, waitAtMost, 0, 0)
	if errno != 0 {
		return 0
	}
	return int(n)
}

// turn is the work of one wake-up. Commands come last, so that no event is of a socket that is gone.
//
//go:noinline
func (l *loop) turn(n int) {
	now := l.engine.relay.cfg.Now()
	rung := false
	if n > 0 {
		l.wakeups.Add(1)
	}
	for i := range n {
		slot := l.events[i].Fd
		if slot < 0 {
			rung = true
			continue
		}
		c := l.conns[slot]
		if l.troubled(c, l.events[i].Events) {
			continue
		}
		if l.events[i].Events&unix.EPOLLERR != 0 {
			c.hear()
		}
		l.read(c, now)
	}
	l.flush()
	if rung {
		l.obey()
	}
	if now.Sub(l.ticked) >= time.Second || now.Before(l.ticked) {
		l.tick(now)
	}
}

func (l *loop) obey() {
	var rings [8]byte
	_, _ = unix.Read(l.bell, rings[:])
	l.mu.Lock()
	todo := l.todo
	l.todo = nil
	l.mu.Unlock()
	for _, c := range todo {
		switch {
		case c.end:
			l.ended = true
		case c.add:
			l.enter(c.conn)
		default:
			l.leave(c.conn)
		}
	}
}

func (l *loop) enter(c *fastConn) {
	if n := len(l.unused); n > 0 {
		c.slot, l.unused = l.unused[n-1], l.unused[:n-1]
		l.conns[c.slot] = c
	} else {
		c.slot = int32(len(l.conns))
		l.conns = append(l.conns, c)
	}
	l.listen(c)
}

func (l *loop) listen(c *fastConn) {
	event := unix.EpollEvent{Events: unix.EPOLLIN, Fd: c.slot}
	if err := unix.EpollCtl(l.poll, unix.EPOLL_CTL_ADD, c.fd, &event); err != nil {
		l.fail(c, err)
	}
}

// leave ends the reading of a socket for good.
func (l *loop) leave(c *fastConn) {
	l.release(c)
	_ = unix.EpollCtl(l.poll, unix.EPOLL_CTL_DEL, c.fd, nil) // not there if it is paused
	l.conns[c.slot] = nil
	l.unused = append(l.unused, c.slot)
	for i, p := range l.paused {
		if p == c {
			l.paused[i] = nil
		}
	}
	c.drop()
}

// fail rests a socket that cannot be read until the next tick: an error that comes back at once must not spin.
func (l *loop) fail(c *fastConn, err error) {
	c.sock.drops.add(DropReadError)
	if !c.failing {
		l.engine.relay.cfg.Logger.Warn("media socket cannot be read, trying again", zap.Stringer("local", c.local), zap.Error(err))
	}
	c.failing = true
	_ = unix.EpollCtl(l.poll, unix.EPOLL_CTL_DEL, c.fd, nil)
	l.paused = append(l.paused, c)
}

// tick is once a second: figures, and another try for those that could not be read.
func (l *loop) tick(now time.Time) {
	var use unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_THREAD, &use); err == nil {
		worked := time.Duration(use.Utime.Nano() + use.Stime.Nano())
		if passed := now.Sub(l.ticked); passed > 0 {
			l.busy.Store(uint64((worked - l.worked) * 1000 / passed))
		}
		l.worked = worked
	}
	l.overruns()
	lost := l.dropped.Load()
	l.perSec.Store(lost - l.lost)
	l.lost, l.ticked = lost, now
	paused := l.paused
	l.paused = nil
	for _, c := range paused {
		if c != nil {
			l.listen(c)
		}
	}
}

func (l *loop) load() LoopLoad {
	return LoopLoad{
		Busy: float64(l.busy.Load()) / 1000, DropsPerSecond: l.perSec.Load(), Wakeups: l.wakeups.Load(),
		Packets: l.packets.Load(), Led: l.led.Load(), Bypassed: l.bypassed.Load(), Batches: l.batches.Load(), KernelDropped: l.dropped.Load(),
	}
}
