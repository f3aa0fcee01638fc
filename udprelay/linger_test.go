package udprelay

import (
	"errors"
	"net"
	"net/netip"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// fakeNet is a ListenFunc whose sockets are channels, for tests in a synctest bubble.
type fakeNet struct {
	mu    sync.Mutex
	bound map[netip.AddrPort]*fakeConn
}

type datagram struct {
	from netip.AddrPort
	b    []byte
	err  error
	n    int // said to be read, if not 0
}

type fakeConn struct {
	net      *fakeNet
	local    netip.AddrPort
	in       chan datagram
	out      chan datagram
	closed   chan struct{}
	writeErr error
}

func (n *fakeNet) listen(at netip.AddrPort) (Conn, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.bound[at] != nil {
		return nil, syscall.EADDRINUSE
	}
	c := &fakeConn{net: n, local: at, in: make(chan datagram), out: make(chan datagram, 100), closed: make(chan struct{})}
	if n.bound == nil {
		n.bound = make(map[netip.AddrPort]*fakeConn)
	}
	n.bound[at] = c
	return c, nil
}

func (n *fakeNet) at(a netip.AddrPort) *fakeConn {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.bound[a]
}

func (c *fakeConn) ReadFromUDPAddrPort(b []byte) (int, netip.AddrPort, error) {
	select {
	case d := <-c.in:
		n := copy(b, d.b)
		return max(n, d.n), d.from, d.err
	case <-c.closed:
		return 0, netip.AddrPort{}, net.ErrClosed
	}
}

func (c *fakeConn) WriteToUDPAddrPort(b []byte, to netip.AddrPort) (int, error) {
	if c.writeErr != nil {
		return 0, c.writeErr
	}
	c.out <- datagram{from: to, b: append([]byte(nil), b...)}
	return len(b), nil
}

func (c *fakeConn) LocalAddrPort() netip.AddrPort { return c.local }

func (c *fakeConn) Close() error {
	c.net.mu.Lock()
	defer c.net.mu.Unlock()
	delete(c.net.bound, c.local)
	close(c.closed)
	return nil
}

// TestLinger: a closed flow's ports are read and counted for the time, and nobody else gets them before.
func TestLinger(t *testing.T) {
	for mode, ports := range map[string]PortRange{"own pair": {20000, 20003}, "shared pair": {5004, 5005}} {
		t.Run(mode, func(t *testing.T) { synctest.Test(t, func(t *testing.T) { testLinger(t, ports) }) })
	}
}

func testLinger(t *testing.T, ports PortRange) {
	var n fakeNet
	h := newHosts()
	r := newRelay(t, Config{ClientPorts: ports, OriginPorts: PortRange{21000, 21001}, Linger: 2 * time.Second, Listen: n.listen})
	f := reserve(t, r, h.spec())
	client, origin := netip.AddrPortFrom(h.client, 30000), netip.AddrPortFrom(h.origin, 40000)
	connect(t, f, Client, Peer{Addr: h.client, RTP: 30000, RTCP: 30001})
	connect(t, f, Origin, Peer{Addr: h.origin, RTP: 40000, RTCP: 40001})
	cs, os := n.at(rtpPort(f.ClientPair())), n.at(rtpPort(f.OriginPair()))
	os.in <- datagram{from: origin, b: packet(1, 1)}
	if d := <-cs.out; d.from != client {
		t.Fatal(d)
	}
	f.Close()
	for range 3 {
		os.in <- datagram{from: origin, b: packet(1, 2)}
		cs.in <- datagram{from: client, b: bare()}
		time.Sleep(600 * time.Millisecond)
		synctest.Wait()
		if _, err := r.Reserve(h.spec()); !errors.Is(err, ErrPortsExhausted) {
			t.Fatalf("a lingering pair was promised: %v", err)
		}
	}
	if got := f.Stats().Drops[DropClosed]; got != 6 || r.InUse() != 1 || len(cs.out)+len(os.out) != 0 {
		t.Errorf("closed %d, in use %d, sent %d", got, r.InUse(), len(cs.out)+len(os.out))
	}
	time.Sleep(200*time.Millisecond - 1)
	synctest.Wait()
	select {
	case <-f.Done():
		t.Error("done before the time")
	default:
	}
	time.Sleep(time.Nanosecond)
	<-f.Done()
	wantFree(t, &n, r, f, client)
	f = reserve(t, r, h.spec())
	f.Close()
	r.Close() // does not wait for the linger
	<-f.Done()
}

// wantFree checks that nothing is left of a flow that is done.
func wantFree(t *testing.T, n *fakeNet, r *Relay, f *Flow, client netip.AddrPort) {
	t.Helper()
	if n.at(rtpPort(f.OriginPair())) != nil || r.InUse() != 0 {
		t.Error("the ports are not free")
	}
	if f.tables != nil {
		n.at(rtpPort(f.ClientPair())).in <- datagram{from: client, b: bare()}
		synctest.Wait()
		if r.Drops()[DropUnknownSource] != 1 {
			t.Error("the flow is still known", r.Drops())
		}
	}
}

// TestRebind: a player that moves on binds the same port again while the old flow lingers: the new one has it.
func TestRebind(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var n fakeNet
		h := newHosts()
		r := newRelay(t, Config{ClientPorts: PortRange{5004, 5005}, Listen: n.listen})
		for range 2 {
			f := reserve(t, r, h.spec())
			connect(t, f, Client, Peer{Addr: h.client, RTP: 30000, RTCP: 30001})
			connect(t, f, Origin, Peer{Addr: h.origin, RTP: 40000, RTCP: 40001})
			for _, port := range []uint16{50000, 30000} { // latched, then as negotiated
				n.at(rtpPort(f.ClientPair())).in <- datagram{from: netip.AddrPortFrom(h.client, port), b: bare()}
				<-n.at(rtpPort(f.OriginPair())).out
			}
			f.Close()
		}
	})
}

