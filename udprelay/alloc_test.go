package udprelay

import (
	"net"
	"net/netip"
	"testing"
)

// nullConn takes what is written and has nothing to read.
type nullConn struct {
	local  netip.AddrPort
	closed chan struct{}
}

func listenNull(at netip.AddrPort) (Conn, error) { return &nullConn{at, make(chan struct{})}, nil }

func (c *nullConn) ReadFromUDPAddrPort([]byte) (int, netip.AddrPort, error) {
	<-c.closed
	return 0, netip.AddrPort{}, net.ErrClosed
}
func (c *nullConn) WriteToUDPAddrPort(b []byte, _ netip.AddrPort) (int, error) { return len(b), nil }
func (c *nullConn) LocalAddrPort() netip.AddrPort                              { return c.local }
func (c *nullConn) Close() error                                               { close(c.closed); return nil }

// TestForwardAllocates: a packet costs no allocation, in either mode, of either kind, passed on or dropped.
func TestForwardAllocates(t *testing.T) {
	for mode, ports := range modes() {
		h := newHosts()
		r := newRelay(t, Config{ClientPorts: ports, Linger: -1, Listen: listenNull})
		f := reserve(t, r, h.spec())
		connect(t, f, Client, Peer{Addr: h.client, RTP: 30000, RTCP: 30001})
		connect(t, f, Origin, Peer{Addr: h.origin, RTP: 40000, RTCP: 40001})
		f.AddSSRC(7)
		client, origin := netip.AddrPortFrom(h.client, 30000), netip.AddrPortFrom(h.origin, 40000)
		clientRTCP := netip.AddrPortFrom(h.client, 30001)
		seq := uint16(0)
		media, control, resend, hole := packet(1, 0), report(1, 7, 0, 0), nack(wmsCNAME(7)), bare()
		c, o := f.legs[Client].sock, f.legs[Origin].sock
		c[rtp].handle(hole, false, client) // or the wrong port would be learned
		for name, send := range map[string]func(){
			"media":         func() { seq++; media[2], media[3] = byte(seq>>8), byte(seq); o[rtp].handle(media, false, origin) },
			"report":        func() { c[rtcp].handle(control, false, clientRTCP) },
			"resend":        func() { c[rtcp].handle(resend, false, clientRTCP) },
			"back":          func() { c[rtp].handle(hole, false, client) },
			"noise":         func() { c[rtp].handle(media[20:], false, client) },
			"wrong port":    func() { c[rtp].handle(hole, false, netip.AddrPortFrom(h.client, 9)) },
			"wrong address": func() { c[rtcp].handle(control, false, netip.AddrPortFrom(h.attacker, 30001)) },
		} {
			send() // what is learned from the first packet is
			if n := testing.AllocsPerRun(1000, send); n != 0 {
				t.Errorf("%s, %s: %v allocations per packet", mode, name, n)
			}
		}
		if s := f.Stats(); s.ToClient.Packets != 1002 || s.ToOrigin.Packets != 3*1002+1 {
			t.Errorf("%s: not forwarded: %+v", mode, s)
		}
	}
}
