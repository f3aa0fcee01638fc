package rtsp

import (
	"time"

	"mediagate/udprelay"
)

// lifeGrace is added to the origin's session timeout, so that the origin, whose timeout it is, decides first.
const lifeGrace = 10 * time.Second

// defaultTimeout is the session timeout when the origin names none (RFC 2326, section 12.37).
const defaultTimeout = 60 * time.Second

// nextDeadline is when onTimer or report must look again at the latest. While an answer is awaited the player cannot be expected to
// speak, and only the answer's deadline counts.
func (s *session) nextDeadline() time.Time {
	d := s.lifeDeadline()
	if s.current != nil {
		d = s.current.deadline
	}
	if t, ok := s.pushes.deadline(); ok && t.Before(d) {
		d = t
	}
	if every := s.proxy.cfg.Interim; every > 0 && s.reported.Add(every).Before(d) {
		d = s.reported.Add(every)
	}
	return d
}

// lifeDeadline is when the conversation ends if nothing more is heard.
func (s *session) lifeDeadline() time.Time {
	t := &s.proxy.cfg.Timeouts
	switch {
	case s.half != nil:
		return s.halfUntil
	case s.surplus:
		return s.life.started.Add(min(surplusWait, t.FirstRequest))
	case !s.life.spoken:
		return s.life.started.Add(t.FirstRequest)
	case !s.over.IsZero() && !s.tornDown:
		return s.over.Add(curtain)
	case len(s.bound) == 0:
		return s.life.spoke.Add(t.Idle)
	}
	return s.lastSign().Add(s.sessionTimeout() + lifeGrace)
}

// sessionTimeout is the longest that one of the RTSP sessions allows.
func (s *session) sessionTimeout() time.Duration {
	var longest time.Duration
	for _, rs := range s.bound {
		longest = max(longest, rs.timeout)
	}
	return longest
}

// lastSign is the last sign of life. A player's requests, its RTCP and its media count always. The origin's media counts
// while the player's connection is open: a player over TCP sends no keep-alives ([MS-RTSP] 3.1.5.10, trap 25). Once the
// connection is closed, only what comes from the player itself counts.
func (s *session) lastSign() time.Time {
	last := s.life.spoke
	later := func(t time.Time) {
		if t.After(last) {
			last = t
		}
	}
	for _, rs := range s.bound {
		for _, use := range rs.flows {
			later(use.flow.LastSeen(udprelay.Client))
			if s.client != nil {
				later(use.flow.LastSeen(udprelay.Origin))
			}
		}
	}
	if n := s.lastFrame.Load(); n != 0 {
		later(time.Unix(0, n))
	}
	return last
}

// onTimer looks at every deadline.
func (s *session) onTimer(now time.Time) {
	if s.current != nil && !now.Before(s.current.deadline) {
		s.onResponseTimeout()
	}
	s.pushes.expire(now)
	if s.current == nil && !now.Before(s.lifeDeadline()) {
		if s.half != nil {
			s.onPostTimeout()
			return
		}
		if s.surplus {
			s.reply(statusOf(errBusy), "")
			s.endWith(endBusy(errBusy))
		}
		s.endWith(s.endSilent())
	}
}
