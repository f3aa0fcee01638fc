package udprelay

import (
	"fmt"
	"net"
	"net/netip"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"unsafe"

	"go.uber.org/zap"
	"golang.org/x/sys/unix"
)

// fastEngine has the event loops. They are started when the first socket is there, as New starts nothing.
type fastEngine struct {
	relay *Relay
	gro   bool // trains are received as one
	gso   bool // and sent as one
	wg    sync.WaitGroup

	steering Steering      // nil: each socket receives its own
	leading  [][]*fastConn // what it leads to: by family, by loop
	led      atomic.Int32  // ports
	held     holdings      // whose they are
	queues   []*fastConn   // what takes datagrams from interfaces

	mu    sync.Mutex // guards the following
	loops []*loop
	ended bool
	limit int // of loops
}

// maxLoops is more than one process serves.
const maxLoops = 64

// newFast tries what the kernel has, on a socket that is bound to nothing.
func newFast(r *Relay) (mover, EngineInfo, error) {
	e := &fastEngine{relay: r, limit: min(r.cfg.Loops, maxLoops)}
	if e.limit <= 0 {
		e.limit = min(runtime.NumCPU(), maxLoops)
	}
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, EngineInfo{}, fmt.Errorf("open socket: %w", err)
	}
	defer func() { _ = unix.Close(fd) }()
	try := func(name string, option int) Feature {
		if err := unix.SetsockoptInt(fd, unix.SOL_UDP, option, 1); err != nil {
			return Feature{Name: name, Why: err.Error()}
		}
		return Feature{Name: name, On: true}
	}
	receive, send := try("receive-trains", unix.UDP_GRO), try("send-trains", unix.UDP_SEGMENT)
	e.gro, e.gso = receive.On, send.On
	features := append([]Feature{receive, send, e.lead()}, e.bypass()...)
	return e, EngineInfo{Name: EngineFast.String(), Loops: e.limit, Features: features}, nil
}

// startLocked makes the loops. The collector, and all other goroutines, need a processor that no loop keeps.
func (e *fastEngine) startLocked() error {
	if runtime.GOMAXPROCS(0) <= e.limit {
		runtime.GOMAXPROCS(e.limit + 1)
	}
	loops := make([]*loop, 0, e.limit)
	for range e.limit {
		l, err := newLoop(e)
		if err != nil {
			for _, l := range loops {
				l.shut()
			}
			return err
		}
		loops = append(loops, l)
	}
	e.loops = loops
	for i, l := range loops {
		for _, family := range e.leading {
			family[i].loop = l
			l.post(command{conn: family[i], add: true})
		}
		for at := i; at < len(e.queues); at += len(loops) {
			e.queues[at].loop = l
			l.post(command{conn: e.queues[at], add: true})
		}
		e.wg.Go(l.run)
	}
	return nil
}

