package rtsp

import (
	"errors"
	"slices"
	"strings"
	"time"

	"go.uber.org/zap"

	"mediagate/internal/capture"
	"mediagate/rtsp/rtspwire"
)

// exchange is one request of the client on its way: what the client sent (never changed), and what became of it.
type exchange struct {
	asked
	cseq     string       // the client's, as it wrote it
	session  *rtspSession // the RTSP session it names, nil: none
	implied  *rtspSession // the only one there is, when it names none
	setup    *setupPlan   // of a SETUP
	number   uint32       // the CSeq we gave it on the origin's side
	hops     int          // redirects to other nodes of the pool that we followed
	again    bool         // it was sent again, since the connection was closed that had answered before
	deadline time.Time
	limit    time.Time // the deadline is not put off beyond it
}

// asked is a request and the connection it came by. Its answer goes there or nowhere: a player that has come back on a
// new connection does not wait for what it asked on the old one.
type asked struct {
	in *rtspwire.Request
	by *peer
}

// size is what a waiting request holds, roughly.
func (a asked) size() int {
	n := len(a.in.URL) + len(a.in.Body)
	for name, value := range a.in.Header.All() {
		n += len(name) + len(value)
	}
	return n
}

// queueBytes is how much may wait behind the request in hand, besides Config.Pipeline: a few large bodies are as much as
// many small requests.
const queueBytes = 256 << 10

// full says that the client shall be read no further.
func (s *session) full() bool {
	n := 0
	for _, a := range s.queue {
		n += a.size()
	}
	return len(s.queue) >= s.proxy.cfg.Pipeline || n >= queueBytes
}

// onClientRequest takes a request in hand, or queues it behind the one that is: one at a time goes to the origin, so that
// answers leave in the order of the requests ([MS-RTSP] 3.1.5.2) and an origin that breaks can be replaced.
func (s *session) onClientRequest(req asked) {
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
		s.queue = slices.Delete(s.queue, 0, 1)
		if s.held != nil && !s.full() {
			close(s.held)
			s.held = nil
		}
		s.startRequest(req)
	}
	s.depart()
}

// startRequest checks a request, and forwards or refuses it, or gives it to the session that it belongs to.
func (s *session) startRequest(req asked) {
	if id := sessionID(req.in.Header.Get("Session")); id != "" && s.bound[id] == nil && s.handOver(req, id) {
		return
	}
	if req.in.Method != methodTeardown {
		s.over = time.Time{} // it goes on
	}
	s.tried = nil // a node that failed the request before may be well again
	ex, err := s.admit(req)
	if err == nil && !ex.buries() {
		err = s.forward(ex)
	}
	switch {
	case ex.buries():
		s.bury(ex)
	case err != nil:
		s.refuse(ex, err)
	}
}

// admit checks what can be known before an origin is asked.
func (s *session) admit(a asked) (*exchange, error) {
	req := a.in
	ex := &exchange{asked: a, cseq: req.Header.Get("CSeq")}
	switch {
	case req.Version != "RTSP/1.0":
		return ex, errVersion // RFC 2326, section 7.1.1
	case ex.cseq == "":
		return ex, errMissingCSeq // RFC 2326, section 12.17: every request MUST carry it; never guessed (trap 32)
	case s.surplus:
		return ex, errBusy
	case !validURL(req.URL):
		return ex, errBadURL
	case req.Header.Has("Proxy-Require"):
		return ex, errProxyRequire
	case s.proxy.isLoop(req.Header.Values("Via")):
		return ex, errLoop
	}
	if s.rec.URL == "" || req.Method == methodDescribe {
		s.rec.URL = maskURL(req.URL)
	}
	if agent := req.Header.Get("User-Agent"); agent != "" && s.rec.UserAgent == "" {
		s.rec.UserAgent = agent
	}
	s.tap.Learn(capture.Facts{URL: s.rec.URL, UserAgent: s.rec.UserAgent})
	s.urls.sawClient(req.URL)
	st, err := s.whose(ex)
	if err != nil {
		return ex, err
	}
	if err := judge(req.Method, st); err != nil {
		return ex, err
	}
	if req.Method == methodSetup {
		if s.phase == 'D' {
			s.phase = 'S'
		}
		var err error
		ex.setup, err = s.planSetup(ex)
		return ex, err
	}
	return ex, nil
}

// whose finds the RTSP session that a request is about, and says where it stands.
func (s *session) whose(ex *exchange) (state, error) {
	if id := sessionID(ex.in.Header.Get("Session")); id != "" {
		if ex.session = s.bound[id]; ex.session == nil {
			return stateNone, errNoSession
		}
		return ex.session.state, nil
	}
	if len(s.bound) == 1 {
		for _, only := range s.bound {
			ex.implied = only // a player that forgets the field: the origin judges
			return only.state, nil
		}
	}
	return stateNone, nil
}

// validURL accepts what RFC 2326, section 6.1 allows, and what players send besides: any scheme, a path alone, "*".
func validURL(url string) bool {
	if url == "*" || strings.HasPrefix(url, "/") {
		return true
	}
	_, _, ok := rtspwire.Authority(url)
	return ok
}

// speaksHTTP says that a request is HTTP. What follows it cannot be told from a body of any length (RFC 2326 ends there),
// and an HTTP client understands no answer of ours but the end of its connection.
func speaksHTTP(req *rtspwire.Request) bool {
	return strings.HasPrefix(strings.ToUpper(req.Version), "HTTP/")
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
	s.noteTeardown(ex, err)
	s.respond(ex, resp.Append)
	s.current = nil
	switch {
	case speaksHTTP(ex.in):
		s.endWith(s.endHTTP(ex.in, err))
	case errors.Is(err, errBusy):
		s.endWith(endBusy(err))
	}
}
