package udprelay

import (
	"testing"
)

// rig is a connected flow with its ends; the client is behind a NAT that gives it other ports.
type rig struct {
	h                  hosts
	f                  *Flow
	natRTP, natRTCP    *end // where the client's packets come from
	ortp, ortcp        *end
	toClient, toOrigin PortPair
}

func newRig(t *testing.T, r *Relay, h hosts, publish bool) *rig {
	t.Helper()
	spec := h.spec()
	spec.Publish = publish
	f := reserve(t, r, spec)
	connect(t, f, Client, Peer{Addr: h.client, RTP: 30000, RTCP: 30001})
	connect(t, f, Origin, Peer{Addr: h.origin, RTP: 40000, RTCP: 40001})
	return &rig{
		h: h, f: f, natRTP: newEnd(t, h.client, 50000), natRTCP: newEnd(t, h.client, 50001),
		ortp: newEnd(t, h.origin, 40000), ortcp: newEnd(t, h.origin, 40001),
		toClient: f.ClientPair(), toOrigin: f.OriginPair(),
	}
}

// media sends a packet from the origin and expects it at an end.
func (g *rig) media(seq uint16, at *end) {
	at.t.Helper()
	g.ortp.send(rtpPort(g.toOrigin), packet(77, seq))
	at.want(rtpPort(g.toClient), packet(77, seq))
}

// TestLatch: a client behind a NAT is followed once, to its own address only.
func TestLatch(t *testing.T) {
	for mode, ports := range modes() {
		t.Run(mode, func(t *testing.T) {
			h := newHosts()
			r := newRelay(t, Config{ClientPorts: ports, Linger: -1})
			g := newRig(t, r, h, false)
			dropped := func(n uint64, why DropReason) {
				t.Helper()
				eventually(t, why.String(), func() bool { return r.Drops()[why]+g.f.Stats().Drops[why] == n })
			}
			// RTP Bleed: another address, before the client was heard and after, with all that an attacker may guess.
			evil, evilRTCP := newEnd(t, h.attacker, 30000), newEnd(t, h.attacker, 30001)
			evil.send(rtpPort(g.toClient), bare())
			evilRTCP.send(rtcpPort(g.toClient), report(1, 77, 0, 0))
			dropped(2, DropUnknownSource)

			g.natRTP.send(rtpPort(g.toClient), bare())
			g.ortp.want(rtpPort(g.toOrigin), bare())
			g.media(1, g.natRTP)
			evil.send(rtpPort(g.toClient), bare())
			evilRTCP.send(rtcpPort(g.toClient), report(1, 77, 0, 0))
			dropped(4, DropUnknownSource)

			// The same address, another port: not a second time, and not by RTCP that proves nothing.
			second, secondRTCP := newEnd(t, h.client, 51000), newEnd(t, h.client, 51001)
			g.natRTCP.send(rtcpPort(g.toClient), emptyReport())
			g.ortcp.want(rtcpPort(g.toOrigin), emptyReport())
			second.send(rtpPort(g.toClient), bare())
			secondRTCP.send(rtcpPort(g.toClient), report(1, 78, 0, 0))
			secondRTCP.send(rtcpPort(g.toClient), emptyReport())
			dropped(3, DropWrongPort)
			g.media(2, g.natRTP)

			// RTCP that names the media's SSRC proves the client: RTCP moves, and RTP once with it.
			secondRTCP.send(rtcpPort(g.toClient), report(1, 77, 0, 0))
			g.ortcp.want(rtcpPort(g.toOrigin), report(1, 77, 0, 0))
			second.send(rtpPort(g.toClient), bare())
			g.ortp.want(rtpPort(g.toOrigin), bare())
			g.media(3, second)
			g.natRTP.send(rtpPort(g.toClient), bare())
			dropped(4, DropWrongPort)
			g.media(4, second)
		})
	}
}

// TestLatchNoise: what GStreamer sends to open a NAT shows the client's port and goes no further.
func TestLatchNoise(t *testing.T) {
	h := newHosts()
	g := newRig(t, newRelay(t, Config{ClientPorts: PortRange{5004, 5005}, Linger: -1}), h, false)
	g.natRTP.send(rtpPort(g.toClient), []byte{0xfe, 0xed, 0xfa, 0xce})
	wantDrops(t, g.f, DropNotRTP, 1)
	g.media(1, g.natRTP)
	if got := g.f.Stats().ToOrigin.Packets; got != 0 {
		t.Errorf("%d packets reached the origin", got)
	}
}