// take makes the socket of a Conn a loop's. Go's own poller must not have it any more: it would wake for each datagram.
func (e *fastEngine) take(c Conn) loopConn {
	s, ok := c.(syscall.Conn)
	if !ok {
		return nil
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.ended {
		return nil
	}
	if e.loops == nil {
		if err := e.startLocked(); err != nil {
			e.relay.cfg.Logger.Warn("media socket is read without an event loop", zap.Error(err))
			return nil
		}
	}
	fd, err := duplicate(s)
	if err != nil {
		e.relay.cfg.Logger.Warn("media socket is read without an event loop", zap.Error(err))
		return nil
	}
	f := &fastConn{engine: e, fd: fd, local: c.LocalAddrPort()}
	f.refs.Store(1)
	f.prepare()
	if err := c.Close(); err != nil {
		e.relay.cfg.Logger.Warn("media socket did not close", zap.Error(err))
	}
	return f
}

// duplicate is another descriptor of the same socket.
func duplicate(s syscall.Conn) (fd int, err error) {
	raw, err := s.SyscallConn()
	if err != nil {
		return -1, err
	}
	var failed error
	err = raw.Control(func(old uintptr) {
		fd, failed = unix.FcntlInt(old, unix.F_DUPFD_CLOEXEC, 0)
	})
	if err == nil {
		err = failed
	}
	return fd, err
}

func (e *fastEngine) load() Load {
	e.mu.Lock()
	defer e.mu.Unlock()
	var all Load
	for _, l := range e.loops {
		all.Loops = append(all.Loops, l.load())
	}
	return all
}

func (e *fastEngine) close() {
	e.mu.Lock()
	e.ended = true
	loops := e.loops
	e.loops = nil
	e.mu.Unlock()
	for _, l := range loops {
		l.post(command{end: true})
	}
	e.wg.Wait()
	e.unlead()
}

// fastConn is a socket that a loop reads and any loop writes to. Who writes holds a reference for as long, so that the
// number of a closed descriptor is never used for another's.
type fastConn struct {
	engine *fastEngine
	fd     int
	v6     bool // the socket's family; over one of IPv6, IPv4 goes as mapped addresses
	local  netip.AddrPort
	refs   atomic.Int32
	closed atomic.Bool
	leads  bool        // it is a loop's own, and receives for many
	whole  atomic.Bool // it does not fragment

	// Set by watch, before others know of it.
	loop *loop
	sock *socket
	gone func()
	led  bool // its datagrams come to the loop's own socket; the loop ends that

	// The loop's alone.
	slot    int32
	dropped uint32 // as the kernel counts
	failing bool   // the last read failed
	queue   Queue  // what it is, if it is no socket of UDP
	overrun uint64 // of the queue, as far as it was counted
}

func (c *fastConn) LocalAddrPort() netip.AddrPort { return c.local }

// reaches reports whether a destination can be written down for this socket: one of IPv4 has no room for IPv6.
func (c *fastConn) reaches(to netip.AddrPort) bool { return c.v6 || to.Addr().Is4() }

// hold keeps the descriptor open until drop; false if it is closed.
func (c *fastConn) hold() bool {
	for {
		n := c.refs.Load()
		if n == 0 || c.closed.Load() {
			return false
		}
		if c.refs.CompareAndSwap(n, n+1) {
			return true
		}
	}
}

func (c *fastConn) drop() {
	if c.refs.Add(-1) > 0 {
		return
	}
	if err := unix.Close(c.fd); err != nil {
		c.engine.relay.cfg.Logger.Warn("media socket did not close", zap.Stringer("local", c.local), zap.Error(err))
	}
	if c.gone != nil {
		c.gone()
	}
}

// Close returns at once; the loop lets go of the socket soon.
func (c *fastConn) Close() error {
	if c.closed.Swap(true) {
		return net.ErrClosed
	}
	if c.loop == nil {
		c.drop()
		return nil
	}
	c.loop.post(command{conn: c})
	return nil
}

func (c *fastConn) watch(s *socket, number int, gone func()) {
	e := c.engine
	e.mu.Lock()
	l := e.loops[number%len(e.loops)]
	e.mu.Unlock()
	c.sock, c.loop, c.gone = s, l, gone
	l.hold(c) // here, so that it is done before anybody is told the port
	l.post(command{conn: c, add: true})
}

// ReadFromUDPAddrPort is not how a loop reads.
func (c *fastConn) ReadFromUDPAddrPort([]byte) (int, netip.AddrPort, error) {
	return 0, netip.AddrPort{}, net.ErrClosed
}

// WriteToUDPAddrPort sends one datagram, for those who read without a loop.
func (c *fastConn) WriteToUDPAddrPort(b []byte, to netip.AddrPort) (int, error) {
	return c.writeMarked(b, to, 0)
}

func (c *fastConn) writeMarked(b []byte, to netip.AddrPort, tos uint8) (int, error) {
	if !c.hold() {
		return 0, net.ErrClosed
	}
	defer c.drop()
	if !c.reaches(to) {
		return 0, unix.ENETUNREACH
	}
	var name unix.RawSockaddrInet6
	var control [controlSize]byte
	h := unix.Msghdr{Name: (*byte)(unsafe.Pointer(&name)), Namelen: putName(&name, c.v6, to)}
	if tos &= dscpBits; tos != 0 {
		used := 0
		putClass(control[:], &used, to.Addr(), tos)
		h.Control = &control[0]
		h.SetControllen(used)
	}
	if errno := c.sendAgain(h, b); errno != 0 {
		return 0, errno
	}
	return len(b), nil
}
