package udprelay

import (
	"errors"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"
)

const vlcPort = 7000 // Observed: VLC 3.0.24 always takes its MMS over UDP at this port

// stage is a flow of MMS with its ends.
type stage struct {
	h              hosts
	f              *Flow
	client, origin *end // where media goes to and comes from
	asks           *end // where the origin takes resend requests
	resend         netip.AddrPort
}

func newStage(t *testing.T, r *Relay, h hosts, clientPort, originPort uint16) *stage {
	t.Helper()
	g := &stage{h: h, resend: netip.AddrPortFrom(h.toClient, 1755)}
	spec := h.spec()
	spec.Protocol, spec.Resend = MMS, g.resend
	g.f = reserve(t, r, spec)
	g.client, g.origin, g.asks = newEnd(t, h.client, clientPort), newEnd(t, h.origin, originPort), newEnd(t, h.origin, 0)
	g.connect(t)
	return g
}

func (g *stage) connect(t *testing.T) {
	t.Helper()
	connect(t, g.f, Client, Peer{Addr: g.h.client, RTP: g.client.addr().Port(), RTCP: 9})
	connect(t, g.f, Origin, Peer{Addr: g.h.origin, RTP: g.origin.addr().Port()})
}

// media sends a packet and expects it at the client.
func (g *stage) media(b []byte) {
	g.client.t.Helper()
	g.origin.send(rtpPort(g.f.OriginPair()), b)
	g.client.want(rtpPort(g.f.ClientPair()), b)
}

// TestMMSForward: Data packets reach the client unchanged from the port that was promised, from a single port on each
// leg, over IPv4 and IPv6; requests reach the origin with its own ID, from the flow's port.
func TestMMSForward(t *testing.T) {
	six := netip.IPv6Loopback()
	for mode, ports := range modes() {
		for name, h := range map[string]hosts{"IPv4": newHosts(), "IPv6": {toClient: six, toOrigin: six, client: six, origin: six},
			"IPv4 in IPv6": mapped(newHosts())} {
			t.Run(mode+" "+name, func(t *testing.T) {
				r := newRelay(t, Config{ClientPorts: ports, Linger: -1})
				g := newStage(t, r, h, vlcPort, 5014)
				if c, o := g.f.ClientPair(), g.f.OriginPair(); c.RTCP != 0 || o.RTCP != 0 || c.RTP%2 != 0 || o.RTP%2 != 0 {
					t.Fatal("pairs", c, o)
				}
				newEnd(t, g.f.OriginPair().Addr, g.f.OriginPair().RTP+1) // not bound
				g.media(data(0xf0f0f000, 0xff, 0x10))
				g.media(data(0, 2, 0x0c))
				g.f.CountFrom(4)
				g.media(data(0, 4, 0))
				g.media(data(3, 4, 3))
				g.media(data(0xc880, 4, 4)) // begins as RTCP does

				g.f.SetResend(7, 1000, g.asks.addr())
				g.client.send(g.resend, ask(7, 1, 2))
				g.asks.want(rtpPort(g.f.OriginPair()), ask(1000, 1, 2))
				g.media(data(1, 4, 1))
				g.client.send(rtpPort(g.f.ClientPair()), ask(7, 2))
				g.asks.want(rtpPort(g.f.OriginPair()), ask(1000, 2))
				g.media(data(2, 4, 2))
				g.f.SetResend(7, 7, g.asks.addr())
				g.client.send(g.resend, ask(7, 9))
				g.asks.want(rtpPort(g.f.OriginPair()), ask(7, 9))
				eventually(t, "counted", func() bool { // after the write, so the other end may have it before
					s := g.f.Stats()
					return s.ToOrigin.Packets == 3 && s.ToClient.Packets == 7
				})

				s := g.f.Stats()
				if s.Media.Packets != 7 || s.Media.Lost != 0 || s.Resent != 2 || s.ResendRequests != 3 || s.FromClient.Packets != 3 ||
					s.ToClient.Packets != 7 || s.ToClient.RTCPPackets+s.FromOrigin.RTCPPackets != 0 || len(s.Drops) != 0 {
					t.Errorf("%+v", s)
				}
			})
		}
	}
}

// TestMMSFirstMedia: neither packet pair nor header is the first media.
func TestMMSFirstMedia(t *testing.T) {
	h := newHosts()
	g := newStage(t, newRelay(t, Config{Linger: -1}), h, vlcPort, 5014)
	g.media(data(0xf0f0f001, 0xff, 0x10))
	g.f.CountFrom(4)
	g.media(data(0, 2, 0x0c))
	if s := g.f.Stats(); !s.FirstMedia.IsZero() || g.f.LastSeen(Origin).IsZero() {
		t.Errorf("%+v", s)
	}
	g.media(data(0, 4, 0))
	if s := g.f.Stats(); s.FirstMedia.IsZero() || s.LastMedia.Before(s.FirstMedia) {
		t.Errorf("%+v", s)
	}
}