func TestLatchOff(t *testing.T) {
	for mode, ports := range modes() {
		t.Run(mode, func(t *testing.T) {
			h := newHosts()
			g := newRig(t, newRelay(t, Config{ClientPorts: ports, Latch: LatchOff, Linger: -1}), h, false)
			g.natRTP.send(rtpPort(g.toClient), bare())
			wantDrops(t, g.f, DropWrongPort, 1)
			g.media(1, newEnd(t, h.client, 30000))
		})
	}
}

// TestLatchPublish: a publishing client is latched by its first media packet, not by noise.
func TestLatchPublish(t *testing.T) {
	for mode, ports := range modes() {
		t.Run(mode, func(t *testing.T) {
			h := newHosts()
			g := newRig(t, newRelay(t, Config{ClientPorts: ports, Linger: -1}), h, true)
			noise := newEnd(t, h.client, 50100)
			noise.send(rtpPort(g.toClient), []byte("noise"))
			wantDrops(t, g.f, DropWrongPort, 1)
			for i := range uint16(3) {
				g.natRTP.send(rtpPort(g.toClient), packet(5, i))
				g.ortp.want(rtpPort(g.toOrigin), packet(5, i))
			}
			noise.send(rtpPort(g.toClient), packet(5, 3))
			wantDrops(t, g.f, DropWrongPort, 2)
			crtcp := newEnd(t, h.client, 30001)
			g.ortcp.send(rtcpPort(g.toOrigin), report(9, 5, 3, 0))
			crtcp.want(rtcpPort(g.toClient), report(9, 5, 3, 0))
			eventually(t, "counted", func() bool { return g.f.Stats().RTCPLost == 3 })
			if s := g.f.Stats(); s.Media.Packets != 3 || s.ClientLearned != g.natRTP.addr() {
				t.Errorf("%+v", s)
			}
		})
	}
}

// TestSharedTwoSessions: two sessions of one address, and two that claim one port, on the shared pair.
func TestSharedTwoSessions(t *testing.T) {
	h := newHosts()
	r := newRelay(t, Config{ClientPorts: PortRange{5004, 5005}, Linger: -1})
	flow := func(client, origin uint16) (*Flow, *end) {
		f := reserve(t, r, h.spec())
		connect(t, f, Client, Peer{Addr: h.client, RTP: client, RTCP: client + 1})
		connect(t, f, Origin, Peer{Addr: h.origin, RTP: origin, RTCP: origin + 1})
		return f, newEnd(t, h.origin, origin+1)
	}
	f1, o1 := flow(30000, 40000)
	f2, o2 := flow(30002, 40002)
	f3, o3 := flow(30002, 40004) // claims the second's
	f2.AddSSRC(222)
	f3.AddSSRC(333)
	c1, c2 := newEnd(t, h.client, 30001), newEnd(t, h.client, 30003)
	at := rtcpPort(f1.ClientPair())
	if f1.ClientPair() != f3.ClientPair() || f1.OriginPair() == f2.OriginPair() {
		t.Fatal("pairs", f1.ClientPair(), f3.ClientPair(), f1.OriginPair(), f2.OriginPair())
	}
	c1.send(at, emptyReport())
	o1.want(rtcpPort(f1.OriginPair()), emptyReport())
	c2.send(at, report(1, 222, 0, 0))
	o2.want(rtcpPort(f2.OriginPair()), report(1, 222, 0, 0))
	c2.send(at, report(1, 333, 0, 0))
	o3.want(rtcpPort(f3.OriginPair()), report(1, 333, 0, 0))
	c2.send(at, emptyReport())
	o3.want(rtcpPort(f3.OriginPair()), emptyReport())
	newEnd(t, h.client, 39999).send(rtpPort(f1.ClientPair()), bare())
	eventually(t, "three could learn that port", func() bool { return r.Drops()[DropAmbiguous] == 1 })
	f3.Close()
	c2.send(at, emptyReport())
	o2.want(rtcpPort(f2.OriginPair()), emptyReport())
	f2.Close()
	<-f2.Done()
	<-f3.Done()
	c2.send(at, report(1, 222, 0, 0)) // of the flow that is left, a port of no account
	wantDrops(t, f1, DropWrongPort, 1)
}
