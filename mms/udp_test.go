package mms

import (
	"fmt"
	"net"
	"net/netip"
	"strings"
	"sync"
	"syscall"

	"mediagate/udprelay"
)

// fakeUDP is the machine's UDP: sockets by port, and what they sent.
type fakeUDP struct {
	mu    sync.Mutex // guards what follows
	full  bool       // every port is taken
	socks map[uint16]*fakeSocket
	out   []string
}

type datagram struct {
	b    []byte
	from netip.AddrPort
}

type fakeSocket struct {
	net    *fakeUDP
	at     netip.AddrPort
	in     chan datagram
	closed chan struct{}
	once   sync.Once
}

func newFakeUDP() *fakeUDP { return &fakeUDP{socks: make(map[uint16]*fakeSocket)} }

func (u *fakeUDP) setFull(full bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.full = full
}

func (u *fakeUDP) listen(at netip.AddrPort) (udprelay.Conn, error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.full && at.Port() >= 20000 || u.socks[at.Port()] != nil {
		return nil, syscall.EADDRINUSE
	}
	s := &fakeSocket{net: u, at: at, in: make(chan datagram), closed: make(chan struct{})}
	u.socks[at.Port()] = s
	return s, nil
}

func (u *fakeUDP) deliver(port uint16, from netip.AddrPort, b []byte) error {
	u.mu.Lock()
	s := u.socks[port]
	u.mu.Unlock()
	if s == nil {
		return fmt.Errorf("no UDP socket at port %d", port)
	}
	select {
	case s.in <- datagram{b, from}:
		return nil
	case <-s.closed:
		return fmt.Errorf("the UDP socket at port %d closes", port)
	}
}

// sent finds how a datagram left: "5004 > 203.0.113.9:50000"; "" if it did not. It is forgotten then.
func (u *fakeUDP) sent(packet []byte) string {
	u.mu.Lock()
	defer u.mu.Unlock()
	for i := len(u.out) - 1; i >= 0; i-- {
		if way, ok := strings.CutSuffix(u.out[i], string(packet)); ok {
			u.out = append(u.out[:i:i], u.out[i+1:]...)
			return strings.TrimSpace(way)
		}
	}
	return ""
}

func (s *fakeSocket) ReadFromUDPAddrPort(b []byte) (int, netip.AddrPort, error) {
	select {
	case d := <-s.in:
		return copy(b, d.b), d.from, nil
	case <-s.closed:
		return 0, netip.AddrPort{}, net.ErrClosed
	}
}

func (s *fakeSocket) WriteToUDPAddrPort(b []byte, to netip.AddrPort) (int, error) {
	s.net.mu.Lock()
	defer s.net.mu.Unlock()
	s.net.out = append(s.net.out, fmt.Sprintf("%d > %s ", s.at.Port(), to)+string(b))
	return len(b), nil
}

func (s *fakeSocket) LocalAddrPort() netip.AddrPort { return s.at }

func (s *fakeSocket) Close() error {
	s.once.Do(func() {
		close(s.closed)
		s.net.mu.Lock()
		defer s.net.mu.Unlock()
		delete(s.net.socks, s.at.Port())
	})
	return nil
}
