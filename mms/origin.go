package mms

import (
	"net/netip"
	"slices"
	"time"

	"go.uber.org/zap"

	"mediagate/internal/sessionlog"
	"mediagate/mms/mmswire"
)

// onOrigin deals with a message of the origin.
func (s *session) onOrigin(m mmswire.Raw, sent uint64) {
	if s.script.running() {
		s.onScripted(m, sent)
		return
	}
	s.fromOrigin(m, sent)
}

// fromOrigin takes what the gateway needs from a message and passes it to the player, or acts upon it.
func (s *session) fromOrigin(m mmswire.Raw, sent uint64) {
	asked, solicited := s.settle(m.MID)
	msg, err := mmswire.Decode(m)
	if err != nil {
		s.log.Warn("message of the origin cannot be read", zap.Stringer("message", m.MID), zap.Error(err))
		if m.MID == mmswire.MIDReportRedirect {
			s.refuse(asked, errElsewhere) // an address may stand in it
			return
		}
		s.pass(m, sent)
		return
	}
	switch t := msg.(type) {
	case *mmswire.ReportFunnelInfo:
		m = s.rewriteFunnelInfo(m, t)
	case *mmswire.ReportConnectedFunnel:
		s.noteTransport()
	case *mmswire.ReportDisconnectedFunnel:
		s.refused = &refusalError{m.MID, t.HR}
		s.said.funnel = nil
		s.retireFlow()
	case *mmswire.SecurityChallenge:
		s.challenged = true // only this origin can check the response
	case *mmswire.ReportOpenFile:
		s.onFileReport(m.MID, t)
	case *mmswire.ReportReadBlock:
		if failed(t.HR) {
			s.refused = &refusalError{m.MID, t.HR}
		}
	case *mmswire.ReportStartedPlaying:
		s.onStarted(m.MID, t.HR)
	case *mmswire.ReportStartStriding:
		s.onStarted(m.MID, t.HR)
	case *mmswire.ReportRedirect:
		if s.onRedirect(asked, t) {
			return
		}
	case *mmswire.ReportStreamChange:
		s.finished = false // the next entry of a playlist follows
	case *mmswire.ReportEndOfStream:
		s.onEndOfStream(m, sent, t, solicited)
		return
	}
	s.pass(m, sent)
}

// settle takes the request that a message answers off the list.
func (s *session) settle(mid mmswire.MID) (request, bool) {
	r, _ := rowOf(mid)
	for i, p := range s.pending {
		if slices.Contains(r.answers, p.mid) {
			s.pending = slices.Delete(s.pending, i, i+1)
			return p, true
		}
	}
	return request{}, false
}

// pass writes a message of the origin to the player, behind an end of stream that waits.
func (s *session) pass(m mmswire.Raw, sent uint64) {
	if s.tail.waiting() {
		s.tail.add(m, sent)
		if len(s.tail.messages) >= maxTail {
			s.releaseTail()
		}
		return
	}
	s.toClient(m, sent)
	if m.MID == mmswire.MIDReportReadBlock && s.funnel.flow != nil {
		s.funnel.flow.Release()
	}
}

// onFileReport notes whether the file is open.
func (s *session) onFileReport(mid mmswire.MID, r *mmswire.ReportOpenFile) {
	if failed(r.HR) {
		s.refused = &refusalError{mid, r.HR}
		return
	}
	s.open, s.fileID = true, r.OpenFileID
	s.course.length = seconds(r.FileDuration)
	s.refused = nil
}

// onStarted notes whether it plays.
func (s *session) onStarted(mid mmswire.MID, hr uint32) {
	if failed(hr) {
		s.playing = false
		s.refused = &refusalError{mid, hr}
		return
	}
	s.refused = nil
	s.phase = sessionlog.PhasePlay
	s.rec.Mode = sessionlog.ModePlay
	s.course.start(time.Now())
}

// onOriginGone deals with the end of the origin connection, or with an answer that cannot be read.
func (s *session) onOriginGone(err error) {
	switch {
	case s.tail.waiting():
		s.tail.gone = err // the last datagrams may still be on their way
	case s.script.running():
		s.nodeFailed(brokeWith(err))
	case s.mayRecite():
		s.nodeFailed(brokeWith(err))
	default:
		for _, r := range s.pending {
			s.refuse(r, brokeWith(err))
		}
		s.endWith(s.endOriginGone(err))
	}
}

// onEndOfStream tells the player of the end, over UDP not before the last datagrams have come through. Observed: VLC
// stops at once when it hears of the end, and drops what has not arrived.
func (s *session) onEndOfStream(m mmswire.Raw, sent uint64, t *mmswire.ReportEndOfStream, solicited bool) {
	if solicited {
		s.pass(m, sent)
		return
	}
	s.playing = false
	s.course.stop(time.Now())
	s.finished = !moreFollows(t) && !failed(t.HR)
	s.broken = nil
	if failed(t.HR) {
		s.broken = &refusalError{m.MID, t.HR}
	}
	if s.funnel.flow != nil {
		s.holdTail(m, sent)
		return
	}
	s.pass(m, sent)
}

// moreFollows says that the end is only that of a playlist's entry ([MS-MMSP] 2.2.4.5: a StreamChange follows).
func moreFollows(t *mmswire.ReportEndOfStream) bool { return t.HR == 1 }

// rewriteFunnelInfo puts the identifier in place that the player gets from us.
func (s *session) rewriteFunnelInfo(m mmswire.Raw, t *mmswire.ReportFunnelInfo) mmswire.Raw {
	if failed(t.HR) {
		return m
	}
	s.learnID(t.NCubs)
	if t.NCubs == s.funnel.clientID {
		return m
	}
	t.NCubs = s.funnel.clientID
	return mmswire.Encode(t)
}

// noteTransport takes what was negotiated into the record; the last funnel counts, since a player falls back from UDP to
// TCP.
func (s *session) noteTransport() {
	s.refused = nil
	s.rec.Transport, s.rec.MediaSeenAs = sessionlog.TransportInterleaved, netip.AddrPort{}
	if s.funnel.port != 0 {
		s.rec.Transport = sessionlog.TransportUDP
	}
	if s.funnel.flow != nil {
		at := s.funnel.flow.OriginPair()
		s.rec.MediaSeenAs = netip.AddrPortFrom(at.Addr, at.RTP)
	}
}
