package udprelay

import (
	"net/netip"
	"testing"

	"golang.org/x/sys/unix"
)

// TestDSCPByQueue: what comes by a Queue is marked as what comes by a socket.
func TestDSCPByQueue(t *testing.T) {
	for name, tt := range map[string]struct {
		marking Marking
		want    int
	}{
		"kept": {Marking{}, 46 << 2}, "set": {Marking{Set: true, DSCP: 34}, 34 << 2}, "set to 0": {Marking{Set: true}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			q, h := newFakeQueue(t), newHosts()
			b := &fakeBypass{queues: []Queue{q}}
			r := newRelay(t, Config{Engine: EngineFast, Linger: -1, Marking: tt.marking, Steer: func(SteerSpec) (Steering, error) { return b, nil }})
			f, client := reserve(t, r, h.spec()), newEnd(t, h.client, 0)
			connect(t, f, Client, Peer{Addr: h.client, RTP: client.addr().Port()})
			connect(t, f, Origin, Peer{Addr: h.origin, RTP: 5004})
			setInt(t, client.UDPConn, h.client, unix.IP_RECVTOS, unix.IPV6_RECVTCLASS, 1)
			q.put(given{from: netip.AddrPortFrom(h.origin, 5004), local: rtpPort(f.OriginPair()), b: packet(7, 1), tos: 46<<2 | 1})
			if got := class(t, client.UDPConn); got != tt.want {
				t.Errorf("class %#x, want %#x", got, tt.want)
			}
		})
	}
}

// TestDSCPHeld: what waited is marked as what did not.
func TestDSCPHeld(t *testing.T) {
	for name, h := range map[string]hosts{"IPv4": newHosts(), "IPv6": hosts6()} {
		t.Run(name, func(t *testing.T) {
			g := newStage(t, newRelay(t, Config{Engine: EngineFast, Linger: -1}), h, 0, 0)
			setInt(t, g.origin.UDPConn, h.origin, unix.IP_TOS, unix.IPV6_TCLASS, 46<<2|1)
			setInt(t, g.client.UDPConn, h.client, unix.IP_RECVTOS, unix.IPV6_RECVTCLASS, 1)
			g.f.Hold()
			g.origin.send(rtpPort(g.f.OriginPair()), data(0, 2, 4))
			g.arrived(t, 1)
			g.f.Release()
			g.origin.send(rtpPort(g.f.OriginPair()), data(1, 2, 4))
			for range 2 {
				if got := class(t, g.client.UDPConn); got != 46<<2 {
					t.Errorf("class %#x, want %#x", got, 46<<2)
				}
			}
		})
	}
}
