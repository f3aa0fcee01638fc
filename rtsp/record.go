package rtsp

import (
	"errors"
	"maps"
	"slices"
	"time"

	"mediagate/internal/sessionlog"
	"mediagate/udprelay"
)

func newRecord(s *session) *sessionlog.Record {
	return &sessionlog.Record{
		ID:            s.id,
		VirtualServer: s.proxy.cfg.VirtualServer,
		Protocol:      "rtsp",
		Client:        s.clientAddr,
		Local:         s.local,
		Start:         sessionlog.Stamp{Time: s.life.started},
		Drops:         make(map[string]uint64),
	}
}

// noteTransport takes what was negotiated into the record; the last SETUP counts, since a player falls back from UDP to TCP.
func (s *session) noteTransport(m *media) {
	s.rec.Transport = sessionlog.TransportInterleaved
	switch {
	case m.use != nil:
		s.rec.Transport = sessionlog.TransportUDP
	case s.tunnel() != nil:
		s.rec.Transport = sessionlog.TransportTunnelled
	}
	s.rec.Mode = sessionlog.ModePlay
	if m.publish {
		s.rec.Mode = sessionlog.ModeRecord
	}
}

// writeRecord completes the record and hands it over. All pumps have ended, so that nothing counts any more.
func (s *session) writeRecord() {
	r := s.rec
	s.sum(r, s.retired)
	for _, p := range s.peers {
		s.count(p)
	}
	state, causes := s.outcome()
	r.Conclude(state, s.facts(), causes...)
	s.logEnd(r.End)
	s.tap.End(r.End.String(), r.Why)
	s.proxy.cfg.Record(r)
}

// snapshot is the record as it is now: that of a session that goes on.
func (s *session) snapshot() *sessionlog.Record {
	r := *s.rec
	r.Drops, r.NodesTried = maps.Clone(s.rec.Drops), slices.Clone(s.rec.NodesTried)
	all := slices.Clone(s.retired)
	for _, rs := range s.bound {
		all = append(all, rs.media...)
	}
	s.sum(&r, all)
	for _, p := range s.peers {
		if p.owner.Load() == s {
			p.countControl(&r)
		}
	}
	r.Interim, r.End.Phase = true, s.phase
	return &r
}

// sum takes the figures of streams into a record, each flow once.
func (s *session) sum(r *sessionlog.Record, all []*media) {
	until := time.Now()
	if !s.over.IsZero() {
		until = s.over
	}
	r.Duration = sessionlog.Seconds(until.Sub(s.life.started))
	seen := make(map[*flowUse]bool)
	for _, m := range all {
		if m.use == nil || !seen[m.use] {
			s.tally(r, m)
		}
		if m.use != nil {
			seen[m.use] = true
		}
	}
	if n := s.firstFrame.Load(); n != 0 {
		s.firstMedia = earliest(s.firstMedia, time.Unix(0, n))
	}
	r.Setup = sessionlog.SecondsAfter(s.life.started, s.course.first)
	r.FirstMedia = sessionlog.SecondsAfter(s.life.started, s.firstMedia)
	for reason, n := range map[string]uint64{"unknown-channel": s.stray.Load(), "write-error": s.unwritten.Load()} {
		if n != 0 {
			r.Drops[reason] += n
		}
	}
}

// joined notes a connection, and counts and forgets those that have ended: a conversation may have any number of them
// one after the other.
func (s *session) joined(p *peer) {
	s.peers = append(slices.DeleteFunc(s.peers, func(old *peer) bool {
		select {
		case <-old.done:
			s.count(old)
			return true
		default:
			return false
		}
	}), p)
}

// count takes the bytes of a connection whose pump has ended into the record.
func (s *session) count(p *peer) {
	if p.owner.Load() != s {
		return // it went over to another session, which counts it
	}
	p.countControl(s.rec)
	s.rec.SkippedBytes += p.reader.Skipped()
}