// TestMMSNoise: what is not MMS goes nowhere, and nothing of a client goes to the origin but requests.
func TestMMSNoise(t *testing.T) {
	for mode, ports := range modes() {
		t.Run(mode, func(t *testing.T) {
			h := newHosts()
			r := newRelay(t, Config{ClientPorts: ports, Linger: -1})
			g := newStage(t, r, h, vlcPort, 5014)
			g.f.SetResend(7, 1000, g.asks.addr())
			dropped := func(n uint64, why DropReason) {
				t.Helper()
				eventually(t, why.String(), func() bool { return r.Drops()[why]+g.f.Stats().Drops[why] == n })
			}
			for _, b := range [][]byte{packet(1, 1), report(1, 7, 0, 0), data(1, 4, 1)[:50], ask(7, 1), {}} {
				g.origin.send(rtpPort(g.f.OriginPair()), b)
			}
			dropped(5, DropNotMMS)
			for _, b := range [][]byte{data(1, 4, 1), bare(), {}, ask(7)} {
				g.client.send(rtpPort(g.f.ClientPair()), b)
			}
			dropped(9, DropNotMMS)
			for _, b := range [][]byte{data(1, 4, 1), bare(), {}, ask(7, make([]uint32, 33)...)} {
				g.client.send(g.resend, b)
			}
			dropped(13, DropNotMMS)
			g.client.send(g.resend, ask(8, 1))
			g.client.send(rtpPort(g.f.ClientPair()), ask(1000, 1)) // the origin's ID is not the client's
			dropped(2, DropWrongID)
			evil := newEnd(t, h.attacker, vlcPort)
			evil.send(g.resend, ask(7, 1))
			evil.send(rtpPort(g.f.ClientPair()), ask(7, 1))
			evil.send(rtpPort(g.f.OriginPair()), data(1, 4, 1))
			dropped(3, DropUnknownSource)
			if s := g.f.Stats(); s.ToOrigin.Packets+s.ToClient.Packets+s.ResendRequests+s.Media.Packets != 0 {
				t.Errorf("%+v", s)
			}
		})
	}
}

// TestMMSLatch: an origin that sends from another port, as the policy says. The client's port is the one of its funnel,
// whatever else comes from its address.
func TestMMSLatch(t *testing.T) {
	for name, cfg := range map[string]Config{"same-address": {}, "off": {Latch: LatchOff, OriginLatch: LatchOff}} {
		t.Run(name, func(t *testing.T) {
			h := newHosts()
			cfg.ClientPorts, cfg.Linger = PortRange{5004, 5005}, -1
			g := newStage(t, newRelay(t, cfg), h, vlcPort, 5014)
			other, nat := newEnd(t, h.origin, 6001), newEnd(t, h.client, 50000)
			other.send(rtpPort(g.f.OriginPair()), packet(1, 1)) // teaches nothing
			nat.send(rtpPort(g.f.ClientPair()), []byte("hole"))
			wantDrops(t, g.f, DropWrongPort, 2)
			other.send(rtpPort(g.f.OriginPair()), data(1, 4, 1))
			if cfg.OriginLatch == LatchOff {
				wantDrops(t, g.f, DropWrongPort, 3)
				g.media(data(2, 4, 2))
				return
			}
			g.client.want(rtpPort(g.f.ClientPair()), data(1, 4, 1))
			if s := g.f.Stats(); s.ClientLearned.IsValid() || s.OriginLearned != other.addr() {
				t.Errorf("%+v", s)
			}
			// A request from another port teaches nothing either.
			g.f.SetResend(7, 7, g.asks.addr())
			for _, to := range []netip.AddrPort{g.resend, rtpPort(g.f.ClientPair())} {
				newEnd(t, h.client, 0).send(to, ask(7, 1))
				g.asks.want(rtpPort(g.f.OriginPair()), ask(7, 1))
			}
			other.send(rtpPort(g.f.OriginPair()), data(2, 4, 2))
			g.client.want(rtpPort(g.f.ClientPair()), data(2, 4, 2))
		})
	}
}

// TestMMSBeforeConnect: what comes too early is counted, and the flow is none the worse.
func TestMMSBeforeConnect(t *testing.T) {
	h := newHosts()
	r := newRelay(t, Config{Linger: -1})
	spec := h.spec()
	spec.Protocol, spec.Resend = MMS, netip.AddrPortFrom(h.toClient, 1755)
	g := &stage{h: h, f: reserve(t, r, spec), resend: spec.Resend}
	g.client, g.origin, g.asks = newEnd(t, h.client, vlcPort), newEnd(t, h.origin, 5014), newEnd(t, h.origin, 0)
	g.origin.send(rtpPort(g.f.OriginPair()), data(0xf0f0f000, 0xff, 0x10))
	g.client.send(rtpPort(g.f.ClientPair()), ask(7, 1))
	wantDrops(t, g.f, DropNotConnected, 2)
	connect(t, g.f, Origin, Peer{Addr: h.origin, RTP: 5014})
	g.origin.send(rtpPort(g.f.OriginPair()), data(0xf0f0f001, 0xff, 0x10))
	wantDrops(t, g.f, DropNotConnected, 3)
	g.connect(t)
	g.client.send(g.resend, ask(7, 1)) // no way yet
	wantDrops(t, g.f, DropNotConnected, 4)
	g.f.SetResend(7, 7, netip.AddrPort{})
	g.client.send(g.resend, ask(7, 1))
	wantDrops(t, g.f, DropNotConnected, 5)
	g.media(data(0, 2, 0x0c))
	// A redirect: another origin, with an ID of its own.
	g.origin, g.asks = newEnd(t, h.node2, 5004), newEnd(t, h.node2, 1755)
	connect(t, g.f, Origin, Peer{Addr: h.node2, RTP: 5004})
	g.f.SetResend(7, 99, g.asks.addr())
	g.media(data(1, 2, 0x0c))
	g.client.send(g.resend, ask(7, 1))
	g.asks.want(rtpPort(g.f.OriginPair()), ask(99, 1))
}

