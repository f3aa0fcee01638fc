package udprelay

import (
	"fmt"
	"net"
	"net/netip"
	"sync"
)

// EngineChoice says what moves the datagrams.
type EngineChoice uint8

// The engines.
const (
	EngineAuto  EngineChoice = iota // EngineFast where the system has it
	EnginePlain                     // Go's own networking, a goroutine a socket, on every system
	EngineFast                      // few event loops, many datagrams a system call; Linux
)

var engineNames = [...]string{EngineAuto: "auto", EnginePlain: "plain", EngineFast: "fast"}

// String is the engine's name in the configuration: auto, plain or fast.
func (e EngineChoice) String() string {
	if int(e) < len(engineNames) {
		return engineNames[e]
	}
	return fmt.Sprintf("engine-%d", uint8(e))
}

// ParseEngine is the engine with a name that String gives.
func ParseEngine(name string) (EngineChoice, error) {
	for e, n := range engineNames {
		if n == name {
			return EngineChoice(e), nil
		}
	}
	return EngineAuto, fmt.Errorf("udprelay: choose engine %q: there is auto, plain and fast", name)
}

// Feature is something that an engine uses where the system has it.
type Feature struct {
	Name string
	On   bool
	Why  string // it is not; empty if it is
}

// EngineInfo says what moves the datagrams of a relay: the engine's name, how many event loops it has (0 of plain), and
// what it does with and without.
type EngineInfo struct {
	Name     string
	Loops    int
	Features []Feature
}

// Engine says what moves the datagrams. It is the same for the whole life of a relay.
func (r *Relay) Engine() EngineInfo { return r.engine }

// choose finds the engine. It starts nothing.
func (r *Relay) choose() error {
	r.engine = EngineInfo{Name: EnginePlain.String()}
	if r.cfg.Engine == EnginePlain {
		return nil
	}
	fast, info, err := newFast(r)
	switch {
	case err == nil:
		r.fast, r.engine = fast, info
	case r.cfg.Engine == EngineFast:
		return fmt.Errorf("udprelay: choose engine fast: %w", err)
	default:
		r.engine.Features = []Feature{{Name: EngineFast.String(), Why: err.Error()}}
	}
	return nil
}

// LoopLoad are the figures of one event loop: the share of the last second that it was busy (0 to 1), what the kernel
// dropped in the last second because the loop had not read the datagrams before it, and, since the start, how often it
// woke up, the datagrams it read, those of them that Steering led to its socket, those that came by a Queue, the calls in which it
// sent, and all that the kernel dropped.
type LoopLoad struct {
	Busy                                                    float64
	DropsPerSecond                                          uint64
	Wakeups, Packets, Led, Bypassed, Batches, KernelDropped uint64
}

// Load are the figures of all event loops; none with the plain engine.
type Load struct{ Loops []LoopLoad }

// Load tells how busy the event loops are.
func (r *Relay) Load() Load {
	if r.fast == nil {
		return Load{}
	}
	return r.fast.load()
}

// Overload is when Reserve refuses: while a loop has been busy for more than Busy percent of the last second (1 to 100),
// or while the kernel has dropped more than Drops datagrams in the last second because a loop had not read them. 0 never
// refuses. The plain engine knows neither.
type Overload struct{ Busy, Drops int }

// reached says what is reached.
func (o Overload) reached(l Load) error {
	var drops uint64
	for i, each := range l.Loops {
		if o.Busy > 0 && each.Busy*100 > float64(o.Busy) {
			return fmt.Errorf("loop %d was busy for %.0f %% of the last second: %w", i, each.Busy*100, ErrOverloaded)
		}
		drops += each.DropsPerSecond
	}
	if o.Drops > 0 && drops > uint64(o.Drops) {
		return fmt.Errorf("the kernel dropped %d datagrams in the last second: %w", drops, ErrOverloaded)
	}
	return nil
}

// mover is the fast engine, as the rest of the relay sees it.
type mover interface {
	// take makes a Conn that a loop can read of one that has a descriptor, and closes that. nil: it has none.
	take(Conn) loopConn
	load() Load
	// close ends the loops and waits for them. Nothing is watched by then.
	close()
}

// loopConn is a Conn that a loop reads. Its Close returns at once.
type loopConn interface {
	Conn
	// watch has a loop, of all that are chosen by number, read for a socket until Close. gone is called when the descriptor
	// is closed.
	watch(s *socket, number int, gone func())
	// writeMarked is WriteToUDPAddrPort with the second byte of the IP header, as far as a relay carries it on; 0 is the socket's own.
	writeMarked(b []byte, to netip.AddrPort, tos uint8) (int, error)
}

// start reads a socket from now on; wg waits until it is closed and nobody uses it any more.
func (s *socket) start(wg *sync.WaitGroup, number int) {
	c, ok := s.conn.(loopConn)
	if !ok {
		wg.Go(s.run)
		return
	}
	wg.Add(1)
	c.watch(s, number, wg.Done)
}

// Conn is one bound UDP socket, the seam between the relay and whatever moves its datagrams. *net.UDPConn is a Conn.
//
// One goroutine reads, several write. After Close every call, also one that is blocked, returns an error for which
// errors.Is(err, net.ErrClosed) is true. If the Conn also has SetReadBuffer and SetWriteBuffer as *net.UDPConn does,
// they are called once, before the first read.
type Conn interface {
	ReadFromUDPAddrPort(b []byte) (n int, from netip.AddrPort, err error)
	WriteToUDPAddrPort(b []byte, to netip.AddrPort) (int, error)
	LocalAddrPort() netip.AddrPort
	Close() error
}

// ListenFunc binds a UDP socket to an address and a port that is never 0. Its errors are expected to wrap the
// syscall.Errno (net.ListenUDP's do): by EADDRINUSE the relay knows that it may try the next pair.
type ListenFunc func(netip.AddrPort) (Conn, error)

// udpConn is the adapter of the plain engine.
type udpConn struct {
	*net.UDPConn
	local netip.AddrPort
}

// LocalAddrPort is the address that the socket is bound to.
func (c *udpConn) LocalAddrPort() netip.AddrPort { return c.local }

// listenUDP is the ListenFunc of a Config that has none.
func listenUDP(at netip.AddrPort) (Conn, error) {
	at = netip.AddrPortFrom(at.Addr().Unmap(), at.Port())
	network := "udp6"
	if at.Addr().Is4() {
		network = "udp4"
	}
	c, err := net.ListenUDP(network, net.UDPAddrFromAddrPort(at))
	if err != nil {
		return nil, err
	}
	return &udpConn{UDPConn: c, local: at}, nil
}
