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

// TestMMSAllocates: the same for a flow of MMS, whose request gets another ID in the reader's own buffer.
func TestMMSAllocates(t *testing.T) {
	for mode, ports := range modes() {
		h := newHosts()
		r := newRelay(t, Config{ClientPorts: ports, Linger: -1, Listen: listenNull})
		resend := netip.AddrPortFrom(h.toClient, 1755)
		spec := h.spec()
		spec.Protocol, spec.Resend = MMS, resend
		var flows []*Flow
		for i := range uint16(2) { // two of one client
			f := reserve(t, r, spec)
			connect(t, f, Client, Peer{Addr: h.client, RTP: vlcPort + i})
			connect(t, f, Origin, Peer{Addr: h.origin, RTP: 5004})
			f.SetResend(7+uint32(i), 70, netip.AddrPortFrom(h.origin, 1755))
			f.CountFrom(4)
			flows = append(flows, f)
		}
		f := flows[0]
		client, origin := netip.AddrPortFrom(h.client, vlcPort), netip.AddrPortFrom(h.origin, 5004)
		n := uint32(0)
		media, old, header, request, wrong := data(0, 4, 0), data(0, 4, 0), data(0, 2, 0x0c), ask(7, 1, 2, 3), ask(9, 1)
		c, o, q := f.legs[Client].sock, f.legs[Origin].sock, r.asked[resend].sock
		next := func() { n++; media[0], media[1], media[5] = byte(n), byte(n>>8), byte(n) }
		for name, send := range map[string]func(){
			"media":         func() { next(); o[rtp].handle(media, false, origin) },
			"duplicate":     func() { o[rtp].handle(old, false, origin) },
			"header":        func() { o[rtp].handle(header, false, origin) },
			"noise":         func() { o[rtp].handle(media[:9], false, origin) },
			"request":       func() { putMMSClientID(request, 7); q.handle(request, false, client) },
			"request, 5004": func() { putMMSClientID(request, 7); c[rtp].handle(request, false, client) },
			"wrong ID":      func() { q.handle(wrong, false, client) },
			"hole":          func() { c[rtp].handle(header[:4], false, client) },
			"nobody":        func() { q.handle(request, false, netip.AddrPortFrom(h.attacker, vlcPort)) },
		} {
			send() // what is learned from the first packet is
			if n := testing.AllocsPerRun(1000, send); n != 0 {
				t.Errorf("%s, %s: %v allocations per packet", mode, name, n)
			}
		}
		if s := f.Stats(); s.ToClient.Packets != 3*1002 || s.ToOrigin.Packets+s.Drops[DropResendFlood] != 2*1002 {
			t.Errorf("%s: not forwarded: %+v", mode, s)
		}
	}
}
