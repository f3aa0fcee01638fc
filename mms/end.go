package mms

import (
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"
	"time"

	"go.uber.org/zap"

	"mediagate/internal/sessionlog"
	"mediagate/mms/mmswire"
	"mediagate/udprelay"
)

// end says why a session ended: who, and a sentence. The phase is added by the session.
type end struct {
	who     byte
	cause   sessionlog.Cause
	err     error // for the log, may be nil
	refusal bool  // the sentence names the refusal already
}

// errShutdown is the cause of a session that the gateway's own end ended.
var errShutdown = errors.New("mms: run session: gateway shuts down")

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

func endMalformed(err error) *end {
	return &end{who: sessionlog.WhoClient, cause: sessionlog.Cause{Kind: sessionlog.PlayerUnreadable, Text: err.Error()}, err: err, refusal: true}
}

// endRefused is a session that could not be served.
func (s *session) endRefused(err error) *end {
	e := &end{who: judged(err).who, cause: sessionlog.Cause{Kind: sessionlog.Refused, Text: err.Error()}, err: err, refusal: true}
	if e.who == 0 {
		e.who = sessionlog.WhoClient
	}
	return e
}

// endClientGone tells a proper end (CloseFile, or the end of the stream) from a break.
func (s *session) endClientGone(err error) *end {
	switch {
	case s.closed:
		return &end{who: sessionlog.WhoNobody, cause: s.course.placed(sessionlog.FileClosed)}
	case s.finished:
		return &end{who: sessionlog.WhoNobody, cause: sessionlog.Cause{Kind: sessionlog.StreamOver, Text: "the stream came to its end and the player closed its connection"}}
	case errors.Is(err, os.ErrDeadlineExceeded):
		return &end{who: sessionlog.WhoClientTimeout, cause: sessionlog.Cause{Kind: sessionlog.PlayerUnfinished}, err: err}
	}
	how := "closed its connection"
	if !errors.Is(err, io.EOF) {
		how = "broke its connection off"
	}
	switch {
	case s.said.connect == nil:
		how += s.firstWords()
	case !s.open:
		how += " before it had a file"
	default:
		how += " without a CloseFile"
	}
	gone := s.course.placed(sessionlog.PlayerClosed)
	gone.Text = how
	return &end{who: sessionlog.WhoClient, cause: gone, err: err}
}

func (s *session) endOriginGone(err error) *end {
	switch {
	case s.closed:
		return &end{who: sessionlog.WhoNobody, cause: s.course.placed(sessionlog.FileClosed)}
	case s.finished:
		return &end{who: sessionlog.WhoNobody, cause: sessionlog.Cause{Kind: sessionlog.StreamOver, Text: "the stream came to its end and the origin closed its connection"}}
	}
	who, cause := sessionlog.WhoOrigin, s.ofOrigin(sessionlog.OriginClosed, 0)
	cause.Text = "broke its connection off"
	var syntax *mmswire.SyntaxError
	switch {
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		cause.Text = "closed its connection"
	case errors.Is(err, syscall.ECONNRESET):
		cause.Text = "reset its connection"
	case errors.As(err, &syntax), errors.Is(err, mmswire.ErrTooLarge):
		cause.Kind, cause.Text = sessionlog.OriginUnreadable, err.Error()
	case errors.Is(err, os.ErrDeadlineExceeded):
		who, cause.Kind = sessionlog.WhoOriginTimeout, sessionlog.OriginUnfinished
	case errors.Is(err, syscall.ETIMEDOUT):
		who, cause.Kind = sessionlog.WhoOriginTimeout, sessionlog.OriginUnanswering
	}
	return &end{who: who, cause: cause, err: err, refusal: true}
}

// ofOrigin is a cause that names the origin.
func (s *session) ofOrigin(kind sessionlog.Kind, d time.Duration) sessionlog.Cause {
	return sessionlog.Cause{Kind: kind, Node: s.rec.Node, For: d}
}

// silentFor is the cause of a player that said nothing for as long as it may.
func silentFor(what string, d time.Duration) sessionlog.Cause {
	return sessionlog.Cause{Kind: sessionlog.PlayerSilent, Text: what, For: d}
}

// brokeWith marks the end of an origin connection as the origin's fault, and keeps what it was.
func brokeWith(err error) error { return fmt.Errorf("%w: %w", errOriginBroke, err) }

