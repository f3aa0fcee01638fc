package rtsp

import (
	"strconv"
	"time"

	"go.uber.org/zap"

	"mediagate/rtsp/rtspwire"
	"mediagate/udprelay"
)

// pushLimit is how many requests of an origin may wait for the player's answer; the oldest is given up for a new one.
const pushLimit = 16

// push is a request of the origin that the player has to answer (trap 23).
type push struct {
	number   uint32 // the CSeq we gave it on the client's side
	cseq     string // the origin's
	session  *rtspSession
	deadline time.Time
}

// pushes are the ones that wait, oldest first, and the CSeq space of our requests to the player.
type pushes struct {
	waiting []push
	number  uint32
}

func (p *pushes) add(cseq string, rs *rtspSession, deadline time.Time) uint32 {
	if len(p.waiting) >= pushLimit {
		p.waiting = p.waiting[1:]
	}
	p.number++
	p.waiting = append(p.waiting, push{number: p.number, cseq: cseq, session: rs, deadline: deadline})
	return p.number
}

// take finds the request that an answer is for: by CSeq, or the oldest when the answer has none (ffmpeg's 501, players.md).
func (p *pushes) take(cseq string) (push, bool) {
	if len(p.waiting) == 0 {
		return push{}, false
	}
	i := 0
	if cseq != "" {
		for i = range p.waiting {
			if strconv.FormatUint(uint64(p.waiting[i].number), 10) == cseq {
				break
			}
			if i == len(p.waiting)-1 {
				return push{}, false
			}
		}
	}
	found := p.waiting[i]
	p.waiting = append(p.waiting[:i], p.waiting[i+1:]...)
	return found, true
}

func (p *pushes) deadline() (time.Time, bool) {
	if len(p.waiting) == 0 {
		return time.Time{}, false
	}
	return p.waiting[0].deadline, true
}

// expire gives up what the player has not answered: some players never do (players.md).
func (p *pushes) expire(now time.Time) {
	for len(p.waiting) > 0 && !now.Before(p.waiting[0].deadline) {
		p.waiting = p.waiting[1:]
	}
}

// onOriginRequest carries a request of the origin to the player: SET_PARAMETER at the end of the stream ([MS-RTSP]
// 2.2.7.3), ANNOUNCE of the next playlist entry (2.2.7.1), REDIRECT (RFC 2326, section 10.10), PLAY_NOTIFY.
func (s *session) onOriginRequest(in *rtspwire.Request) {
	cseq := in.Header.Get("CSeq")
	if s.client == nil {
		s.toOrigin(answer(statusOf(errDetached), cseq))
		return
	}
	var rs *rtspSession
	if id := sessionID(in.Header.Get("Session")); id != "" {
		for _, b := range s.bound {
			if b.origin == id {
				rs = b
			}
		}
		if rs == nil {
			s.toOrigin(answer(statusOf(errNoSession), cseq))
			return
		}
	}
	out := in.Clone()
	out.URL = s.urls.toClient(in.URL)
	s.rewriteOriginFields(&out.Header)
	if rs != nil {
		out.Header.Edit("Session", func(v string) string { return withSessionID(v, rs.id) })
		out.Header.Edit("X-RTP-Info", func(v string) string { return s.moveFlows(rs, v) })
	}
	if mediaType(in.Header.Get("Content-Type")) == "application/sdp" {
		setBody(in.Body, s.rewriteSDP(in.Body), out.SetBody)
	}
	number := s.pushes.add(cseq, rs, time.Now().Add(s.proxy.cfg.Timeouts.Response))
	out.Header.Set("CSeq", strconv.FormatUint(uint64(number), 10))
	s.log.Debug("request from origin", zap.String("method", in.Method))
	s.toClient(out.Append)
	s.streamEnd = endsStream(in) || s.streamEnd && in.Method != methodAnnounce // the next playlist entry
}

// onClientResponse carries the player's answer back.
func (s *session) onClientResponse(in *rtspwire.Response) {
	p, ok := s.pushes.take(in.Header.Get("CSeq"))
	if !ok {
		s.log.Debug("answer of the player that nobody waits for", zap.Int("status", in.Status))
		return
	}
	out := in.Clone()
	out.Header.Set("CSeq", p.cseq)
	if p.session != nil {
		out.Header.Edit("Session", func(v string) string { return withSessionID(v, p.session.origin) })
	}
	s.toOrigin(out)
}

// toOrigin writes an answer to the origin; an origin that is gone is noticed by its pump.
func (s *session) toOrigin(resp *rtspwire.Response) {
	if s.origin != nil {
		_ = s.origin.out.message(resp.Append)
	}
}

// moveFlows follows the transport parameters of an ANNOUNCE ([MS-RTSP] 2.2.6.27): the next playlist entry may come from
// other ports of the origin and with other SSRCs, to the same ports of the player. The value is edited for the player.
func (s *session) moveFlows(rs *rtspSession, value string) string {
	info := rtspwire.ParseRTPInfo(value)
	for _, e := range info {
		rs.moveChannels(e)
		ours, ok := e.Ports("client_port")
		if !ok {
			continue
		}
		use := rs.flowTo(ours.Lo)
		if use == nil {
			s.log.Warn("announce names a port that no flow has", zap.Uint16("port", ours.Lo))
			continue
		}
		if server, ok := e.Ports("server_port"); ok && server.Lo != 0 {
			peer := use.peer
			peer.RTP = server.Lo
			if server.Pair {
				peer.RTCP = server.Hi
			} else if server.Lo != use.peer.RTP {
				peer.RTCP = server.Lo + 1
			}
			use.peer = peer
			if err := use.flow.Connect(udprelay.Origin, peer); err != nil {
				s.log.Warn("flow cannot follow the announce", zap.Error(err))
			}
			e.SetParam("server_port", portText(use.flow.ClientPair(), server.Pair))
		}
		if text, ok := e.Param("ssrc"); ok {
			if ssrc, err := strconv.ParseUint(text, 16, 32); err == nil {
				use.flow.AddSSRC(uint32(ssrc))
			}
		}
		e.SetParam("client_port", clientPortText(use, ours.Pair))
	}
	return info.String()
}

// clientPortText is the player's port in the form of the entry: as it wrote it, or without the second port.
func clientPortText(use *flowUse, pair bool) string {
	if !pair || use.clientText == "" {
		return utoa(use.clientPort.Lo)
	}
	return use.clientText
}

// flowTo finds the flow that we offered to the origin under a port.
func (rs *rtspSession) flowTo(port uint16) *flowUse {
	for _, use := range rs.flows {
		if use.flow.OriginPair().RTP == port {
			return use
		}
	}
	return nil
}

// moveChannels writes the player's channels in place of the origin's.
func (rs *rtspSession) moveChannels(e *rtspwire.RTPInfoEntry) {
	text, ok := e.Param("interleaved")
	if !ok {
		return
	}
	for _, m := range rs.media {
		if m.use == nil && channelText(m.originChannels) == text {
			e.SetParam("interleaved", channelText(m.clientChannels))
		}
	}
}
