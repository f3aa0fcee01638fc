package udprelay

import (
	"net/netip"
	"testing"
	"time"
)

func (b *bench) mms(t *testing.T, p Peer, id uint32) *Flow {
	t.Helper()
	local := netip.MustParseAddr("10.0.0.254")
	f := newFlow(b.relay, Spec{ClientLocal: local, OriginLocal: local, Protocol: MMS})
	f.tables = []*table{&b.pair.table}
	connect(t, f, Client, p)
	if id != 0 {
		f.SetResend(id, id, netip.MustParseAddrPort("10.1.0.1:1755"))
	}
	return f
}

// TestSharedOwner: whose a datagram at the shared pair is when a client has flows of RTP and of MMS.
func TestSharedOwner(t *testing.T) {
	type guest struct {
		rtp    *Peer
		mms    uint16 // client port; 0: RTP
		id     uint32
		closed bool
	}
	vlc := guest{mms: vlcPort, id: 7}
	closed := guest{mms: vlcPort, id: 7, closed: true}
	for _, tt := range []struct {
		name   string
		latch  LatchPolicy
		guests []guest
		k      kind
		from   string
		b      []byte
		flow   int // -1: none
		reason DropReason
	}{
		{"request by ID", LatchOff, []guest{vlc, {mms: 7002, id: 8}}, rtp, "10.0.0.1:9000", ask(7, 1), 0, DropNone},
		{"request by ID, not by port", LatchOff, []guest{vlc, {mms: 7002, id: 8}}, rtp, "10.0.0.1:7000", ask(8, 1), 1, DropNone},
		{"one ID of two origins: by port", LatchOff, []guest{vlc, {mms: 7002, id: 7}}, rtp, "10.0.0.1:7000", ask(7, 1), 0, DropNone},
		{"one ID of two origins: the newest", LatchOff, []guest{vlc, {mms: 7002, id: 7}}, rtp, "10.0.0.1:9000", ask(7, 1), 1, DropNone},
		{"one ID and port: the newest", LatchOff, []guest{vlc, vlc}, rtp, "10.0.0.1:7000", ask(7, 1), 1, DropNone},
		{"one ID and port: not the closed", LatchOff, []guest{vlc, closed}, rtp, "10.0.0.1:9000", ask(7, 1), 0, DropNone},
		{"a request of the closed", LatchOff, []guest{closed, {mms: 7002, id: 8}}, rtp, "10.0.0.1:7000", ask(7, 1), 0, DropNone},
		{"wrong ID among two", LatchOff, []guest{vlc, {mms: 7002, id: 8}}, rtp, "10.0.0.1:7000", ask(9, 1), -1, DropWrongID},
		{"wrong ID: the only flow judges", LatchOff, []guest{vlc, {rtp: &one}}, rtp, "10.0.0.1:7000", ask(9, 1), 0, DropNone},
		{"no ID yet", LatchOff, []guest{{mms: 7000}, {mms: 7002}}, rtp, "10.0.0.1:7000", ask(9, 1), -1, DropWrongID},
		{"a request where only RTP is", LatchOff, []guest{{rtp: &one}}, rtp, "10.0.0.1:5000", ask(9, 1), 0, DropNone},
		{"another address", LatchOff, []guest{vlc}, rtp, "10.0.0.2:7000", ask(7, 1), -1, DropUnknownSource},
		{"RTP beside MMS: by port", LatchOff, []guest{{rtp: &one}, vlc}, rtp, "10.0.0.1:5000", bare(), 0, DropNone},
		{"RTP beside MMS: learns", LatchSameAddress, []guest{{rtp: &one}, vlc}, rtp, "10.0.0.1:9000", bare(), 0, DropNone},
		{"RTP beside MMS: not the port of MMS", LatchSameAddress, []guest{{rtp: &one}, vlc}, rtp, "10.0.0.1:7000", bare(), 1, DropNone},
		{"RTP beside MMS: one port", LatchSameAddress, []guest{{rtp: &Peer{Addr: nat.Addr, RTP: vlcPort}}, vlc}, rtp, "10.0.0.1:7000", bare(), 0, DropNone},
		{"RTP beside MMS: RTCP", LatchSameAddress, []guest{{rtp: &single}, vlc}, rtcp, "10.0.0.1:7000", nack(wmsCNAME(100)), 0, DropNone},
		{"RTP beside a closed MMS", LatchSameAddress, []guest{{rtp: &one}, closed}, rtp, "10.0.0.1:7000", bare(), 0, DropNone},
		{"MMS alone: by port", LatchOff, []guest{vlc, {mms: 7002, id: 8}}, rtp, "10.0.0.1:7002", []byte("hole"), 1, DropNone},
		{"MMS alone: another port is nobody's", LatchSameAddress, []guest{vlc, vlc}, rtp, "10.0.0.1:9000", []byte("hole"), -1, DropWrongPort},
		{"MMS alone: RTCP is nobody's", LatchSameAddress, []guest{vlc}, rtcp, "10.0.0.1:7000", emptyReport(), -1, DropWrongPort},
		{"closed and alone", LatchSameAddress, []guest{closed}, rtp, "10.0.0.1:7000", nil, 0, DropNone},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := newBench(tt.latch)
			var flows []*Flow
			for i, g := range tt.guests {
				if g.rtp != nil {
					flows = append(flows, b.flow(t, *g.rtp, uint32(100+i)))
				} else {
					flows = append(flows, b.mms(t, Peer{Addr: nat.Addr, RTP: g.mms}, g.id))
				}
				if g.closed {
					flows[i].Close()
				}
			}
			got, reason := b.pair.find(tt.k, netip.MustParseAddrPort(tt.from), tt.b)
			if tt.flow < 0 && got != nil || tt.flow >= 0 && got != flows[tt.flow] || reason != tt.reason {
				t.Errorf("got flow %p (of %v), %v, want flow %d, %v", got, flows, reason, tt.flow, tt.reason)
			}
		})
	}
}