// countControl adds the bytes of a connection, which may go on, to a record.
func (p *peer) countControl(r *sessionlog.Record) {
	control := &r.ControlClient
	if p.side == sideOrigin {
		control = &r.ControlOrigin
	}
	control.In += p.pace.n.Load()
	control.Out += p.out.n.Load()
}

// tally takes the figures of a stream into a record.
func (s *session) tally(r *sessionlog.Record, m *media) {
	if m.use == nil {
		addInterleaved(r, m)
		addMedia(r, m, m.meter.Stats())
		return
	}
	st := m.use.flow.Stats()
	addFlow(r, st)
	addMedia(r, m, st.Media)
	if r == s.rec { // not a snapshot: once for each flow
		s.course.heard(st)
	}
	if !m.resend {
		s.firstMedia = earliest(s.firstMedia, st.FirstMedia)
	}
}

// outcome is the end state with its sentence. A player that goes because nothing could be set up for it went because of
// the refusal: that names who ended the session.
func (s *session) outcome() (sessionlog.EndState, []sessionlog.Cause) {
	state := sessionlog.EndState{Who: s.end.who, Phase: s.phase}
	if !s.over.IsZero() && s.end.who != sessionlog.WhoInternal {
		state, why := s.endOver()
		return state, []sessionlog.Cause{why}
	}
	gone := s.end.who == sessionlog.WhoClient || s.end.who == sessionlog.WhoClientTimeout
	if !gone || s.course.played() || s.rec.Transport != "" && !errors.Is(s.refused, udprelay.ErrPortsExhausted) {
		return state, []sessionlog.Cause{s.end.cause}
	}
	if s.refused == nil && s.declined.Kind != "" {
		state.Who = sessionlog.WhoOrigin
		return state, []sessionlog.Cause{s.end.cause, s.declined}
	}
	if s.refused == nil || errors.Is(s.end.err, s.refused) {
		return state, []sessionlog.Cause{s.end.cause} // the last is a refusal that ended it: it says so
	}
	if who, ok := blame(s.refused); ok {
		state.Who = who
	}
	return state, []sessionlog.Cause{s.end.cause, afterRefusal(s.refused)}
}

func earliest(a, b time.Time) time.Time {
	if a.IsZero() || (!b.IsZero() && b.Before(a)) {
		return b
	}
	return a
}

func addFlow(r *sessionlog.Record, st udprelay.Stats) {
	add := func(t *sessionlog.Traffic, u udprelay.Traffic) {
		t.Packets += u.Packets
		t.Bytes += u.Bytes
	}
	add(&r.FromOrigin, st.FromOrigin)
	add(&r.ToClient, st.ToClient)
	add(&r.FromClient, st.FromClient)
	add(&r.ToOrigin, st.ToOrigin)
	r.RTCPLost += st.RTCPLost
	r.ResendRequests += st.ResendRequests
	for reason, n := range st.Drops {
		r.Drops[reason.String()] += n
	}
}

// addMedia adds what was measured of a stream. The gaps in a retransmission stream are no loss: it has only what was lost
// before ([MS-RTSP] 2.2.3.1).
func addMedia(r *sessionlog.Record, m *media, st udprelay.MediaStats) {
	if m.resend {
		r.Resent += st.Packets
		return
	}
	r.Lost += st.Lost
	r.Late += st.Late
	r.Duplicate += st.Duplicate
	r.Jitter = max(r.Jitter, sessionlog.Millis(st.Jitter))
}

func addInterleaved(r *sessionlog.Record, m *media) {
	for i := range 2 {
		if down := m.down[i]; down != nil {
			n, b := down.packets.Load(), down.bytes.Load()
			r.FromOrigin.Packets += n
			r.FromOrigin.Bytes += b
			r.ToClient.Packets += n
			r.ToClient.Bytes += b
		}
		if up := m.up[i]; up != nil {
			n, b := up.packets.Load(), up.bytes.Load()
			r.FromClient.Packets += n
			r.FromClient.Bytes += b
			r.ToOrigin.Packets += n
			r.ToOrigin.Bytes += b
		}
	}
}
