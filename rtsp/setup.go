package rtsp

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"

	"mediagate/rtsp/rtspwire"
	"mediagate/udprelay"
)

const (
	sideClient = udprelay.Client
	sideOrigin = udprelay.Origin
)

// media is one stream that was set up.
type media struct {
	url     string // as the player wrote it in SETUP
	publish bool   // it runs from the player to the origin
	resend  bool   // a retransmission stream: what comes on it came before

	use *flowUse // over UDP; nil: interleaved

	clientChannels, originChannels [2]uint8 // interleaved: RTP and RTCP channel on each side
	down, up                       [2]*route
	meter                          *udprelay.Meter
}

// flowUse is a flow and the streams that share it: all that a player receives on one port ([MS-RTSP] 2.2.7.10.1: every
// ordinary stream of a session specifies the same client_port, the retransmission stream another).
type flowUse struct {
	flow       *udprelay.Flow
	refs       int
	clientPort rtspwire.PortRange
	clientText string        // client_port as the player wrote it
	peer       udprelay.Peer // the origin's side, as last negotiated
}

// setupPlan is a SETUP on its way: what the player offered that we can relay, and what is reserved for the offer in hand.
type setupPlan struct {
	offers   rtspwire.Transport // acceptable alternatives, in the player's order; offers[0] is in hand
	session  *rtspSession
	replaces *media // the same stream as it is set up now, nil: it is not
	media    *media
}

// maxMedia bounds the streams of one conversation, so that no player takes every port of the range. Windows Media sets up
// each bit rate of a presentation, which makes a dozen or two.
const maxMedia = 64

// planSetup picks the alternatives that the policy allows: unicast, to the player itself, by UDP with ports or by TCP.
// RFC 2326, section 12.39: the alternatives are in order of preference. Unknown profiles are no reason to fail (trap 14).
func (s *session) planSetup(ex *exchange) (*setupPlan, error) {
	list, err := rtspwire.ParseTransport(ex.in.Header.Values("Transport")...)
	if err != nil {
		return nil, err
	}
	plan := &setupPlan{session: ex.session, replaces: ex.session.mediaOf(ex.in.URL)}
	if plan.replaces == nil && s.mediaCount() >= maxMedia {
		return nil, errTooManyMedia
	}
	refusal := errNoTransport
	for _, spec := range list {
		if err := s.allowed(spec); err != nil {
			refusal = err
			continue
		}
		plan.offers = append(plan.offers, spec)
	}
	if len(plan.offers) == 0 {
		return nil, refusal
	}
	return plan, nil
}

// errNoUDP is answered as errNoTransport is. VLC, FFmpeg and Windows Media Player go on to interleaved at once.
var errNoUDP = fmt.Errorf("%w: this virtual server has no UDP", errNoTransport)

// errTunnelUDP is answered as errNoTransport is: where nothing but HTTP passes, media over UDP would not come.
var errTunnelUDP = fmt.Errorf("%w: a tunnel has no UDP", errNoTransport)

// allowed says why one alternative cannot be relayed, nil if it can.
func (s *session) allowed(spec *rtspwire.TransportSpec) error {
	if spec.Multicast() {
		return errMulticast
	}
	if host, ok := spec.Param("destination"); ok && host != "" && !s.isClient(host) {
		return errThirdParty // RFC 2326, section 12.39 warns of it: a stream aimed at somebody else (trap 16)
	}
	switch spec.Lower() {
	case rtspwire.LowerTCP:
		return nil
	case rtspwire.LowerUDP:
		if s.proxy.cfg.NoUDP {
			return errNoUDP
		}
		if s.tunnel() != nil {
			return errTunnelUDP
		}
		if _, ok := clientPorts(spec); ok && spec.IsRTP() {
			return nil
		}
	}
	return errNoTransport
}

// isClient says that a destination, which may have a port (trap 11), is the player itself.
func (s *session) isClient(destination string) bool {
	host := destination
	if h, _, ok := rtspwire.SplitHostPort(destination); ok {
		host = h
	}
	addr, err := netip.ParseAddr(strings.Trim(host, "[]"))
	return err == nil && addr.Unmap() == s.clientAddr.Addr()
}

// clientPorts are the ports where the player wants its media: client_port, or the port hidden in destination (trap 11).
func clientPorts(spec *rtspwire.TransportSpec) (rtspwire.PortRange, bool) {
	if p, ok := spec.Ports("client_port"); ok {
		return p, p.Lo != 0 && p.Lo <= p.Hi // a range that runs backwards names no ports
	}
	if d, ok := spec.Param("destination"); ok {
		if _, port, ok := rtspwire.SplitHostPort(d); ok && port != 0 {
			return rtspwire.PortRange{Lo: port, Hi: port}, true
		}
	}
	return rtspwire.PortRange{}, false
}

