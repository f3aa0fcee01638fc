package udprelay

import (
	"net/netip"
	"sync"
	"testing"
	"time"
)

// TestConcurrentUse is for the race detector: flows come, move, are asked and go while packets of all sorts arrive,
// known and unknown, at a pair of their own and a shared one.
func TestConcurrentUse(t *testing.T) {
	for mode, ports := range modes() {
		t.Run(mode, func(t *testing.T) {
			h := newHosts()
			r := newRelay(t, Config{ClientPorts: ports, Linger: time.Millisecond})
			var noise, users sync.WaitGroup
			stop := make(chan struct{})
			client, origin := newEnd(t, h.client, 30000), newEnd(t, h.origin, 40000)
			noise.Go(func() {
				for i := uint16(0); ; i++ {
					select {
					case <-stop:
						return
					default:
					}
					for _, port := range []uint16{ports.Lo, ports.Lo + 1, ports.Lo + 2, ports.Lo + 3} {
						client.WriteToUDPAddrPort(report(1, uint32(i%4), 0, 0), netip.AddrPortFrom(h.toClient, port))
						client.WriteToUDPAddrPort(bare(), netip.AddrPortFrom(h.toClient, port))
						client.WriteToUDPAddrPort(ask(uint32(i%4), uint32(i)), netip.AddrPortFrom(h.toClient, port))
					}
					client.WriteToUDPAddrPort(ask(uint32(i%4), uint32(i)), netip.AddrPortFrom(h.toClient, 1755))
					for port := uint16(21000); port < 21010; port++ {
						origin.WriteToUDPAddrPort(packet(uint32(i%4), i), netip.AddrPortFrom(h.toOrigin, port))
						origin.WriteToUDPAddrPort(data(uint32(i), 4, byte(i)), netip.AddrPortFrom(h.toOrigin, port))
					}
				}
			})
			for n := range 4 {
				users.Go(func() {
					for i := range 30 {
						useFlow(t, r, h, Protocol(i%2), uint16(30000+2*(i%3)), uint32(n))
					}
				})
			}
			users.Wait()
			close(stop)
			noise.Wait()
		})
	}
}

func useFlow(t *testing.T, r *Relay, h hosts, protocol Protocol, port uint16, ssrc uint32) {
	spec := h.spec()
	if protocol == MMS {
		spec.Protocol, spec.Resend = MMS, netip.AddrPortFrom(h.toClient, 1755)
	}
	f, err := r.Reserve(spec)
	if err != nil {
		t.Error(err)
		return
	}
	for _, p := range []uint16{port, port + 10} {
		if err := f.Connect(Client, Peer{Addr: h.client, RTP: p}); err != nil {
			t.Error(err)
		}
		if err := f.Connect(Origin, Peer{Addr: h.origin, Also: []netip.Addr{h.node2}}); err != nil {
			t.Error(err)
		}
		f.AddSSRC(ssrc)
		f.SetClockRate(96, 90000)
		f.SetResend(ssrc, ssrc+1, netip.AddrPortFrom(h.origin, 40000))
		f.CountFrom(4)
		f.Stats()
		f.LastSeen(Origin)
		r.Drops()
	}
	f.Close()
	select {
	case <-f.Done():
	case <-time.After(patience):
		t.Error("the ports are not freed")
	}
}