// TestFaults: errors of reading and writing are counted by reason and end nothing.
func TestFaults(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var n fakeNet
		h := newHosts()
		r := newRelay(t, Config{Listen: n.listen, Linger: -1})
		f := reserve(t, r, h.spec())
		connect(t, f, Client, Peer{Addr: h.client, RTP: 30000, RTCP: 30001})
		connect(t, f, Origin, Peer{Addr: h.origin, RTP: 40000, RTCP: 40001})
		cs, os := n.at(rtpPort(f.ClientPair())), n.at(rtpPort(f.OriginPair()))
		origin := netip.AddrPortFrom(h.origin, 40000)
		seq := uint16(0)
		for err, want := range map[error]DropReason{
			syscall.ECONNREFUSED: DropWriteRefused, syscall.EMSGSIZE: DropTooLong, syscall.ENOBUFS: DropQueueFull,
			syscall.EAGAIN: DropQueueFull, syscall.EHOSTUNREACH: DropUnreachable, syscall.ENETUNREACH: DropUnreachable,
			syscall.EPERM: DropWriteError, net.ErrClosed: DropClosed,
		} {
			before := f.Stats().Drops[want]
			cs.writeErr = &net.OpError{Op: "write", Err: err}
			seq++
			os.in <- datagram{from: origin, b: packet(1, seq)}
			synctest.Wait()
			if got := f.Stats().Drops[want]; got != before+1 {
				t.Errorf("%v: %d drops for %v", err, got, want)
			}
		}
		cs.writeErr = nil
		for range 20 {
			os.in <- datagram{err: syscall.ENOMEM} // each after a longer pause, in the bubble's time
		}
		os.in <- datagram{from: origin, b: packet(1, seq+1), n: bufferSize}
		os.in <- datagram{from: origin, b: packet(1, seq+1)}
		<-cs.out
		if d := f.Stats().Drops; d[DropReadError] != 20 || d[DropTooLong] != 2 {
			t.Errorf("%v", d)
		}
		os.in <- datagram{err: syscall.ENOMEM}
		f.Close() // while it pauses
		<-f.Done()
	})
}
