package rtsp

import (
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"
	"time"

	"go.uber.org/zap"

	"mediagate/balancer"
	"mediagate/internal/sessionlog"
	"mediagate/rtsp/rtspwire"
	"mediagate/udprelay"
)

// end says why a session ended: who, and a sentence. The phase is added by the session.
type end struct {
	who   byte
	cause sessionlog.Cause
	err   error // for the log, may be nil
	quiet bool  // the connection went on as part of another conversation, which has the record
}

// blame says whose fault a refusal is, if it is not the player's own.
func blame(err error) (who byte, ok bool) {
	for _, row := range []struct {
		err error
		who byte
	}{
		{errOriginSilent, sessionlog.WhoOriginTimeout},
		{errOriginBroke, sessionlog.WhoOrigin},
		{balancer.ErrNoNode, sessionlog.WhoNode},
		{errOriginRefused, sessionlog.WhoNode},
		{udprelay.ErrPortsExhausted, sessionlog.WhoResource},
		{udprelay.ErrOverloaded, sessionlog.WhoResource},
		{errTooManyMedia, sessionlog.WhoResource},
		{errTunnelsFull, sessionlog.WhoResource},
		{errTunnelAlone, sessionlog.WhoClientTimeout},
		{errDraining, sessionlog.WhoGateway},
	} {
		if errors.Is(err, row.err) {
			return row.who, true
		}
	}
	return 0, false
}

// errShutdown is the cause of a session that the gateway's own end ended.
var errShutdown = errors.New("rtsp: run session: gateway shuts down")

func endCancelled(cause error) *end {
	var killed *killedError
	if errors.As(cause, &killed) {
		return &end{who: sessionlog.WhoKilled, cause: sessionlog.Cause{Kind: sessionlog.Killed, Text: killed.by}}
	}
	return &end{who: sessionlog.WhoGateway, cause: sessionlog.Cause{Kind: sessionlog.ShutDown}, err: cause}
}

func endInternal(p *panicError) *end {
	return &end{who: sessionlog.WhoInternal, cause: sessionlog.Cause{Kind: sessionlog.Fault}, err: p}
}

func endHandedOver(other string) *end {
	return &end{who: sessionlog.WhoNobody, cause: sessionlog.Cause{Kind: sessionlog.HandedOver, Text: other}}
}

func (s *session) endMalformed(err error) *end {
	return &end{who: sessionlog.WhoClient, cause: sessionlog.Cause{Kind: sessionlog.PlayerUnreadable, Text: err.Error()}, err: err}
}

func (s *session) endHTTP(req *rtspwire.Request, err error) *end {
	return &end{who: sessionlog.WhoClient, cause: sessionlog.Cause{Kind: sessionlog.PlayerForeign, Text: req.Version + ", which is no RTSP"}, err: err}
}

// endClientGone tells a proper end (TEARDOWN, or nothing ever set up by a player that had its answers) from a break.
func (s *session) endClientGone(err error) *end {
	if s.saidGoodbye() {
		return &end{who: sessionlog.WhoNobody, cause: s.course.placed(sessionlog.TornDown)}
	}
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return &end{who: sessionlog.WhoClientTimeout, cause: sessionlog.Cause{Kind: sessionlog.PlayerUnfinished}, err: err}
	}
	if s.unheard != nil && len(s.bound) > 0 {
		return s.endUnheard(err)
	}
	how := "closed its connection"
	if !errors.Is(err, io.EOF) {
		how = "broke its connection off"
	}
	switch {
	case s.lonelyGet():
		how += " after the GET of a tunnel, which no POST had joined"
	case s.phase == 'A' && s.refused == nil:
		how += s.firstWords()
	case s.rec.Transport == "":
		how += " before it set anything up"
	default:
		how += " without a TEARDOWN"
	}
	gone := s.course.placed(sessionlog.PlayerClosed)
	gone.Text = how
	return &end{who: sessionlog.WhoClient, cause: gone, err: err}
}

func (s *session) endOriginGone(err error) *end {
	if s.leftAlone() {
		return &end{who: sessionlog.WhoClient, err: err, cause: s.ofOrigin(sessionlog.PlayerLeft, time.Since(s.left))}
	}
	who, cause := sessionlog.WhoOrigin, s.ofOrigin(sessionlog.OriginClosed, 0)
	cause.Text = "broke its connection off"
	var syntax *rtspwire.SyntaxError
	switch {
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		cause.Text = "closed its connection"
	case errors.Is(err, syscall.ECONNRESET):
		cause.Text = "reset its connection"
	case errors.As(err, &syntax), errors.Is(err, rtspwire.ErrTooLarge):
		cause.Kind, cause.Text = sessionlog.OriginUnreadable, err.Error()
	case errors.Is(err, os.ErrDeadlineExceeded):
		who, cause.Kind = sessionlog.WhoOriginTimeout, sessionlog.OriginUnfinished
	}
	if s.tornDown {
		cause.Text += " when the player had torn down another of its sessions"
	}
	return &end{who: who, cause: cause, err: err}
}

// ofOrigin is a cause that names the origin.
func (s *session) ofOrigin(kind sessionlog.Kind, d time.Duration) sessionlog.Cause {
	return sessionlog.Cause{Kind: kind, Node: s.rec.Node, For: d}
}

