package mms

import (
	"time"

	"mediagate/mms/mmswire"
	"mediagate/udprelay"
)

const (
	// openIdle is how long a session with an open file may be silent on both sides: a paused player says nothing, and whether
	// it is still there is the origin's to ask. [MS-MMSP] 3.2.2: the server's Idle-Timeout is 3,600 seconds; a little more,
	// so that the origin decides first.
	openIdle = 3600*time.Second + 30*time.Second
	// closeGrace is how long the origin may take to close after CloseFile ([MS-MMSP] 3.2.5.17: it must close), and how long
	// the last words of a player may take that broke its connection off.
	closeGrace = time.Second
)

// nextDeadline is when onTimer or report must look again at the latest.
func (s *session) nextDeadline() time.Time {
	d := s.lifeDeadline()
	sooner := func(t time.Time) {
		if !t.IsZero() && t.Before(d) {
			d = t
		}
	}
	if s.script.running() {
		sooner(s.script.deadline)
	} else {
		for _, r := range s.pending {
			sooner(r.deadline)
		}
	}
	sooner(s.tailDeadline())
	if every := s.proxy.cfg.Interim; every > 0 {
		sooner(s.reported.Add(every))
	}
	return d
}

// lifeDeadline is when the conversation ends if nothing more is heard. Media counts as life: a control connection is
// quiet while a stream plays.
func (s *session) lifeDeadline() time.Time {
	t := &s.proxy.cfg.Timeouts
	switch {
	case s.cut != nil:
		return s.cutAt.Add(closeGrace)
	case s.said.connect == nil:
		return s.started.Add(t.FirstRequest)
	case s.closed:
		return s.heard.Add(closeGrace)
	case !s.open:
		return s.heard.Add(t.Idle)
	}
	return s.lastSign().Add(openIdle)
}

// lastSign is the last sign of life of either side.
func (s *session) lastSign() time.Time {
	last := s.heard
	later := func(t time.Time) {
		if t.After(last) {
			last = t
		}
	}
	if f := s.funnel.flow; f != nil {
		later(f.LastSeen(udprelay.Client))
		later(f.LastSeen(udprelay.Origin))
	}
	if n := s.media.last.Load(); n != 0 {
		later(time.Unix(0, n))
	}
	return last
}

// onTimer looks at every deadline.
func (s *session) onTimer(now time.Time) {
	if t := s.tailDeadline(); !t.IsZero() && !now.Before(t) {
		s.releaseTail()
	}
	if s.script.running() {
		if !now.Before(s.script.deadline) {
			s.nodeFailed(errOriginSilent)
			s.resume()
		}
		return
	}
	for _, r := range s.pending {
		if !r.deadline.IsZero() && !now.Before(r.deadline) {
			s.onResponseTimeout(r)
			return
		}
	}
	if !now.Before(s.lifeDeadline()) {
		s.endWith(s.endSilent())
	}
}

// onResponseTimeout deals with an origin that does not answer. Another is asked as long as the player has seen no file
// of this one.
func (s *session) onResponseTimeout(r request) {
	if s.mayRecite() {
		s.nodeFailed(errOriginSilent)
		return
	}
	s.refuse(r, errOriginSilent)
	s.endWith(s.endRefused(errOriginSilent))
}

// mayRecite says that another origin may take over: the player waits for one answer, and has not seen a file yet.
func (s *session) mayRecite() bool {
	if s.open || s.challenged || len(s.pending) != 1 {
		return false
	}
	switch s.pending[0].mid {
	case mmswire.MIDConnect, mmswire.MIDFunnelInfo, mmswire.MIDConnectFunnel, mmswire.MIDOpenFile:
		return true
	}
	return false
}
