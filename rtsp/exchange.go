package rtsp

import (
	"errors"
	"strconv"
	"strings"
	"time"

	"go.uber.org/zap"

	"mediagate/rtsp/rtspwire"
)

// exchange is one request of the client on its way: what the client sent (never changed), and what became of it.
type exchange struct {
	in       *rtspwire.Request
	cseq     string       // the client's, as it wrote it
	session  *rtspSession // the RTSP session it names, nil: none
	setup    *setupPlan   // of a SETUP
	number   uint32       // the CSeq we gave it on the origin's side
	hops     int          // redirects to other nodes of the pool that we followed
	deadline time.Time
	limit    time.Time // the deadline is not put off beyond it
}

// onClientRequest takes a request in hand, or queues it behind the one that is: one at a time goes to the origin, so that
// answers leave in the order of the requests ([MS-RTSP] 3.1.5.2) and an origin that breaks can be replaced.
func (s *session) onClientRequest(req *rtspwire.Request) {
	s.rec.Requests++
	if s.phase == 'A' {
		s.phase = 'D'
	}
	if s.current == nil && len(s.queue) == 0 {
		s.startRequest(req)
		return
	}
	s.queue = append(s.queue, req)
}

// nextRequest takes the next queued request in hand when the present one is answered.
func (s *session) nextRequest() {
	for s.current == nil && len(s.queue) > 0 && s.end == nil {
		req := s.queue[0]
		s.queue = s.queue[1:]
		if s.held != nil {
			close(s.held)
			s.held = nil
		}
		s.startRequest(req)
	}
	s.depart()
}

// startRequest checks a request, and forwards or refuses it, or gives it to the session that it belongs to.
func (s *session) startRequest(req *rtspwire.Request) {
	if id := sessionID(req.Header.Get("Session")); id != "" && s.bound[id] == nil && s.handOver(req, id) {
		return
	}
	ex, err := s.admit(req)
	if err == nil {
		err = s.forward(ex)
	}
	if err != nil {
		s.refuse(ex, err)
	}
}

// admit checks what can be known before an origin is asked.
func (s *session) admit(req *rtspwire.Request) (*exchange, error) {
	ex := &exchange{in: req, cseq: req.Header.Get("CSeq")}
	switch {
	case req.Version != "RTSP/1.0":
		return ex, errVersion // RFC 2326, section 7.1.1
	case ex.cseq == "":
		return ex, errMissingCSeq // RFC 2326, section 12.17: every request MUST carry it; never guessed (trap 32)
	case !validURL(req.URL):
		return ex, errBadURL
	case req.Header.Has("Proxy-Require"):
		return ex, errProxyRequire
	case s.proxy.isLoop(req.Header.Values("Via")):
		return ex, errLoop
	}
	if s.rec.URL == "" || req.Method == methodDescribe {
		s.rec.URL = req.URL
	}
	if agent := req.Header.Get("User-Agent"); agent != "" && s.rec.UserAgent == "" {
		s.rec.UserAgent = agent
	}
	s.urls.sawClient(req.URL)
	st := stateNone
	if id := sessionID(req.Header.Get("Session")); id != "" {
		if ex.session = s.bound[id]; ex.session == nil {
			return ex, errNoSession
		}
		st = ex.session.state
	} else if len(s.bound) == 1 {
		for _, only := range s.bound {
			st = only.state // a player that forgets the field: the origin judges
		}
	}
	if err := judge(req.Method, st); err != nil {
		return ex, err
	}
	if req.Method == methodSetup {
		var err error
		ex.setup, err = s.planSetup(ex)
		return ex, err
	}
	return ex, nil
}

// validURL accepts what RFC 2326, section 6.1 allows, and what players send besides: any scheme, a path alone, "*".
func validURL(url string) bool {
	if url == "*" || strings.HasPrefix(url, "/") {
		return true
	}
	_, _, ok := rtspwire.Authority(url)
	return ok
}

// refuse answers a request that is not forwarded.
func (s *session) refuse(ex *exchange, err error) {
	if ex.setup != nil {
		s.release(ex.setup)
	}
	status := statusOf(err)
	resp := answer(status, ex.cseq)
	if errors.Is(err, errProxyRequire) {
		resp.Header.Add("Unsupported", ex.in.Header.Get("Proxy-Require")) // RFC 2326, section 12.42
	}
	s.log.Info("request refused", zap.String("method", ex.in.Method), zap.Int("status", status), zap.Error(err))
	s.refused = err
	s.respond(resp.Append)
	s.current = nil
}

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
		err := s.origin.out.message(out.Append)
		if err == nil {
			ex.expect(s.proxy.cfg.Timeouts.Response)
			s.current = ex
			return nil
		}
		if s.answered && len(s.bound) > 0 {
			s.endWith(s.endOriginGone(err))
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
		ex.putOff(s.proxy.cfg.Timeouts.Response) // RFC 2326, section 11.1: the answer is still to come
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
	out := s.rewriteResponse(ex, resp, rs)
	if ex.setup != nil {
		if err := s.finishSetup(ex, rs, resp, out); err != nil {
			s.refuse(ex, err)
			return
		}
	}
	if rs != nil {
		s.advance(rs, ex, resp.Status)
	}
	if ex.in.Method == methodAnnounce && resp.Status == 200 {
		s.published = true
	}
	s.respond(out.Append)
}

// advance moves the RTSP session's state, and lets go of what a TEARDOWN has freed.
func (s *session) advance(rs *rtspSession, ex *exchange, status int) {
	if ex.in.Method == methodTeardown && status >= 200 && status < 300 {
		s.teardown(rs, ex.in.URL)
		return
	}
	rs.state = next(rs.state, ex.in.Method, status)
	if rs.state != stateNone {
		s.phase = rs.state.phase()
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
