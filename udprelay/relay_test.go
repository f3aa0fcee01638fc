package udprelay

import (
	"context"
	"errors"
	"math/rand/v2"
	"net/netip"
	"testing"
	"time"
)

// modes are the two ways of the client's leg.
func modes() map[string]PortRange {
	return map[string]PortRange{"own pair": {20000, 20099}, "shared pair": {5004, 5005}}
}

// TestForward: RTP and RTCP, both ways, unchanged, from the ports that were promised.
func TestForward(t *testing.T) {
	six := netip.IPv6Loopback()
	for mode, ports := range modes() {
		for name, h := range map[string]hosts{"IPv4": newHosts(), "IPv6": {toClient: six, toOrigin: six, client: six, origin: six},
			"IPv4 in IPv6": mapped(newHosts())} {
			for _, publish := range []bool{false, true} {
				t.Run(mode+" "+name+map[bool]string{true: " publish"}[publish], func(t *testing.T) {
					spec := h.spec()
					spec.Publish = publish
					testForward(t, newRelay(t, Config{ClientPorts: ports, Linger: -1}), h, spec)
				})
			}
		}
	}
}

func mapped(h hosts) hosts {
	for _, a := range []*netip.Addr{&h.toClient, &h.toOrigin} {
		*a = netip.AddrFrom16(a.As16())
	}
	return h
}

func testForward(t *testing.T, r *Relay, h hosts, spec Spec) {
	f := reserve(t, r, spec)
	crtp, crtcp := newEnd(t, h.client, 30000), newEnd(t, h.client, 30001)
	ortp, ortcp := newEnd(t, h.origin, 40000), newEnd(t, h.origin, 40001)
	connect(t, f, Client, Peer{Addr: netip.AddrFrom16(h.client.As16()), RTP: 30000, RTCP: 30001})
	connect(t, f, Origin, Peer{Addr: h.origin, RTP: 40000, RTCP: 40001})
	cp, op := f.ClientPair(), f.OriginPair()
	src, dst, in, out := ortp, crtp, op, cp
	if spec.Publish {
		src, dst, in, out = crtp, ortp, cp, op
	}
	for i := range uint16(3) {
		src.send(rtpPort(in), packet(77, i))
		dst.want(rtpPort(out), packet(77, i))
	}
	dst.send(rtpPort(out), bare())
	src.want(rtpPort(in), bare())
	crtcp.send(rtcpPort(cp), report(1, 77, 5, 64))
	ortcp.want(rtcpPort(op), report(1, 77, 5, 64))
	ortcp.send(rtcpPort(op), report(77, 1, 6, 128))
	crtcp.want(rtcpPort(cp), report(77, 1, 6, 128))

	wantFigures(t, f, spec.Publish)
	s := f.Stats()
	if s.ClientLearned != crtp.addr() || s.OriginLearned != ortp.addr() {
		t.Errorf("learned %v %v", s.ClientLearned, s.OriginLearned)
	}
	if s.FirstMedia.IsZero() || s.LastMedia.Before(s.FirstMedia) || f.LastSeen(Client).IsZero() || f.LastSeen(Origin).IsZero() {
		t.Errorf("times %v %v %v %v", s.FirstMedia, s.LastMedia, f.LastSeen(Client), f.LastSeen(Origin))
	}
	f.Close()
	f.Close()
	<-f.Done()
	if err := f.Connect(Client, Peer{Addr: h.client, RTP: 1}); !errors.Is(err, ErrClosed) {
		t.Errorf("Connect of a closed flow: %v", err)
	}
}

// wantFigures waits until what testForward has sent is counted: the relay counts after it has sent.
func wantFigures(t *testing.T, f *Flow, publish bool) {
	t.Helper()
	media, back := Traffic{4, 3*200 + 32, 1}, Traffic{2, 12 + 32, 1}
	lost, fraction := uint64(5), 0.25
	if publish {
		media, back = back, media
		lost, fraction = 6, 0.5
	}
	var s Stats
	eventually(t, "all counted", func() bool { s = f.Stats(); return s.ToClient == media && s.ToOrigin == back })
	if s.FromOrigin != media || s.FromClient != back || len(s.Drops) != 0 {
		t.Errorf("stats %+v", s)
	}
	if s.Media.Packets != 3 || s.Media.Lost != 0 || s.RTCPLost != lost || s.RTCPFractionLost != fraction {
		t.Errorf("media %+v, reported lost %d %v", s.Media, s.RTCPLost, s.RTCPFractionLost)
	}
}

