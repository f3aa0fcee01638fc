package httpfallback

import (
	"errors"
	"fmt"
	"net/http"
	"runtime/debug"
	"strconv"
	"syscall"
	"time"

	"go.uber.org/zap"

	"mediagate/balancer"
	"mediagate/internal/sessionlog"
)

// end says why a session ended, as far as its last exchange tells: who, in which phase, and a sentence.
type end struct {
	who, phase byte
	cause      sessionlog.Cause
}

// settle takes what an exchange was into its session, whatever ended it: a panic is how net/http is told to break a
// connection off.
func (p *Proxy) settle(ex *exchange) {
	v := recover()
	if v != nil && v != http.ErrAbortHandler {
		ex.err = fmt.Errorf("httpfallback: serve request: panic: %v", v)
		ex.log.Error("request ended by a fault of the gateway", zap.Any("panic", v), zap.ByteString("stack", debug.Stack()))
	}
	// A player that has its whole answer may be gone before the handler is: that broke nothing off.
	if cut := v != nil || ex.err != nil; cut && ex.clientErr == nil {
		ex.clientErr = ex.in.Context().Err()
	}
	p.mu.Lock()
	p.tallyLocked(ex)
	p.mu.Unlock()
	if v != nil {
		panic(http.ErrAbortHandler)
	}
}

func (p *Proxy) tallyLocked(ex *exchange) {
	s, now := ex.session, time.Now()
	r := s.rec
	ex.link.countLocked(s)
	if ex.streamed() {
		r.Mode = sessionlog.ModePlay
		r.FromOrigin.Packets += ex.fromOrigin.packets
		r.FromOrigin.Bytes += ex.fromOrigin.bytes
		r.ToClient.Packets += ex.toClient.packets
		r.ToClient.Bytes += ex.toClient.bytes
		if first := sessionlog.SecondsAfter(r.Start.Time, ex.fromOrigin.first); r.FirstMedia == nil || *first < *r.FirstMedia {
			r.FirstMedia = first
		}
	}
	delete(s.exchanges, ex)
	if ex.tapped {
		s.streaming--
	}
	s.linger = p.lingerOf(ex)
	if ex.report != nil && ex.err == nil {
		r.ClientLog = ex.report.clientLog()
	}
	s.logged = s.logged || ex.logged()
	// A player sends its log and closes its stream in either order: what it broke off then is no news.
	if e, ok := ex.ending(); ok && (ex.logged() || !s.logged) {
		s.outcome = e
	}
	if s.killed != "" {
		s.outcome, s.linger = s.slain(), 0
	}
	r.Duration = sessionlog.Seconds(now.Sub(r.Start.Time))
	p.players.touch(s.player, now)
	s.player.busy--
	if s.inFlight--; s.inFlight == 0 {
		s.timer.Reset(s.linger)
	}
}

// streamed says that media went by.
func (ex *exchange) streamed() bool { return !ex.fromOrigin.first.IsZero() }

// lingerOf is how long the session waits for the player's next request. The caller holds Proxy.mu.
func (p *Proxy) lingerOf(ex *exchange) time.Duration {
	switch {
	case ex.logged() || ex.session.logged: // the stream that it was about may end after it
		return min(p.cfg.Linger, afterLog)
	case ex.pragma.keepAlive || ex.in.Method == http.MethodOptions:
		return min(max(p.cfg.Linger, time.Duration(ex.timeout)*time.Millisecond+afterTimeout), max(p.cfg.Affinity, p.cfg.Linger))
	}
	return p.cfg.Linger
}

// logged says that the origin took the player's log.
func (ex *exchange) logged() bool {
	return ex.report != nil && ex.err == nil && ex.status > 0 && ex.status < http.StatusBadRequest
}

// ending is what the exchange says of the session's end, if it says anything: a KeepAlive does not.
func (ex *exchange) ending() (end, bool) {
	const describe, play, teardown = sessionlog.PhaseDescribe, sessionlog.PhasePlay, sessionlog.PhaseTeardown
	node := ex.node.Name
	switch {
	case ex.proxy.killed.Load() && ex.clientErr != nil:
		return end{sessionlog.WhoGateway, ex.phase(), sessionlog.Cause{Kind: sessionlog.ShutDown}}, true
	case ex.err != nil && ex.clientErr != nil:
		return end{sessionlog.WhoClient, describe, sessionlog.Cause{Kind: sessionlog.PlayerClosed, Text: "closed its connection before there was an answer"}}, true
	case ex.err != nil:
		return end{judged(ex.err).who, describe, refusedBy(ex.err)}, true
	case ex.logged():
		return end{sessionlog.WhoNobody, teardown, sessionlog.Cause{Kind: sessionlog.StreamOver, Text: "the player stopped and sent its log"}}, true
	case ex.report != nil || ex.pragma.keepAlive || ex.in.Method == http.MethodOptions:
		return end{}, false
	case ex.status >= http.StatusBadRequest:
		return end{sessionlog.WhoOrigin, describe, ex.declined()}, true
	case ex.toClient.end || ex.fromOrigin.end && ex.clientErr == nil:
		return end{sessionlog.WhoNobody, teardown, sessionlog.Cause{Kind: sessionlog.StreamOver, Text: "the stream came to its end"}}, true
	case ex.link.conn.stalled.Load():
		return end{sessionlog.WhoClientTimeout, ex.phase(), sessionlog.Cause{Kind: sessionlog.PlayerStalled, For: ex.proxy.cfg.Timeouts.Write}}, true
	case ex.clientErr != nil && ex.streamed():
		return end{sessionlog.WhoClient, play, sessionlog.Cause{Kind: sessionlog.PlayerClosed, Text: "closed its connection in mid stream"}}, true
	case ex.clientErr != nil:
		return end{sessionlog.WhoClient, describe, sessionlog.Cause{Kind: sessionlog.PlayerClosed, Text: "closed its connection before the answer was complete"}}, true
	case errors.Is(ex.originErr, syscall.ETIMEDOUT):
		return end{sessionlog.WhoOriginTimeout, ex.phase(), sessionlog.Cause{Kind: sessionlog.OriginUnanswering, Node: node}}, true
	case ex.originErr != nil:
		return end{sessionlog.WhoOrigin, ex.phase(), sessionlog.Cause{Kind: sessionlog.OriginClosed, Node: node, Text: "broke its connection off: " + ex.originErr.Error()}}, true
	case ex.streamed() && !ex.fromOrigin.raw:
		return end{sessionlog.WhoOrigin, play, sessionlog.Cause{Kind: sessionlog.OriginClosed, Node: node, Text: "closed its connection without an end of the stream"}}, true
	case ex.streamed():
		return end{sessionlog.WhoNobody, teardown, sessionlog.Cause{Kind: sessionlog.StreamOver, Text: "the file was sent whole"}}, true
	}
	return end{sessionlog.WhoNobody, describe, askedAndWent()}, true
}

