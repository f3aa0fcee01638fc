package origin

import (
	"net"
	"net/netip"
	"time"
)

// receive reads one socket of the pair until it is closed. What comes to the RTP port opens the way of somebody's
// firewall at most; the RTCP port takes resend requests. [MS-RTSP] 3.2.5.10.
func (s *Server) receive(c *net.UDPConn, rtcp bool) {
	b := make([]byte, 2048)
	for {
		n, from, err := c.ReadFromUDPAddrPort(b)
		if err != nil {
			select {
			case <-s.done:
				return
			default:
				continue // an ICMP error of an earlier packet, not of the socket
			}
		}
		if rtcp {
			s.resend(b[:n], netip.AddrPortFrom(from.Addr().Unmap(), from.Port()))
		}
	}
}

// resend answers one RTCP packet. What is no resend request of a session of ours is recorded if it has a CNAME of the
// kind, and else ignored, as [MS-RTSP] 3.2.5.10 has it.
func (s *Server) resend(b []byte, from netip.AddrPort) {
	cname, sequences := parseNack(b)
	ssrc, ok := nackSSRC(cname)
	if !ok || len(sequences) == 0 {
		return
	}
	n := Nack{From: from, CNAME: cname, Sequences: sequences}
	s.mu.Lock()
	var e *session
	for _, o := range s.sessions {
		if o.isRTX(ssrc) {
			e = o
		}
	}
	s.mu.Unlock()
	if e != nil {
		packets, to := e.lost(sequences)
		n.Resent = len(packets)
		for _, p := range packets {
			s.send(p, to)
		}
	}
	s.seen.nack(n)
}

// send writes a packet from the RTP port. A packet that could not be sent is a packet lost on its way.
func (s *Server) send(packet []byte, to netip.AddrPort) {
	_, _ = s.rtp.WriteToUDPAddrPort(packet, to)
}

// sendRTCP writes a packet from the RTCP port.
func (s *Server) sendRTCP(packet []byte, to netip.AddrPort) {
	_ = s.rtcp.SetWriteDeadline(time.Now().Add(time.Second))
	_, _ = s.rtcp.WriteToUDPAddrPort(packet, to)
}

// closeAll closes what is open. The errors are of sockets that nobody will use again.
func closeAll(l *net.TCPListener, conns ...*net.UDPConn) {
	if l != nil {
		_ = l.Close()
	}
	for _, c := range conns {
		if c != nil {
			_ = c.Close()
		}
	}
}
