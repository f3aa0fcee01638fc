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
	why   string
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
		return &end{who: sessionlog.WhoKilled, why: "killed by " + killed.by}
	}
	return &end{who: sessionlog.WhoGateway, why: "the gateway was shut down", err: cause}
}

func endInternal(p *panicError) *end {
	return &end{who: sessionlog.WhoInternal, why: "a fault of the gateway itself, see its log", err: p}
}

func endHandedOver(other string) *end {
	return &end{who: sessionlog.WhoNobody, why: "the connection went over to session " + other}
}

func (s *session) endMalformed(err error) *end {
	return &end{who: sessionlog.WhoClient, why: "the player sent what cannot be read: " + err.Error(), err: err}
}

const whyTornDown = "the player tore the session down"

func (s *session) endHTTP(req *rtspwire.Request, err error) *end {
	return &end{who: sessionlog.WhoClient, why: "the player spoke " + req.Version + ", which is no RTSP", err: err}
}

// endClientGone tells a proper end (TEARDOWN, or nothing ever set up by a player that had its answers) from a break.
func (s *session) endClientGone(err error) *end {
	if s.saidGoodbye() {
		return &end{who: sessionlog.WhoNobody, why: whyTornDown}
	}
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return &end{who: sessionlog.WhoClientTimeout, why: "the player did not finish a message in time", err: err}
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
	return &end{who: sessionlog.WhoClient, why: "the player " + how, err: err}
}

func (s *session) endOriginGone(err error) *end {
	if s.leftAlone() {
		return &end{who: sessionlog.WhoClient, err: err, why: fmt.Sprintf(
			"the player closed its connection without a TEARDOWN, and origin %s its own %s later", s.rec.Node, time.Since(s.left).Round(time.Second))}
	}
	who, how := sessionlog.WhoOrigin, "broke its connection off"
	var syntax *rtspwire.SyntaxError
	switch {
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		how = "closed its connection"
	case errors.Is(err, syscall.ECONNRESET):
		how = "reset its connection"
	case errors.As(err, &syntax), errors.Is(err, rtspwire.ErrTooLarge):
		how = "sent what cannot be read: " + err.Error()
	case errors.Is(err, os.ErrDeadlineExceeded):
		who, how = sessionlog.WhoOriginTimeout, "did not finish a message in time"
	}
	if s.tornDown {
		how += " when the player had torn down another of its sessions"
	}
	return &end{who: who, why: fmt.Sprintf("origin %s %s", s.rec.Node, how), err: err}
}

// endWriteFailed is a side to which nothing can be written any more.
func (s *session) endWriteFailed(side udprelay.Side, err error) *end {
	if side == sideOrigin {
		if errors.Is(err, errStalled) {
			return &end{who: sessionlog.WhoOriginTimeout, why: fmt.Sprintf("origin %s took nothing for %s", s.rec.Node, s.proxy.cfg.Timeouts.Write), err: err}
		}
		return s.endOriginGone(err)
	}
	if errors.Is(err, errStalled) {
		return &end{who: sessionlog.WhoClientTimeout, why: fmt.Sprintf("the player took nothing for %s", s.proxy.cfg.Timeouts.Write), err: err}
	}
	return s.endClientGone(err)
}

// endSilent is a session of which nothing was heard for as long as it may be silent.
func (s *session) endSilent() *end {
	e := &end{who: sessionlog.WhoClientTimeout}
	switch {
	case !s.life.spoken && s.refused != nil:
		e.why = fmt.Sprintf("no request that can be read within %s", s.proxy.cfg.Timeouts.FirstRequest)
	case s.lonelyGet():
		e.why = fmt.Sprintf("the GET of a tunnel came, and no POST within %s", s.proxy.cfg.Timeouts.FirstRequest)
	case !s.life.spoken:
		e.why = fmt.Sprintf("no request within %s", s.proxy.cfg.Timeouts.FirstRequest)
	case len(s.bound) == 0 && s.tornDown:
		e.who, e.why = sessionlog.WhoNobody, whyTornDown
	case len(s.bound) == 0:
		e.why = fmt.Sprintf("nothing was set up and no request came for %s", s.proxy.cfg.Timeouts.Idle)
	case s.client == nil:
		e.why = fmt.Sprintf("the player closed its connection and gave no sign for %s", s.sessionTimeout()+lifeGrace)
	default:
		e.why = fmt.Sprintf("no request, no media and no report for %s", s.sessionTimeout()+lifeGrace)
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
