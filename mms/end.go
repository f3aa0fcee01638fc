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
	why     string
	err     error // for the log, may be nil
	refusal bool  // the sentence names the refusal already
}

// errShutdown is the cause of a session that the gateway's own end ended.
var errShutdown = errors.New("mms: run session: gateway shuts down")

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

func endMalformed(err error) *end {
	return &end{who: sessionlog.WhoClient, why: "the player sent what cannot be read: " + err.Error(), err: err, refusal: true}
}

// endRefused is a session that could not be served.
func (s *session) endRefused(err error) *end {
	e := &end{who: judged(err).who, why: "refused: " + err.Error(), err: err, refusal: true}
	if e.who == 0 {
		e.who = sessionlog.WhoClient
	}
	return e
}

// endClientGone tells a proper end (CloseFile, or the end of the stream) from a break.
func (s *session) endClientGone(err error) *end {
	switch {
	case s.closed:
		return &end{who: sessionlog.WhoNobody, why: "the player closed the file"}
	case s.finished:
		return &end{who: sessionlog.WhoNobody, why: "the stream came to its end and the player closed its connection"}
	case errors.Is(err, os.ErrDeadlineExceeded):
		return &end{who: sessionlog.WhoClientTimeout, why: "the player did not finish a message in time", err: err}
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
	return &end{who: sessionlog.WhoClient, why: "the player " + how, err: err}
}

func (s *session) endOriginGone(err error) *end {
	switch {
	case s.closed:
		return &end{who: sessionlog.WhoNobody, why: "the player closed the file"}
	case s.finished:
		return &end{who: sessionlog.WhoNobody, why: "the stream came to its end and the origin closed its connection"}
	}
	who, how := sessionlog.WhoOrigin, "broke its connection off"
	var syntax *mmswire.SyntaxError
	switch {
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		how = "closed its connection"
	case errors.Is(err, syscall.ECONNRESET):
		how = "reset its connection"
	case errors.As(err, &syntax), errors.Is(err, mmswire.ErrTooLarge):
		how = "sent what cannot be read: " + err.Error()
	case errors.Is(err, os.ErrDeadlineExceeded):
		who, how = sessionlog.WhoOriginTimeout, "did not finish a message in time"
	case errors.Is(err, syscall.ETIMEDOUT):
		who, how = sessionlog.WhoOriginTimeout, "does not answer any more (TCP keep-alive)"
	}
	return &end{who: who, why: fmt.Sprintf("origin %s %s", s.rec.Node, how), err: err, refusal: true}
}

// brokeWith marks the end of an origin connection as the origin's fault, and keeps what it was.
func brokeWith(err error) error { return fmt.Errorf("%w: %w", errOriginBroke, err) }

// endWriteFailed is a side to which nothing can be written any more.
func (s *session) endWriteFailed(side udprelay.Side, err error) *end {
	stalled := errors.Is(err, errStalled)
	switch {
	case side == sideOrigin && stalled:
		return &end{who: sessionlog.WhoOriginTimeout, err: err,
			why: fmt.Sprintf("origin %s took nothing for %s", s.rec.Node, s.proxy.cfg.Timeouts.Write)}
	case side == sideOrigin:
		return s.endOriginGone(err)
	case stalled:
		return &end{who: sessionlog.WhoClientTimeout, err: err,
			why: fmt.Sprintf("the player took nothing for %s", s.proxy.cfg.Timeouts.Write)}
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
		return &end{who: sessionlog.WhoClientTimeout, why: fmt.Sprintf("no request within %s", t.FirstRequest)}
	case s.closed:
		return &end{who: sessionlog.WhoNobody, why: "the player closed the file"}
	case !s.open:
		return &end{who: sessionlog.WhoClientTimeout, why: fmt.Sprintf("no file was opened and nothing was said for %s", t.Idle)}
	}
	return &end{who: sessionlog.WhoClientTimeout, why: fmt.Sprintf("nothing was said and no media came for %s", openIdle)}
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