// TestEarlyAndNoise: what comes before Connect, empty datagrams, and the noise of players.
func TestEarlyAndNoise(t *testing.T) {
	h := newHosts()
	r := newRelay(t, Config{Linger: -1})
	f := reserve(t, r, h.spec())
	crtp, crtcp := newEnd(t, h.client, 30000), newEnd(t, h.client, 30001)
	ortp := newEnd(t, h.origin, 40000)
	cp, op := f.ClientPair(), f.OriginPair()
	ortp.send(rtpPort(op), packet(1, 1))
	wantDrops(t, f, DropNotConnected, 1)
	connect(t, f, Origin, Peer{Addr: h.origin, RTP: 40000, RTCP: 40001})
	ortp.send(rtpPort(op), packet(1, 2)) // accepted, and nobody to give it to
	wantDrops(t, f, DropNotConnected, 2)
	connect(t, f, Client, Peer{Addr: h.client, RTP: 30000, RTCP: 30001})

	noise := make([]byte, 200)
	src := rand.NewChaCha8([32]byte{7})
	for range 5 { // Observed: GStreamer 1.22, right after PLAY
		src.Read(noise)
		crtp.send(rtpPort(cp), noise)
	}
	crtp.send(rtpPort(cp), nil)
	ortp.send(rtpPort(op), []byte("not RTP"))
	noise[0] = 0
	crtcp.send(rtcpPort(cp), noise)
	crtcp.send(rtcpPort(cp), nil)
	wantDrops(t, f, DropNotRTP, 9)

	crtp.send(rtpPort(cp), bare())
	ortp.want(rtpPort(op), bare()) // the first that came out
}

// TestResendRequest: a Windows Media client's NACK reaches the origin's 5005 from the flow's RTCP port, from its odd
// port or from its single one.
func TestResendRequest(t *testing.T) {
	for name, peer := range map[string]Peer{"pair": {RTP: 30000, RTCP: 30001}, "single port": {RTP: 30001}} {
		t.Run(name, func(t *testing.T) {
			h := newHosts()
			r := newRelay(t, Config{ClientPorts: PortRange{5004, 5005}, Linger: -1})
			rtx, f := reserve(t, r, h.spec()), reserve(t, r, h.spec())
			rtx.AddSSRC(4711)
			peer.Addr = h.client
			connect(t, rtx, Client, Peer{Addr: h.client, RTP: 30010, RTCP: 30011})
			connect(t, rtx, Origin, Peer{Addr: h.origin, RTP: 5004, RTCP: 5005})
			connect(t, f, Client, peer)
			connect(t, f, Origin, Peer{Addr: h.origin, RTP: 5004, RTCP: 5005})
			o := newEnd(t, h.origin, 5005)
			newEnd(t, h.client, 30001).send(rtcpPort(f.ClientPair()), nack(wmsCNAME(4711)))
			o.want(rtcpPort(f.OriginPair()), nack(wmsCNAME(4711)))
			eventually(t, "counted", func() bool { return f.Stats().ResendRequests == 1 })
		})
	}
}

