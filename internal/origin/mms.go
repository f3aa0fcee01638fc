package origin

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"sync"
	"time"

	"go.uber.org/zap"
	"mediagate/mms/mmswire"
)

// DefaultMMSPort is where clients look for MMS, over TCP, and for resends over UDP. [MS-MMSP] 1.9.
const DefaultMMSPort = 1755

const (
	maxMMS      = 1024 // connections at a time; what comes on top is closed at once
	bindAgain   = 20   // tries to find a port that is free over TCP and UDP
	resendLimit = 500  // packets a second for one client; [MS-MMSP] 5.1 wants some limit
)

// mms is the MMS half of a Server: a TCP listener, and a UDP socket for resend requests at the same port. Media over UDP
// leave from the Server's RTP socket. [MS-MMSP] 3.2.
type mms struct {
	server   *Server
	patience time.Duration // wholeMessage, but in tests

	mu       sync.Mutex // guards what follows; never held over I/O
	listener *net.TCPListener
	udp      *net.UDPConn
	conns    map[uint32]*mmsConn // by Client-ID, which is random: [MS-MMSP] 3.2.3 and 5.1
}

func newMMS(s *Server) *mms {
	return &mms{server: s, patience: wholeMessage, conns: map[uint32]*mmsConn{}}
}

// bind takes both sockets or none. [MS-MMSP] 3.2.5.11.1: resend requests come to the UDP port with the TCP port's number.
func (m *mms) bind(at netip.AddrPort) error {
	for n := 0; ; n++ {
		tcp, err := net.ListenTCP("tcp", net.TCPAddrFromAddrPort(at))
		if err != nil {
			return fmt.Errorf("origin: listen on %s: %w", at, err)
		}
		bound := netip.AddrPortFrom(at.Addr(), tcp.Addr().(*net.TCPAddr).AddrPort().Port())
		udp, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(bound))
		if err == nil {
			m.mu.Lock()
			m.listener, m.udp = tcp, udp
			m.mu.Unlock()
			return nil
		}
		closeAll(tcp)
		if at.Port() != 0 || n == bindAgain {
			return fmt.Errorf("origin: listen on udp %s: %w", bound, err)
		}
	}
}

// start serves what bind has bound.
func (m *mms) start() {
	m.server.wg.Go(m.accept)
	m.server.wg.Go(m.receive)
}

// close ends both sockets and all connections; their goroutines are waited for by the Server.
func (m *mms) close() {
	m.mu.Lock()
	closeAll(m.listener, m.udp)
	conns := make([]*mmsConn, 0, len(m.conns))
	for _, c := range m.conns {
		conns = append(conns, c)
	}
	m.mu.Unlock()
	for _, c := range conns {
		c.close()
	}
}

func (m *mms) addr() netip.AddrPort {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.listener == nil {
		return m.server.cfg.MMS
	}
	return m.listener.Addr().(*net.TCPAddr).AddrPort()
}

// accept takes connections until the listener is closed.
func (m *mms) accept() {
	for {
		tcp, err := m.listener.AcceptTCP()
		if err != nil {
			select {
			case <-m.server.done:
				return
			case <-time.After(100 * time.Millisecond): // out of descriptors: try again a little later
				continue
			}
		}
		if c := m.newConn(tcp); c != nil {
			m.server.wg.Go(c.serve)
		} else {
			_ = tcp.Close() // nobody has used it
		}
	}
}

// newConn registers a connection under a number of its own; nil if there are too many, or the Server is closing: then
// close has seen the table, or will see this connection in it.
func (m *mms) newConn(tcp *net.TCPConn) *mmsConn {
	m.mu.Lock()
	defer m.mu.Unlock()
	select {
	case <-m.server.done:
		return nil
	default:
	}
	if len(m.conns) >= maxMMS {
		m.server.log.Warn("too many mms connections", zap.Int("limit", maxMMS))
		return nil
	}
	id := random32()
	for m.conns[id] != nil || id == 0 {
		id = random32()
	}
	c := newMMSConn(m, tcp, id)
	m.conns[id] = c
	return c
}

func (m *mms) forget(c *mmsConn) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.conns, c.id)
}

func (m *mms) count() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.conns)
}

// receive takes resend requests until the socket is closed.
func (m *mms) receive() {
	b := make([]byte, 2048)
	for {
		n, from, err := m.udp.ReadFromUDPAddrPort(b)
		if err != nil {
			if errors.Is(err, net.ErrClosed) {
				return
			}
			continue // an ICMP error of an earlier packet, not of the socket
		}
		m.resend(b[:n], netip.AddrPortFrom(from.Addr().Unmap(), from.Port()))
	}
}

// resend sends packets again that a client has lost, to the port where it gets its media. [MS-MMSP] 3.2.5.13. The sender
// is not looked at, as there: the number is secret enough, and a client may stand behind more than one address.
func (m *mms) resend(b []byte, from netip.AddrPort) {
	q, err := mmswire.ParseResend(b)
	if err != nil {
		return
	}
	r := Resend{From: from, ClientID: q.ClientID, SourceID: q.SourceID, Packets: q.Packets}
	m.mu.Lock()
	c := m.conns[q.ClientID]
	m.mu.Unlock()
	if c != nil && q.SourceID == openFileID {
		packets, to := c.lost(q.Packets, time.Now())
		r.Resent = len(packets)
		for _, d := range packets {
			m.server.send(mmswire.AppendData(nil, d), to)
		}
	}
	m.server.seen.resend(r)
	m.server.log.Debug("mms resend request", zap.Stringer("client", from), zap.Int("packets", len(r.Packets)), zap.Int("resent", r.Resent))
}

// MMSAddr is the bound MMS address; before Start it is the configured one, and not valid if there is none.
func (s *Server) MMSAddr() netip.AddrPort {
	if s.mms == nil {
		return netip.AddrPort{}
	}
	return s.mms.addr()
}

// MMSURL is the mms:// address of path at this origin, or empty if it speaks no MMS.
func (s *Server) MMSURL(path string) string {
	if s.mms == nil {
		return ""
	}
	return "mms://" + s.MMSAddr().String() + "/" + strings.TrimPrefix(path, "/")
}
