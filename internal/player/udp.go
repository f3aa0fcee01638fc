package player

import (
	"fmt"
	"net"
	"net/netip"
	"time"
)

// pairTries is how often a free even port with a free one above it is looked for.
const pairTries = 64

// pair is two UDP sockets of ours, RTP on an even port and RTCP above it.
type pair struct {
	rtp, rtcp  *net.UDPConn
	port       uint16
	serverRTCP uint16 // the origin's RTCP port, 0 if it named none
	clock      int    // of the stream, 0 for the resend stream
}

// openPair binds a pair at addr; port 0 takes a free one.
func openPair(addr netip.Addr, port uint16) (*pair, error) {
	var err error
	for range pairTries {
		p := &pair{port: port}
		if p.rtp, err = listen(addr, port); err != nil {
			return nil, err
		}
		p.port = p.rtp.LocalAddr().(*net.UDPAddr).AddrPort().Port()
		if port == 0 && p.port%2 != 0 {
			err = fmt.Errorf("player: listen on udp %s: only odd ports free", addr)
			p.close()
			continue
		}
		if p.rtcp, err = listen(addr, p.port+1); err == nil {
			return p, nil
		}
		p.close()
		if port != 0 {
			break
		}
	}
	return nil, err
}

func listen(addr netip.Addr, port uint16) (*net.UDPConn, error) {
	at := netip.AddrPortFrom(addr, port)
	c, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(at))
	if err != nil {
		return nil, fmt.Errorf("player: listen on udp %s: %w", at, err)
	}
	_ = c.SetReadBuffer(1 << 20) // the system's limit may be lower
	return c, nil
}

// close closes both sockets. The errors are of sockets that nobody will use again.
func (p *pair) close() {
	for _, c := range []*net.UDPConn{p.rtp, p.rtcp} {
		if c != nil {
			_ = c.Close()
		}
	}
}

// clientPort is the parameter of a Transport field.
func (p *pair) clientPort() string { return fmt.Sprintf("client_port=%d-%d", p.port, p.port+1) }

// newPair opens the n-th pair of the run and reads it.
func (r *run) newPair(n int) (*pair, error) {
	port := r.o.ClientPort
	if port != 0 {
		port += uint16(2 * n)
	}
	p, err := openPair(r.local, port)
	if err != nil {
		return nil, err
	}
	r.pairs = append(r.pairs, p)
	r.wg.Go(func() { r.readUDP(p, p.rtp, false) })
	r.wg.Go(func() { r.readUDP(p, p.rtcp, true) })
	return p, nil
}

// readUDP reads a socket until it is closed. Packets of others than the origin are no media of ours.
func (r *run) readUDP(p *pair, c *net.UDPConn, control bool) {
	b := make([]byte, 1<<16)
	for {
		n, from, err := c.ReadFromUDPAddrPort(b)
		if err != nil {
			select {
			case <-r.done:
				return
			default:
				continue // an ICMP error of an earlier packet, not of the socket
			}
		}
		from = netip.AddrPortFrom(from.Addr().Unmap(), from.Port())
		e := event{packet: append([]byte(nil), b[:n]...), control: control, from: from, pair: p, at: time.Now()}
		if from.Addr() == r.origin && !r.offer(e) {
			return
		}
	}
}
