package rtsp

import (
	"strconv"
	"time"

	"go.uber.org/zap"

	"mediagate/rtsp/rtspwire"
)

// forward sends the exchange to the origin, choosing and connecting one if there is none, and the next one if it breaks
// before its first answer. What the client sent is whole, so each attempt starts from it.
func (s *session) forward(ex *exchange) error {
	for {
		if err := s.connect(ex); err != nil {
			return err
		}
		if ex.setup != nil {
			if err := s.reserveAny(ex.setup); err != nil {
				return err
			}
		}
		s.originCSeq++
		ex.number = s.originCSeq
		out := s.rewriteRequest(ex)
		s.holdJitter(ex, true)
		err := s.origin.out.message(out.Append)
		if err == nil {
			ex.expect(s.proxy.cfg.Timeouts.Response)
			s.current = ex
			return nil
		}
		if s.answered && len(s.bound) > 0 {
			if s.originDone(err) {
				return errOriginBroke
			}
			s.endWith(s.endWriteFailed(sideOrigin, err))
			return errOriginBroke
		}
		s.dropOrigin(err)
	}
}

// expect starts the wait for the answer.
func (ex *exchange) expect(d time.Duration) {
	now := time.Now()
	ex.deadline, ex.limit = now.Add(d), now.Add(maxPatience*d)
}

// maxPatience times Timeouts.Response is how long an origin may put its answer off with provisional ones.
const maxPatience = 6

func (ex *exchange) putOff(d time.Duration) {
	ex.deadline = time.Now().Add(d)
	if ex.deadline.After(ex.limit) {
		ex.deadline = ex.limit
	}
}

// onOriginResponse matches an answer of the origin to the request in hand.
func (s *session) onOriginResponse(resp *rtspwire.Response) {
	ex := s.current
	number, err := strconv.ParseUint(resp.Header.Get("CSeq"), 10, 32)
	if ex == nil || (err == nil && uint32(number) != ex.number) {
		s.log.Debug("answer that nobody waits for", zap.Int("status", resp.Status))
		return
	}
	s.answered = true
	if resp.Status >= 100 && resp.Status < 200 {
		ex.putOff(s.proxy.cfg.Timeouts.Response) // RFC 2326, section 7.1.1, 1xx: the answer is still to come
		return
	}
	s.current = nil
	if s.tryOtherTransport(ex, resp) || s.followRedirect(ex, resp) {
		return
	}
	s.complete(ex, resp)
	s.nextRequest()
}

// complete takes an answer's effect on the session over and passes the answer on.
func (s *session) complete(ex *exchange, resp *rtspwire.Response) {
	rs := s.bind(ex, resp)
	if rs == nil && resp.Status < 300 && ex.in.Method != methodSetup {
		rs = ex.implied // the origin took it for that session's
	}
	s.noteAnswer(ex, resp)
	out := s.rewriteResponse(ex, resp, rs)
	if ex.setup != nil {
		if err := s.finishSetup(ex, rs, resp, out); err != nil {
			s.refuse(ex, err)
			return
		}
	}
	if rs != nil {
		s.noteTeardown(ex, refusal(resp.Status))
		s.advance(rs, ex, resp.Status)
	}
	if ex.in.Method == methodAnnounce && resp.Status < 300 {
		s.published = true
	}
	s.respond(ex, out.Append)
}

// advance moves the RTSP session's state, and lets go of what a TEARDOWN has freed.
func (s *session) advance(rs *rtspSession, ex *exchange, status int) {
	if ex.in.Method == methodTeardown && status >= 200 && status < 300 {
		s.teardown(rs, ex.in.URL)
		return
	}
	if ex.in.Method == methodTeardown && status == 454 {
		s.tearDownWhole(rs) // what it asked for is so
		return
	}
	rs.state = next(rs.state, ex.in.Method, status)
	if status < 300 && (ex.in.Method == methodPlay || ex.in.Method == methodRecord) && ex.in.URL != "*" {
		rs.whole = ex.in.URL
	}
	if status < 300 && ex.in.Method == methodPlay {
		s.streamEnd, rs.done = false, false
	}
	if rs.state != stateNone {
		s.phase = rs.phase()
		return
	}
	if status == 454 {
		s.unbind(rs)
	}
}

// followRedirect goes to another node of the pool when the origin sends the player there before any session exists: the
// player is spared the round trip and never learns the node's address. Anywhere else a redirect passes.
func (s *session) followRedirect(ex *exchange, resp *rtspwire.Response) bool {
	if resp.Status < 301 || resp.Status > 305 || resp.Status == 304 || len(s.bound) > 0 || ex.hops >= maxHops {
		return false
	}
	location := resp.Header.Get("Location")
	node, ok := s.nodeOf(location)
	if !ok || node.Name == s.lease.Node().Name {
		return false
	}
	ex.hops++
	s.urls.forget(node.Name)
	s.urls.remember(ex.in.URL, location)
	s.log.Info("redirect followed", zap.String("node", node.Name))
	s.closeOrigin()
	s.prefer = node.Name
	if err := s.forward(ex); err != nil {
		s.refuse(ex, err)
		s.nextRequest()
	}
	return true
}

// maxHops bounds the redirects followed for one request.
const maxHops = 3