// endWriteFailed is a side to which nothing can be written any more.
func (s *session) endWriteFailed(side udprelay.Side, err error) *end {
	if side == sideOrigin {
		if errors.Is(err, errStalled) {
			return &end{who: sessionlog.WhoOriginTimeout, cause: s.ofOrigin(sessionlog.OriginStalled, s.proxy.cfg.Timeouts.Write), err: err}
		}
		return s.endOriginGone(err)
	}
	if errors.Is(err, errStalled) {
		stalled := s.course.placed(sessionlog.PlayerStalled)
		stalled.For = s.proxy.cfg.Timeouts.Write
		return &end{who: sessionlog.WhoClientTimeout, cause: stalled, err: err}
	}
	return s.endClientGone(err)
}

// endSilent is a session of which nothing was heard for as long as it may be silent.
func (s *session) endSilent() *end {
	e, t := &end{who: sessionlog.WhoClientTimeout}, &s.proxy.cfg.Timeouts
	silent := func(what string, d time.Duration) {
		e.cause = sessionlog.Cause{Kind: sessionlog.PlayerSilent, Text: what, For: d}
	}
	switch {
	case !s.life.spoken && s.refused != nil:
		silent("no request that can be read within", t.FirstRequest)
	case s.lonelyGet():
		silent("the GET of a tunnel came, and no POST within", t.FirstRequest)
	case !s.life.spoken:
		silent("no request within", t.FirstRequest)
	case len(s.bound) == 0 && s.tornDown:
		e.who, e.cause = sessionlog.WhoNobody, s.course.placed(sessionlog.TornDown)
	case len(s.bound) == 0:
		silent("nothing was set up and no request came for", t.Idle)
	case s.client == nil:
		silent("the player closed its connection and gave no sign for", s.sessionTimeout()+lifeGrace)
	default:
		silent("no request, no media and no report for", s.sessionTimeout()+lifeGrace)
	}
	return e
}

// byeTimeout bounds how long the end of a session waits for the origin to take its TEARDOWN.
const byeTimeout = time.Second

// dismissTimeout bounds how long a player has to take its last answer.
const dismissTimeout = 200 * time.Millisecond

// finish gives everything back and writes the record. It runs once, on the owner's goroutine, whatever ended the session.
func (s *session) finish() {
	s.withdrawPost()
	for _, rs := range s.bound {
		s.proxy.unregister(rs.id)
	}
	close(s.gone) // pumps no longer wait for the owner
	s.cancel(errShutdown)
	if s.client != nil {
		s.client.out.hurry(byeTimeout)
	}
	if s.origin != nil {
		s.origin.out.hurry(byeTimeout)
	}
	s.dismissClient()
	s.farewell()
	for _, rs := range s.bound {
		for _, m := range rs.media {
			s.retired = append(s.retired, m)
			if m.use != nil {
				m.use.flow.Close()
			}
		}
	}
	if ex := s.current; ex != nil && ex.setup != nil {
		s.release(ex.setup)
	}
	if s.origin != nil {
		_ = s.origin.conn.Close() // ends its pump
	}
	if s.lease != nil {
		s.lease.Release()
	}
	for _, p := range s.peers {
		if p.owner.Load() == s {
			<-p.done
		}
	}
	if !s.end.quiet {
		s.writeRecord()
	}
	s.tap.End("", "")
}

// dismissClient closes the player's connection. When the gateway closes first, the player gets to read its last answer:
// closing with bytes unread would reset the connection and may take the answer with it.
func (s *session) dismissClient() {
	if s.client == nil {
		return
	}
	defer s.client.conn.Close() // nothing more is sent or read
	select {
	case <-s.client.done:
		return
	default:
	}
	if half, ok := s.client.conn.(interface{ CloseWrite() error }); !ok || half.CloseWrite() != nil {
		return
	}
	drain(s.client, dismissTimeout)
}

// farewell sends the origin a TEARDOWN for each session that the player left behind, and waits until the origin has read
// it: closing at once with media still coming in would reset the connection, and the TEARDOWN with it.
func (s *session) farewell() {
	if s.origin == nil || len(s.bound) == 0 {
		return
	}
	for _, rs := range s.bound {
		for _, url := range rs.teardownURLs() {
			s.originCSeq++
			req := rtspwire.NewRequest(methodTeardown, s.urls.toOrigin(url))
			req.Header.Add("CSeq", fmt.Sprint(s.originCSeq))
			req.Header.Add("Session", rs.origin)
			if s.rec.UserAgent != "" {
				req.Header.Add("User-Agent", s.rec.UserAgent)
			}
			req.Header.Add("Via", s.proxy.via)
			if s.origin.out.message(req.Append) != nil {
				return
			}
		}
	}
	if half, ok := s.origin.conn.(interface{ CloseWrite() error }); !ok || half.CloseWrite() != nil {
		return
	}
	drain(s.origin, byeTimeout)
}

// drain reads what the other side still sends until it closes, or for d.
func drain(p *peer, d time.Duration) {
	p.stop()
	_ = p.conn.SetReadDeadline(time.Now().Add(d)) // a closed connection ends the copy
	_, _ = io.Copy(io.Discard, io.LimitReader(p.conn, byeBytes))
}

// byeBytes bounds what drain reads.
const byeBytes = 16 << 20

// logEnd writes the one line that tells of the session's end.
func (s *session) logEnd(state sessionlog.EndState) {
	fields := []zap.Field{
		zap.Stringer("end", state), zap.String("why", s.rec.Why), zap.String("node", s.rec.Node),
		zap.String("url", s.rec.URL), zap.Duration("duration", time.Since(s.life.started)),
	}
	var broken *panicError
	if errors.As(s.end.err, &broken) {
		s.log.Error("session ended by a fault of the gateway", append(fields, zap.ByteString("stack", broken.stack), zap.Error(broken))...)
		return
	}
	s.log.Info("session ended", append(fields, zap.NamedError("cause", s.end.err))...)
}
