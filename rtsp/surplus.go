package rtsp

import (
	"errors"
	"fmt"
	"net"
	"time"

	"go.uber.org/zap"

	"mediagate/internal/sessionlog"
)

// Connections over the limit. They are read as far as their first request, so that the 503 carries its CSeq, which players
// want before they believe an answer; and a player that comes back to its session finds it, since that takes no place.

const (
	surplusWait = 2 * time.Second // for the first request
	maxSurplus  = 64              // that wait at the same time; one more gets its 503 at once
)

// firstWords is how the end of a connection is told that came before its first message.
func (s *session) firstWords() string {
	if n := s.peers[0].pace.n.Load(); n > 0 && s.tunnel() == nil {
		return fmt.Sprintf(" after %d bytes, which are no request", n)
	}
	return " without a word"
}

func endBusy(err error) *end {
	return &end{who: sessionlog.WhoResource, cause: sessionlog.Cause{Kind: sessionlog.LimitReached}, err: err}
}

// turnAway answers a connection that is not served, without a goroutine of its own, and writes the record of one over the
// limit. One that comes while the gateway drains has none: the listeners are closed, and the log is about to be.
func (p *Proxy) turnAway(conn net.Conn, err error, http bool) {
	_ = conn.SetWriteDeadline(time.Now().Add(time.Second)) // an accepted connection takes this much at once
	text := answer(statusOf(err), "").Append(nil)
	if http {
		text = []byte(httpAnswer(statusOf(err), err))
	}
	_, _ = conn.Write(text)
	_ = conn.Close() // a client that we do not serve
	if !errors.Is(err, errBusy) {
		p.cfg.Logger.Warn("connection refused", zap.Stringer("client", conn.RemoteAddr()), zap.Error(err))
		return
	}
	s := p.newSession(conn)
	defer p.survive(s)
	s.cancel(err)
	s.endWith(endBusy(err))
	s.writeRecord()
}