// askedAndWent is how a session ends of which nothing else is known.
func askedAndWent() sessionlog.Cause {
	return sessionlog.Cause{Kind: sessionlog.PlayerClosed, Text: "asked and went"}
}

// refusedBy is the cause of what the gateway answered itself.
func refusedBy(err error) sessionlog.Cause {
	c := sessionlog.Cause{Kind: sessionlog.Refused, Text: err.Error()}
	if errors.Is(err, balancer.ErrNoNode) {
		c.Kind, c.Text = sessionlog.AfterNoNode, "refused: "+c.Text
	}
	return c
}

// declined is the cause of an origin's answer that is an error.
func (ex *exchange) declined() sessionlog.Cause {
	c := sessionlog.Cause{Kind: sessionlog.AfterStatus, Node: ex.node.Name, Text: strconv.Itoa(ex.status)}
	switch {
	case ex.status == http.StatusUnauthorized && ex.in.Header.Get("Authorization") != "":
		c.Kind = sessionlog.AfterBadPassword
	case ex.status == http.StatusUnauthorized:
		c.Kind = sessionlog.AfterNoPassword
	case ex.status == http.StatusNotFound:
		c.Kind = sessionlog.AfterNotFound
	}
	return c
}

func (ex *exchange) phase() byte {
	if ex.streamed() {
		return sessionlog.PhasePlay
	}
	return sessionlog.PhaseDescribe
}

// countLocked takes the bytes of control connections since the last time into a session's record.
func (l *link) countLocked(s *session) {
	now := l.counts()
	if s != nil && !s.ended {
		l.addTo(s.rec, now)
	}
	l.counted = now
}

// counts are the bytes of the link's connections so far.
func (l *link) counts() [4]uint64 {
	return [4]uint64{l.conn.in.Load(), l.conn.out.Load(), l.originIn.Load(), l.originOut.Load()}
}

// addTo adds what is more than was counted before. The caller holds Proxy.mu.
func (l *link) addTo(r *sessionlog.Record, now [4]uint64) {
	if seen := l.seenAs.Load(); seen != nil {
		r.SeenAs = *seen
	}
	for i, n := range []*uint64{&r.ControlClient.In, &r.ControlClient.Out, &r.ControlOrigin.In, &r.ControlOrigin.Out} {
		*n += now[i] - l.counted[i]
	}
}

// joinLocked makes the link one of s, whose request has come on it.
func (l *link) joinLocked(s *session) {
	if l.session != nil {
		delete(l.session.links, l)
	}
	l.session = s
	s.links[l] = struct{}{}
}

// lingered ends a session that nothing was asked of for long enough.
func (p *Proxy) lingered(s *session) {
	p.mu.Lock()
	if s.inFlight > 0 || s.ended {
		p.mu.Unlock()
		return
	}
	p.endLocked(s)
	p.mu.Unlock()
	p.hand(s)
}

// endLocked takes a session out of the tables; hand must follow, without the lock.
func (p *Proxy) endLocked(s *session) {
	s.ended = true
	s.timer.Stop()
	if s.interim != nil {
		s.interim.Stop()
	}
	delete(p.sessions, s.rec.ID)
	if s.player.session == s {
		s.player.session = nil
	}
	if s.player.byPath[s.path] == s {
		delete(s.player.byPath, s.path)
	}
	p.closing.Add(1) // Close waits until the record was handed over
}

// hand gives back what a session holds, and its record.
func (p *Proxy) hand(s *session) {
	defer p.closing.Done()
	if s.lease != nil {
		s.lease.Release()
	}
	r := s.rec
	r.Conclude(sessionlog.EndState{Who: s.outcome.who, Phase: s.outcome.phase}, sessionlog.Facts{}, s.outcome.cause)
	s.log.Info("session ended", zap.Stringer("end", r.End), zap.String("why", r.Why), zap.String("node", r.Node),
		zap.String("url", r.URL), zap.Duration("duration", time.Duration(r.Duration)))
	p.live.Add(-1)
	s.tap.End(r.End.String(), r.Why)
	s.telling.Lock()
	defer s.telling.Unlock()
	p.cfg.Record(r)
}