// TestOriginPorts: server_port missing, wrong, or media from another node (mediamtx#407, #691, openwrt/packages#10373).
func TestOriginPorts(t *testing.T) {
	for _, tt := range []struct {
		name  string
		peer  func(hosts) Peer
		node2 bool
		rtcp  uint16 // where receiver reports arrive
	}{
		{"missing", func(h hosts) Peer { return Peer{Addr: h.origin} }, false, 40001},
		{"0-1", func(h hosts) Peer { return Peer{Addr: h.origin, RTCP: 1} }, false, 40001},
		{"wrong", func(h hosts) Peer { return Peer{Addr: h.origin, RTP: 41000, RTCP: 41001} }, false, 41001},
		{"another node", func(h hosts) Peer {
			return Peer{Addr: h.origin, RTP: 40000, RTCP: 40001, Also: []netip.Addr{h.node2}}
		}, true, 40001},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h := newHosts()
			f := reserve(t, newRelay(t, Config{Latch: LatchOff, Linger: -1}), h.spec())
			c, crtcp := newEnd(t, h.client, 30000), newEnd(t, h.client, 30001)
			connect(t, f, Client, Peer{Addr: h.client, RTP: 30000, RTCP: 30001})
			connect(t, f, Origin, tt.peer(h))
			from := h.origin
			if tt.node2 {
				from = h.node2
			}
			src := newEnd(t, from, 40000)
			src.send(rtpPort(f.OriginPair()), packet(1, 1))
			c.want(rtpPort(f.ClientPair()), packet(1, 1))
			newEnd(t, h.attacker, 40000).send(rtpPort(f.OriginPair()), packet(1, 2))
			wantDrops(t, f, DropUnknownSource, 1)
			o := newEnd(t, h.origin, tt.rtcp)
			crtcp.send(rtcpPort(f.ClientPair()), emptyReport())
			o.want(rtcpPort(f.OriginPair()), emptyReport())
			c.send(rtpPort(f.ClientPair()), bare())
			src.want(rtpPort(f.OriginPair()), bare())
		})
	}
}

// TestMove: the next entry of a playlist comes from another node to another client port.
func TestMove(t *testing.T) {
	for mode, ports := range modes() {
		t.Run(mode, func(t *testing.T) {
			h := newHosts()
			f := reserve(t, newRelay(t, Config{ClientPorts: ports, Linger: -1}), h.spec())
			connect(t, f, Client, Peer{Addr: h.client, RTP: 30000, RTCP: 30001})
			connect(t, f, Origin, Peer{Addr: h.origin, RTP: 40000, RTCP: 40001})
			connect(t, f, Client, Peer{Addr: h.client, RTP: 30002, RTCP: 30003})
			connect(t, f, Origin, Peer{Addr: h.node2, RTP: 40000, RTCP: 40001})
			c, o := newEnd(t, h.client, 30002), newEnd(t, h.node2, 40000)
			o.send(rtpPort(f.OriginPair()), packet(1, 1))
			c.want(rtpPort(f.ClientPair()), packet(1, 1))
			c.send(rtpPort(f.ClientPair()), bare())
			o.want(rtpPort(f.OriginPair()), bare())
			newEnd(t, h.origin, 40000).send(rtpPort(f.OriginPair()), packet(1, 2))
			wantDrops(t, f, DropUnknownSource, 1)
			for _, p := range []Peer{{}, {Addr: netip.MustParseAddr("224.1.2.3"), RTP: 5004}, {Addr: netip.MustParseAddr("0.0.0.0")},
				{Addr: netip.MustParseAddr("2001:db8::1")}} {
				if err := f.Connect(Client, p); err == nil {
					t.Errorf("%v was taken for a peer", p.Addr)
				}
			}
		})
	}
}

func TestShutdown(t *testing.T) {
	h := newHosts()
	r := newRelay(t, Config{Linger: time.Millisecond})
	f := reserve(t, r, h.spec())
	done := make(chan error)
	go func() { done <- r.Shutdown(t.Context()) }()
	eventually(t, "new flows refused", func() bool {
		f, err := r.Reserve(h.spec())
		if err == nil {
			f.Close()
		}
		return errors.Is(err, ErrClosed)
	})
	f.Close()
	if err := <-done; err != nil {
		t.Error(err)
	}
	<-f.Done()

	r = newRelay(t, Config{})
	f = reserve(t, r, h.spec())
	ctx, cancel := context.WithCancelCause(t.Context())
	late := errors.New("too late")
	cancel(late)
	if err := r.Shutdown(ctx); !errors.Is(err, late) {
		t.Error(err)
	}
	<-f.Done()
	if err := r.Shutdown(t.Context()); err != nil {
		t.Errorf("a second time: %v", err)
	}
}
