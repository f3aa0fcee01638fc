package mms

import (
	"fmt"
	"net/netip"

	"go.uber.org/zap"

	"mediagate/internal/sessionlog"
	"mediagate/mms/mmswire"
	"mediagate/udprelay"
)

// mediaPort is where Windows Media Services send datagrams from. Another port of the origin is learned as the relay's
// policy has it.
const mediaPort = 5004

// maxFunnels bounds the funnels of one session, as each holds a port for a while: players try UDP, then TCP.
const maxFunnels = 8

// funnel is where the player wants its media.
type funnel struct {
	port     uint16         // the player's UDP port; 0: media in the control connection
	flow     *udprelay.Flow // nil: none (TCP), or none yet
	opened   int            // funnels asked for
	known    bool           // the two below
	clientID uint32         // nCubs as the player knows it
	originID uint32         // nCubs as the present origin gave it
}

// onFunnelInfo asks for the identifier that resend requests carry.
func (s *session) onFunnelInfo(m mmswire.Raw, sent uint64) {
	info, err := decode[*mmswire.FunnelInfo](m)
	if err != nil {
		s.refuse(request{mid: m.MID}, err)
		return
	}
	s.said.info = info
	if s.origin != nil {
		s.ask(m, sent)
		return
	}
	s.learnID(0)
	s.toClient(mmswire.Encode(&mmswire.ReportFunnelInfo{
		PlayIncarnation: noPacketPair, TransportMask: 8, NBlockFragments: 1, FragmentBytes: 0x10000,
		NCubs: s.funnel.clientID, NDisks: 1,
	}), 0)
}

// onConnectFunnel takes where the player wants its media. A refusal does not end the session: the player goes on to TCP.
func (s *session) onConnectFunnel(m mmswire.Raw, sent uint64) {
	c, err := decode[*mmswire.ConnectFunnel](m)
	s.phase = sessionlog.PhaseSetup
	s.said.funnel = nil
	s.retireFlow()
	if err == nil {
		err = s.openFunnel(c)
	}
	if err != nil {
		s.refuse(request{mid: m.MID}, err)
		return
	}
	s.said.funnel = c
	if s.origin == nil {
		s.noteTransport()
		s.toClient(mmswire.Encode(&mmswire.ReportConnectedFunnel{FunnelName: "Funnel Of The Gods"}), 0) // 2.2.4.3
		return
	}
	if m, err = s.rewriteFunnel(); err != nil {
		s.said.funnel = nil
		s.refuse(request{mid: mmswire.MIDConnectFunnel}, err)
		return
	}
	s.ask(m, sent)
}

// openFunnel judges a funnel before anything is promised.
func (s *session) openFunnel(c *mmswire.ConnectFunnel) error {
	if s.funnel.opened++; s.funnel.opened > maxFunnels {
		return fmt.Errorf("%w: the %dth funnel", errUnexpected, s.funnel.opened)
	}
	name, err := mmswire.ParseFunnelName(c.FunnelName)
	s.funnel.port = 0
	switch {
	case !name.UDP && name.Port != 0:
		return nil // where TCP ends is not a question; no player tells the truth here
	case err != nil:
		return fmt.Errorf("%w: %w", errFunnelPort, err)
	case s.proxy.cfg.NoUDP:
		return errNoUDP
	}
	if err := judgeFunnel(name, s.clientAddr.Addr()); err != nil {
		return err
	}
	s.funnel.port = uint16(name.Port)
	return nil
}

// judgeFunnel refuses media for a third party. The address of the control connection counts, never the one in the name
// ([MS-MMSP] 3.2.5.5); the name may differ from it behind a NAT: then it is one that nobody outside can use, of another
// network than the one that the player is seen in.
func judgeFunnel(name mmswire.FunnelName, control netip.Addr) error {
	if name.Port < 1 || name.Port > 65535 {
		return errFunnelPort
	}
	a := name.Addr.Unmap().WithZone("")
	switch {
	case a == control.WithZone(""), !a.IsValid(), a.IsUnspecified():
		return nil
	case realm(a) != "" && realm(a) != realm(control):
		return nil
	}
	return fmt.Errorf("%w: %v, not %v", errFunnelHost, a, control)
}

// realm names the private network that an address belongs to; "" is the internet. Two addresses of one realm see each other
// without a NAT between them (RFC 1918, section 3; RFC 4193, section 3; RFC 3927, section 2.1; RFC 6598, section 7).
func realm(a netip.Addr) string {
	switch {
	case a.IsLoopback():
		return "loopback"
	case a.IsLinkLocalUnicast():
		return "link-local"
	case a.Is6() && a.IsPrivate():
		return "unique local"
	}
	for _, p := range privateNetworks {
		if p.Contains(a) {
			return p.String()
		}
	}
	return ""
}

