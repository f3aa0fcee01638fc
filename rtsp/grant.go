package rtsp

import (
	"net/netip"
	"slices"

	"go.uber.org/zap"

	"mediagate/rtsp/rtspwire"
	"mediagate/udprelay"
)

// retire ends a media: its figures are kept for the record.
func (s *session) retire(rs *rtspSession, m *media) {
	if m.use == nil {
		s.uninterleave(m)
		s.keep(m)
		return
	}
	if m.use.refs--; m.use.refs > 0 {
		return
	}
	if rs.flows[m.use.clientPort.Lo] == m.use {
		delete(rs.flows, m.use.clientPort.Lo)
	}
	m.use.flow.Close()
	s.keep(m)
}

// maxRetired is how many ended streams are kept, so that what still comes in for them is counted.
const maxRetired = 16

// keep puts an ended stream aside until the record is written; the oldest is counted now when there are many, so that a
// conversation of any length stays small.
func (s *session) keep(m *media) {
	s.retired = append(s.retired, m)
	if len(s.retired) > maxRetired {
		s.tally(s.rec, s.retired[0])
		s.retired = slices.Delete(s.retired, 0, 1)
	}
}

// adopt makes the planned media part of the RTSP session. A stream that is set up again (trap 17) replaces the one before.
func (s *session) adopt(rs *rtspSession, m *media) {
	if old := rs.mediaOf(m.url); old != nil {
		s.retire(rs, old)
		rs.media = slices.DeleteFunc(rs.media, func(x *media) bool { return x == old })
	}
	rs.media = append(rs.media, m)
	if m.use != nil {
		rs.flows[m.use.clientPort.Lo] = m.use
		return
	}
	s.interleave(m)
}

// finishSetup puts the negotiated transport into effect and writes it into the answer to the player.
func (s *session) finishSetup(ex *exchange, rs *rtspSession, resp, out *rtspwire.Response) error {
	plan := ex.setup
	if resp.Status < 200 || resp.Status > 299 {
		s.release(plan)
		return nil
	}
	if rs == nil {
		return errOriginBroke // RFC 2326, section 10.4: a SETUP that succeeds has a session
	}
	granted, err := rtspwire.ParseTransport(resp.Header.Values("Transport")...)
	if err != nil || len(granted) != 1 {
		s.log.Warn("origin grants no transport that can be read", zap.Error(err))
		return errOriginBroke
	}
	spec, m := granted[0], plan.media
	m.url = ex.in.URL
	if (spec.Lower() == rtspwire.LowerTCP) != (m.use == nil) || spec.Multicast() {
		s.log.Warn("origin grants another transport than was asked for", zap.String("transport", spec.String()))
		return errOriginBroke
	}
	if m.use == nil {
		s.grantInterleaved(m, spec)
	} else if err := s.grantUDP(m, spec); err != nil {
		return err
	}
	m.resend = s.described.isResend(m.url)
	s.described.clock(m)
	plan.media = nil // the session's from here on
	s.adopt(rs, m)
	out.Header.Set("Transport", spec.String())
	s.noteTransport(m)
	return nil
}

// grantInterleaved takes over the channels that the origin chose and tells the player its own.
func (s *session) grantInterleaved(m *media, spec *rtspwire.TransportSpec) {
	if channels, ok := channelsOf(spec); ok {
		m.originChannels = channels
	}
	spec.SetParam("interleaved", channelText(m.clientChannels))
	s.hideAddresses(spec)
}

// grantUDP connects both legs of the flow and tells the player our ports in place of the origin's.
func (s *session) grantUDP(m *media, spec *rtspwire.TransportSpec) error {
	use := m.use
	peer := s.originPeer(spec)
	use.peer = peer
	if err := use.flow.Connect(udprelay.Origin, peer); err != nil {
		return err
	}
	at := use.flow.OriginPair()
	s.rec.MediaSeenAs = netip.AddrPortFrom(at.Addr, at.RTP)
	if err := use.flow.Connect(udprelay.Client, clientPeer(s.clientAddr.Addr(), use.clientPort)); err != nil {
		return err
	}
	if ssrc, ok := spec.SSRC(); ok {
		use.flow.AddSSRC(ssrc)
	}
	if _, ok := spec.Param("client_port"); ok && use.clientText != "" {
		spec.SetParam("client_port", use.clientText) // ffmpeg reads its own port from it (players.md)
	}
	spec.SetParam("server_port", portText(use.flow.ClientPair(), true))
	s.hideAddresses(spec)
	return nil
}

// hideAddresses puts the gateway's and the player's address where the origin named its own and ours.
func (s *session) hideAddresses(spec *rtspwire.TransportSpec) {
	if _, ok := spec.Param("source"); ok {
		spec.SetParam("source", s.local.Addr().WithZone("").String())
	}
	if _, ok := spec.Param("destination"); ok {
		spec.SetParam("destination", s.clientAddr.Addr().WithZone("").String())
	}
}