// TestSharedBoth: one client plays RTP and MMS through the shared pair at once; each gets its own.
func TestSharedBoth(t *testing.T) {
	h := newHosts()
	r := newRelay(t, Config{ClientPorts: PortRange{5004, 5005}, Linger: -1})
	g := newRig(t, r, h, false)
	m := newStage(t, r, h, vlcPort, 5014)
	if a, b := g.f.ClientPair(), m.f.ClientPair(); a.RTP != b.RTP || a.RTCP == b.RTCP {
		t.Fatal(a, b)
	}
	m.f.SetResend(7, 8, m.asks.addr())
	g.natRTP.send(rtpPort(g.toClient), bare()) // learned by RTP, though MMS may learn too
	g.ortp.want(rtpPort(g.toOrigin), bare())
	for i := range uint16(3) {
		g.media(i, g.natRTP)
		m.media(data(uint32(i), 4, byte(i)))
		m.client.send(rtpPort(m.f.ClientPair()), ask(7, uint32(i)))
		m.asks.want(rtpPort(m.f.OriginPair()), ask(8, uint32(i)))
		g.natRTCP.send(rtcpPort(g.toClient), report(1, 77, 0, 0))
		g.ortcp.want(rtcpPort(g.toOrigin), report(1, 77, 0, 0))
	}
	g.f.Close() // what MMS has is not RTP's to end
	m.media(data(9, 4, 9))
	m.client.send(rtpPort(m.f.ClientPair()), ask(7, 9))
	m.asks.want(rtpPort(m.f.OriginPair()), ask(8, 9))
}

// TestMMSSamePortAgain: a player that stops and plays again takes the same port at once, while the old flow lingers and
// its origin still sends.
func TestMMSSamePortAgain(t *testing.T) {
	for mode, ports := range modes() {
		t.Run(mode, func(t *testing.T) {
			h := newHosts()
			r := newRelay(t, Config{ClientPorts: ports, Linger: time.Minute})
			old := newStage(t, r, h, vlcPort, 5014)
			old.f.SetResend(7, 70, old.asks.addr())
			old.media(data(1, 4, 1))
			old.client.Close()
			old.f.Close()
			g := newStage(t, r, h, vlcPort, 5016)
			g.f.SetResend(7, 71, g.asks.addr()) // another origin's, or the same one's by chance
			for i := range byte(3) {
				old.origin.send(rtpPort(old.f.OriginPair()), data(uint32(2+i), 4, 2+i))
				g.media(data(uint32(i), 4, i))
				g.client.send(g.resend, ask(7, uint32(i)))
				g.asks.want(rtpPort(g.f.OriginPair()), ask(71, uint32(i)))
			}
			wantDrops(t, old.f, DropClosed, 3)
			eventually(t, "what was sent is counted", func() bool { return g.f.Stats().ToClient.Packets == 3 })
			if s := g.f.Stats(); len(s.Drops) != 0 {
				t.Errorf("%+v", s)
			}
		})
	}
}

// TestMMSTwoBehindOneAddress: two clients behind a NAT, whose origins gave them the same ID.
func TestMMSTwoBehindOneAddress(t *testing.T) {
	h := newHosts()
	r := newRelay(t, Config{ClientPorts: PortRange{5004, 5005}, Linger: -1})
	a, b := newStage(t, r, h, 7000, 5014), newStage(t, r, h, 7002, 5016)
	for _, g := range []*stage{a, b, a} {
		a.f.SetResend(7, 7, a.asks.addr())
		b.f.SetResend(7, 7, b.asks.addr())
		g.media(data(1, 4, 1))
		g.client.send(g.resend, ask(7, 1))
		g.asks.want(rtpPort(g.f.OriginPair()), ask(7, 1))
	}
	// The flows tell them apart if the clients were given IDs of their own.
	b.f.SetResend(8, 7, b.asks.addr())
	other := newEnd(t, h.client, 0)
	other.send(a.resend, ask(7, 2))
	a.asks.want(rtpPort(a.f.OriginPair()), ask(7, 2))
	other.send(a.resend, ask(8, 2))
	b.asks.want(rtpPort(b.f.OriginPair()), ask(7, 2))
	other.send(a.resend, ask(9, 2))
	eventually(t, "a wrong ID", func() bool { return r.Drops()[DropWrongID] == 1 })
	for _, g := range []*stage{a, b} {
		g.f.Close()
		<-g.f.Done()
	}
	other.send(a.resend, ask(7, 2))
	eventually(t, "nobody is left", func() bool { return r.Drops()[DropUnknownSource] == 1 })
}