var privateNetworks = []netip.Prefix{
	netip.MustParsePrefix("10.0.0.0/8"),
	netip.MustParsePrefix("172.16.0.0/12"),
	netip.MustParsePrefix("192.168.0.0/16"),
	netip.MustParsePrefix("100.64.0.0/10"),
}

// rewriteFunnel is the player's ConnectFunnel with our address and port in the place of its own. The ports are bound before
// they are promised, and open before the origin is told.
func (s *session) rewriteFunnel() (mmswire.Raw, error) {
	c := *s.said.funnel
	if s.funnel.port == 0 {
		return mmswire.Encode(&c), nil
	}
	if err := s.reserve(); err != nil {
		return mmswire.Raw{}, err
	}
	at := s.funnel.flow.OriginPair()
	c.FunnelName = mmswire.FunnelName{Addr: at.Addr, UDP: true, Port: int(at.RTP)}.String()
	c.Rest = nil // ends with a NUL, whatever followed the player's name
	return mmswire.Encode(&c), nil
}

// reserve makes sure that there is a flow between the player and the present origin. The one for the origin before serves
// on if it leaves from the same address.
func (s *session) reserve() error {
	local, remote := addrPortOf(s.origin.conn.LocalAddr()), addrPortOf(s.origin.conn.RemoteAddr())
	if f := s.funnel.flow; f != nil && f.OriginPair().Addr != local.Addr() {
		s.retireFlow()
	}
	if s.funnel.flow == nil {
		f, err := s.proxy.cfg.Relay.Reserve(udprelay.Spec{
			Protocol: udprelay.MMS, ClientLocal: s.local.Addr(), OriginLocal: local.Addr(), OriginPort: s.ownPort(local, remote),
			Resend: s.local, Tap: s.mediaTap(), Owner: s.id,
		})
		if err != nil {
			return err
		}
		s.funnel.flow = f
	}
	f := s.funnel.flow
	if err := f.Connect(udprelay.Client, udprelay.Peer{Addr: s.clientAddr.Addr(), RTP: s.funnel.port}); err != nil {
		return err
	}
	if err := f.Connect(udprelay.Origin, udprelay.Peer{Addr: remote.Addr(), RTP: mediaPort}); err != nil {
		return err
	}
	s.joinID()
	return nil
}

// ownPort is the player's port if the origin sees the player's address, else 0: any of ours will do.
func (s *session) ownPort(local, origin netip.AddrPort) uint16 {
	cfg := &s.proxy.cfg
	if cfg.Transparent == nil || !cfg.Transparent(origin.Addr()) || local.Addr() != s.clientAddr.Addr() {
		return 0
	}
	return s.funnel.port
}

// learnID takes the identifier that an origin gave. The player keeps the first one that it was told, or one of ours if that
// is taken at its address: two origins may give the same.
func (s *session) learnID(originID uint32) {
	if !s.funnel.known {
		s.funnel.known = true
		s.funnel.clientID = s.proxy.claimID(s.clientAddr.Addr(), originID)
	}
	s.funnel.originID = originID
	s.joinID()
}

// joinID tells the flow both identifiers and where resend requests go: to the UDP port with the number of the origin's TCP
// port ([MS-MMSP] 3.2.5.11.1).
func (s *session) joinID() {
	if s.funnel.flow != nil && s.funnel.known && s.origin != nil {
		s.funnel.flow.SetResend(s.funnel.clientID, s.funnel.originID, addrPortOf(s.origin.conn.RemoteAddr()))
	}
}

// retireFlow closes the flow, which lingers, and takes its figures into the record.
func (s *session) retireFlow() {
	f := s.funnel.flow
	if f == nil {
		return
	}
	s.funnel.flow = nil
	f.Close()
	s.tally(s.rec, f.Stats())
	s.log.Debug("flow closed", zap.Uint16("client_port", s.funnel.port))
}

// clientID is an identifier at a player's address.
type clientID struct {
	addr netip.Addr
	id   uint32
}

// claimID takes an identifier for a player: the wanted one, or a free one if another player at its address has that.
func (p *Proxy) claimID(addr netip.Addr, want uint32) uint32 {
	p.mu.Lock()
	defer p.mu.Unlock()
	for {
		key := clientID{addr, want}
		if _, taken := p.clientIDs[key]; !taken && want != 0 {
			p.clientIDs[key] = struct{}{}
			return want
		}
		p.lastID++
		want = 0x4d470000 + p.lastID // "MG": told from an origin's at a glance
	}
}

// dropID gives an identifier back.
func (p *Proxy) dropID(addr netip.Addr, id uint32) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.clientIDs, clientID{addr, id})
}