// reserveAny reserves for the first alternative for which there is room: a player that offers TCP too need not be told
// that no UDP port is left.
func (s *session) reserveAny(plan *setupPlan) error {
	for {
		err := s.reserve(plan)
		if !errors.Is(err, udprelay.ErrPortsExhausted) || len(plan.offers) < 2 {
			return err
		}
		plan.offers = plan.offers[1:]
	}
}

// reserve binds what the offer in hand needs, before anything is promised to either side. It may be called again for
// another node: what is reserved for the one before is given back first, since it may face another local address.
func (s *session) reserve(plan *setupPlan) error {
	s.release(plan)
	spec := plan.offers[0]
	m := &media{publish: s.published || publishes(spec.Mode())}
	if spec.Lower() == rtspwire.LowerTCP {
		if err := s.reserveChannels(m, spec, plan.replaces); err != nil {
			return err
		}
		plan.media = m
		return nil
	}
	ports, _ := clientPorts(spec)
	if use := sharedFlow(plan.session, ports); use != nil {
		m.use = use
		use.refs++
		plan.media = m
		return nil
	}
	flow, err := s.proxy.cfg.Relay.Reserve(udprelay.Spec{
		ClientLocal: s.local.Addr(),
		OriginLocal: addrPortOf(s.origin.conn.LocalAddr()).Addr(),
		OriginPort:  s.ownPort(ports.Lo),
		Publish:     m.publish,
		Tap:         s.mediaTap(),
		Owner:       s.id,
	})
	if err != nil {
		return err
	}
	text, _ := spec.Param("client_port")
	m.use = &flowUse{flow: flow, refs: 1, clientPort: ports, clientText: text}
	plan.media = m
	return nil
}

// ownPort is the player's port if the origin sees the player's address, else 0: any of ours will do.
func (s *session) ownPort(port uint16) uint16 {
	cfg := &s.proxy.cfg
	if cfg.Transparent == nil || !cfg.Transparent(s.originAddr()) || addrPortOf(s.origin.conn.LocalAddr()).Addr() != s.clientAddr.Addr() {
		return 0
	}
	return port
}

// sharedFlow finds the flow of the session's streams that already go to that port of the player.
func sharedFlow(rs *rtspSession, ports rtspwire.PortRange) *flowUse {
	if rs == nil {
		return nil
	}
	return rs.flows[ports.Lo]
}

// publishes reads the mode parameter (RFC 2326, section 12.39); "receive" is what servers before it called RECORD.
func publishes(mode string) bool {
	for m := range strings.SplitSeq(mode, ",") {
		m = strings.Trim(m, "\" \t")
		if strings.EqualFold(m, "RECORD") || strings.EqualFold(m, "receive") {
			return true
		}
	}
	return false
}

// reserveChannels picks the channels of both sides: those the player asked for where they are free, or held by the very
// stream that is set up again.
func (s *session) reserveChannels(m *media, spec *rtspwire.TransportSpec, replaces *media) error {
	m.meter = new(udprelay.Meter)
	var ok bool
	if m.clientChannels, ok = channelsOf(spec); !ok || !s.channelsFree(sideClient, m.clientChannels, replaces) {
		if m.clientChannels, ok = s.freeChannels(sideClient); !ok {
			return errNoTransport
		}
	}
	m.originChannels = m.clientChannels
	if !s.channelsFree(sideOrigin, m.originChannels, replaces) {
		if m.originChannels, ok = s.freeChannels(sideOrigin); !ok {
			return errNoTransport
		}
	}
	return nil
}

// channelsOf reads the interleaved parameter. A channel alone is RTP's, RTCP has the next one (RFC 2326, section 12.39,
// wants at least two for RTP).
func channelsOf(spec *rtspwire.TransportSpec) ([2]uint8, bool) {
	lo, hi, ok := spec.Channels()
	if lo == hi {
		hi = lo + 1
	}
	return [2]uint8{lo, hi}, ok && lo < hi
}

// release gives back what the offer in hand had reserved.
func (s *session) release(plan *setupPlan) {
	m := plan.media
	plan.media = nil
	if m == nil || m.use == nil {
		return // channels are taken only when the SETUP has succeeded
	}
	if m.use.refs--; m.use.refs == 0 {
		m.use.flow.Close()
	}
}

// tryOtherTransport goes on to the player's next alternative when the origin does not have the one in hand: the player
// offered both, and would have to ask again.
func (s *session) tryOtherTransport(ex *exchange, resp *rtspwire.Response) bool {
	if resp.Status != 461 || ex.setup == nil || len(ex.setup.offers) < 2 {
		return false
	}
	s.release(ex.setup)
	ex.setup.offers = ex.setup.offers[1:]
	if err := s.forward(ex); err != nil {
		s.refuse(ex, err)
		s.nextRequest()
	}
	return true
}