// TestMMSFlood: requests go on at resendsPerSecond; when the flood is over, the client is heard as before.
func TestMMSFlood(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var n fakeNet
		h := newHosts()
		r := newRelay(t, Config{ClientPorts: PortRange{5004, 5005}, Listen: n.listen, Linger: -1})
		spec := h.spec()
		spec.Protocol, spec.Resend = MMS, netip.AddrPortFrom(h.toClient, 1755)
		f := reserve(t, r, spec)
		client := netip.AddrPortFrom(h.client, vlcPort)
		connect(t, f, Client, Peer{Addr: h.client, RTP: vlcPort})
		connect(t, f, Origin, Peer{Addr: h.origin, RTP: 5004})
		f.SetResend(7, 7, netip.AddrPortFrom(h.origin, 1755))
		out := n.at(rtpPort(f.OriginPair())).out
		flood := func(k int) (passed int) {
			for i := range k {
				at := []netip.AddrPort{spec.Resend, rtpPort(f.ClientPair())}[i%2] // both doors, one limit
				n.at(at).in <- datagram{from: client, b: ask(7, uint32(i))}
				synctest.Wait()
				for len(out) > 0 {
					<-out
					passed++
				}
			}
			return passed
		}
		if got := flood(1000); got != resendsPerSecond {
			t.Errorf("%d of 1000 passed at once", got)
		}
		time.Sleep(100 * time.Millisecond)
		if got := flood(1000); got != resendsPerSecond/10 {
			t.Errorf("%d of 1000 passed after 100 ms", got)
		}
		time.Sleep(time.Hour)
		if got := flood(100); got != 100 {
			t.Errorf("%d of 100 passed after a silence", got)
		}
		if s := f.Stats(); s.ResendRequests != 2100 || s.Drops[DropResendFlood] != 2100-100-resendsPerSecond*11/10 {
			t.Errorf("%+v", s)
		}
	})
}

func TestLimitWhenTheClockIsSetBack(t *testing.T) {
	var l limit
	now := time.Now().UnixNano()
	for range 2 * resendsPerSecond {
		l.allow(now)
	}
	if l.allow(now) || !l.allow(now-int64(time.Hour)) {
		t.Error("the limit does not follow the clock")
	}
}

func TestMMSSpecs(t *testing.T) {
	h := newHosts()
	r := newRelay(t, Config{Linger: -1})
	resend := netip.AddrPortFrom(h.toClient, 1755)
	for name, spec := range map[string]Spec{
		"no address":           {Protocol: MMS, OriginLocal: h.toOrigin},
		"publish":              {ClientLocal: h.toClient, OriginLocal: h.toOrigin, Protocol: MMS, Publish: true},
		"no protocol":          {ClientLocal: h.toClient, OriginLocal: h.toOrigin, Protocol: 2},
		"RTP with resend port": {ClientLocal: h.toClient, OriginLocal: h.toOrigin, Resend: resend},
	} {
		if _, err := r.Reserve(spec); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	for _, at := range []netip.AddrPort{{}, netip.AddrPortFrom(h.toClient, 0)} {
		if err := r.OpenResend(at); err == nil {
			t.Errorf("%v: opened", at)
		}
	}
	taken := newEnd(t, h.toClient, 1755)
	if err := r.OpenResend(resend); err == nil {
		t.Error("a taken port was opened")
	}
	spec := Spec{ClientLocal: h.toClient, OriginLocal: h.toOrigin, Protocol: MMS, Resend: resend}
	if _, err := r.Reserve(spec); err == nil || r.InUse() != 0 {
		t.Errorf("a taken port was promised: %v", err)
	}
	taken.Close()
	for range 2 {
		if err := r.OpenResend(resend); err != nil {
			t.Fatal(err)
		}
	}
	reserve(t, r, spec)
	f := reserve(t, r, h.spec()) // of RTP: nothing happens
	f.SetResend(1, 2, resend)
	f.CountFrom(4)
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	newEnd(t, h.toClient, 1755) // free again
	if err := r.OpenResend(netip.AddrPortFrom(h.toClient, 1756)); !errors.Is(err, ErrClosed) {
		t.Errorf("opened after Close: %v", err)
	}
}