// endWriteFailed is a side to which nothing can be written any more.
func (s *session) endWriteFailed(side udprelay.Side, err error) *end {
	stalled := errors.Is(err, errStalled)
	switch {
	case side == sideOrigin && stalled:
		return &end{who: sessionlog.WhoOriginTimeout, err: err,
			cause: s.ofOrigin(sessionlog.OriginStalled, s.proxy.cfg.Timeouts.Write)}
	case side == sideOrigin:
		return s.endOriginGone(err)
	case stalled:
		stalled := s.course.placed(sessionlog.PlayerStalled)
		stalled.For = s.proxy.cfg.Timeouts.Write
		return &end{who: sessionlog.WhoClientTimeout, err: err, cause: stalled}
	}
	return s.endClientGone(err)
}

// endSilent is a session of which nothing was heard for as long as it may be silent.
func (s *session) endSilent() *end {
	t := &s.proxy.cfg.Timeouts
	switch {
	case s.cut != nil:
		return s.endWriteFailed(s.cut.side, s.cut.err)
	case s.said.connect == nil:
		return &end{who: sessionlog.WhoClientTimeout, cause: silentFor("no request within", t.FirstRequest)}
	case s.closed:
		return &end{who: sessionlog.WhoNobody, cause: s.course.placed(sessionlog.FileClosed)}
	case !s.open:
		return &end{who: sessionlog.WhoClientTimeout, cause: silentFor("no file was opened and nothing was said for", t.Idle)}
	}
	return &end{who: sessionlog.WhoClientTimeout, cause: silentFor("nothing was said and no media came for", openIdle)}
}

const (
	// byeTimeout bounds how long the end of a session waits for the origin to take its CloseFile.
	byeTimeout = time.Second
	// dismissTimeout bounds how long a player has to take its last message.
	dismissTimeout = 200 * time.Millisecond
	// byeBytes bounds what drain reads.
	byeBytes = 16 << 20
)

// finish gives everything back and writes the record. It runs once, on the owner's goroutine, whatever ended the session.
func (s *session) finish() {
	close(s.gone) // pumps no longer wait for the owner
	s.cancel(errShutdown)
	s.client.out.hurry(byeTimeout)
	if s.origin != nil {
		s.origin.out.hurry(byeTimeout)
	}
	s.dismissClient()
	s.retireFlow()
	s.farewell()
	s.dropOrigin()
	if s.lease != nil {
		s.lease.Release()
	}
	<-s.client.done
	for _, p := range s.origins {
		<-p.done
	}
	if s.funnel.known {
		s.proxy.dropID(s.clientAddr.Addr(), s.funnel.clientID)
	}
	s.writeRecord()
}

// dismissClient closes the player's connection. A player that still waits for media hears of the end first. Observed: VLC
// and ffmpeg spin for ever when the connection just closes.
func (s *session) dismissClient() {
	defer s.client.conn.Close() // nothing more is sent or read
	s.releaseTail()             // one that has gone already is written to in vain
	if s.playing {
		s.media.from.Store(nil) // nothing comes after the end
		s.toClient(mmswire.Encode(&mmswire.ReportEndOfStream{HR: hrConnectionLost, PlayIncarnation: s.incarnation}), 0)
	}
	if half, ok := s.client.conn.(interface{ CloseWrite() error }); !ok || half.CloseWrite() != nil {
		return
	}
	drain(s.client, dismissTimeout)
}

// farewell closes the file that the player left open, and waits until the origin has read it: closing at once with media
// still coming in would reset the connection, and the CloseFile with it.
func (s *session) farewell() {
	if s.origin == nil || !s.open || s.closed {
		return
	}
	if s.origin.out.message(mmswire.Encode(&mmswire.CloseFile{OpenFileID: s.fileID}), 0) != nil {
		return
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

// logEnd writes the one line that tells of the session's end.
func (s *session) logEnd(state sessionlog.EndState) {
	fields := []zap.Field{
		zap.Stringer("end", state), zap.String("why", s.rec.Why), zap.String("node", s.rec.Node),
		zap.String("url", s.rec.URL), zap.Duration("duration", time.Since(s.started)),
	}
	var broken *panicError
	if errors.As(s.end.err, &broken) {
		s.log.Error("session ended by a fault of the gateway", append(fields, zap.ByteString("stack", broken.stack), zap.Error(broken))...)
		return
	}
	s.log.Info("session ended", append(fields, zap.NamedError("cause", s.end.err))...)
}
