package mms

import (
	"errors"
	"maps"
	"slices"
	"time"

	"go.uber.org/zap"

	"mediagate/balancer"
	"mediagate/internal/sessionlog"
	"mediagate/mms/mmswire"
	"mediagate/udprelay"
)

func newRecord(s *session) *sessionlog.Record {
	return &sessionlog.Record{
		ID:            s.id,
		VirtualServer: s.proxy.cfg.VirtualServer,
		Protocol:      "mms",
		Client:        s.clientAddr,
		Local:         s.local,
		Start:         sessionlog.Stamp{Time: s.started},
		Drops:         make(map[string]uint64),
	}
}

// writeRecord completes the record and hands it over. All pumps have ended, so that nothing counts any more.
func (s *session) writeRecord() {
	r := s.rec
	s.sum(r)
	state, causes := s.outcome()
	r.Conclude(state, s.course.facts(s.media.last.Load()), causes...)
	s.logEnd(r.End)
	s.tap.End(r.End.String(), r.Why)
	s.proxy.cfg.Record(r)
}

// snapshot is the record as it is now: that of a session that goes on.
func (s *session) snapshot() *sessionlog.Record {
	r := *s.rec
	r.Drops, r.NodesTried = maps.Clone(s.rec.Drops), slices.Clone(s.rec.NodesTried)
	if f := s.funnel.flow; f != nil {
		s.tally(&r, f.Stats())
	}
	s.sum(&r)
	r.Interim, r.End.Phase = true, s.phase
	return &r
}

// sum takes what is counted elsewhere into a record.
func (s *session) sum(r *sessionlog.Record) {
	r.Duration = sessionlog.Seconds(time.Since(s.started))
	r.Setup = sessionlog.SecondsAfter(s.started, s.course.first)
	n, b := s.media.packets.Load(), s.media.bytes.Load()
	for _, t := range []*sessionlog.Traffic{&r.FromOrigin, &r.ToClient} {
		t.Packets += n
		t.Bytes += b
	}
	if n := s.media.first.Load(); n != 0 {
		s.noteFirst(r, time.Unix(0, n))
	}
	for reason, n := range map[string]uint64{"stray-data": s.media.stray.Load(), "write-error": s.media.unwritten.Load()} {
		if n != 0 {
			r.Drops[reason] += n
		}
	}
	r.ControlClient = sessionlog.Control{In: s.client.pace.n.Load(), Out: s.client.out.n.Load()}
	for _, p := range s.origins {
		r.ControlOrigin.In += p.pace.n.Load()
		r.ControlOrigin.Out += p.out.n.Load()
	}
}

// noteFirst takes the moment of the first media into a record, the earliest counts.
func (s *session) noteFirst(r *sessionlog.Record, t time.Time) {
	if first := sessionlog.SecondsAfter(s.started, t); first != nil && (r.FirstMedia == nil || *first < *r.FirstMedia) {
		r.FirstMedia = first
	}
}

// tally takes the figures of a flow into a record.
func (s *session) tally(r *sessionlog.Record, st udprelay.Stats) {
	add := func(t *sessionlog.Traffic, u udprelay.Traffic) {
		t.Packets += u.Packets
		t.Bytes += u.Bytes
	}
	add(&r.FromOrigin, st.FromOrigin)
	add(&r.ToClient, st.ToClient)
	add(&r.FromClient, st.FromClient)
	add(&r.ToOrigin, st.ToOrigin)
	r.Lost += st.Media.Lost
	r.Late += st.Media.Late
	r.Duplicate += st.Media.Duplicate
	r.ResendRequests += st.ResendRequests
	r.Resent += st.Resent
	for reason, n := range st.Drops {
		r.Drops[reason.String()] += n
	}
	s.noteFirst(r, st.FirstMedia)
	if r == s.rec {
		s.course.heard(st)
	}
}

// outcome is the end state with its sentence. A player that goes because nothing could be set up for it went because of
// the refusal: that names who ended the session.
func (s *session) outcome() (sessionlog.EndState, []sessionlog.Cause) {
	state := sessionlog.EndState{Who: s.end.who, Phase: s.phase}
	kind, fault := sessionlog.AfterRefusal, s.refused
	if s.rec.Mode != "" {
		kind, fault = sessionlog.AfterError, s.broken // it played: what was refused before is forgotten
	}
	if fault == nil || s.end.refusal {
		return state, []sessionlog.Cause{s.end.cause}
	}
	if v := judged(fault); v.who != 0 && (state.Who == sessionlog.WhoClient || state.Who == sessionlog.WhoNobody) {
		state.Who = v.who
	}
	switch {
	case errors.Is(fault, balancer.ErrNoNode):
		kind = sessionlog.AfterNoNode
	case errors.Is(fault, udprelay.ErrPortsExhausted):
		kind = sessionlog.AfterNoPorts
	}
	return state, []sessionlog.Cause{s.end.cause, {Kind: kind, Text: fault.Error()}}
}

// noteClientLog takes the player's own figures into the record; the last report counts ([MS-MMSP] 2.2.1).
func (s *session) noteClientLog(body []byte) {
	l, err := mmswire.ParseClientLog(body)
	if err != nil {
		s.log.Info("log of the player cannot be read", zap.Error(err))
		return
	}
	s.rec.ClientLog = clientLog(&l)
}
