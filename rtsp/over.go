package rtsp

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"syscall"
	"time"

	"mediagate/internal/sessionlog"
	"mediagate/rtsp/rtspwire"
)

// What has come to its proper end though a connection stays open: after the last TEARDOWN, or after an origin that has
// told the end of the stream has gone.

// curtain is how long a player may take to tear down what has been played and whose origin is gone. It still has a few
// seconds in its buffer.
const curtain = 10 * time.Second

// endsStream says that a request of the origin tells the player that nothing more comes: [MS-RTSP] 2.2.7.3, unless another
// entry of the playlist follows, and RFC 7826, section 13.5.1.
func endsStream(in *rtspwire.Request) bool {
	switch in.Method {
	case methodSetParameter:
		return strings.HasPrefix(in.Header.Get("X-Notice"), "2101") &&
			!strings.Contains(strings.ToLower(string(in.Body)), "end-of-playlist-entry: true")
	case methodPlayNotify:
		return strings.EqualFold(in.Header.Get("Notify-Reason"), "end-of-stream")
	}
	return false
}

// originDone deals with an origin that closes its connection after the end of the stream. Observed: an origin closes when
// ffmpeg has answered its notice with 501, and ffmpeg's TEARDOWN is on its way. It reports false for any other end.
func (s *session) originDone(err error) bool {
	closed := errors.Is(err, io.EOF) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)
	if !s.streamEnd || s.client == nil || !closed {
		return false
	}
	s.log.Info("origin closed its connection after the end of the stream")
	for _, rs := range s.bound {
		rs.done = true
	}
	s.over, s.streamEnd = time.Now(), false
	s.closeOrigin()
	return true
}

// afterOriginDone answers the request that was in hand, and those that wait. The flows go on until the player says
// good-bye: media over UDP may come after what was sent later over TCP.
func (s *session) afterOriginDone() {
	if ex := s.current; ex != nil && ex.buries() {
		s.current = nil
		s.bury(ex)
	}
	s.failCurrent(errOriginBroke)
	s.nextRequest()
}

// about is the RTSP session that the request names or means, nil if there is none.
func (ex *exchange) about() *rtspSession {
	if ex.session != nil {
		return ex.session
	}
	return ex.implied
}

// buries says that the request is the TEARDOWN of a session that was played and whose origin is gone.
func (ex *exchange) buries() bool {
	rs := ex.about()
	return ex.in.Method == methodTeardown && rs != nil && rs.done
}

// bury answers it: there is nothing left that an origin could do.
func (s *session) bury(ex *exchange) {
	s.teardown(ex.about(), ex.in.URL)
	s.respond(ex, answer(200, ex.cseq).Append)
}

// statusError is an answer of the origin's that was no success.
type statusError struct{ status int }

func (e *statusError) Error() string { return fmt.Sprintf("the origin answered %d", e.status) }

// refusal is the error of a status, nil of a success.
func refusal(status int) error {
	if status < 300 {
		return nil
	}
	return &statusError{status}
}

// noteTeardown remembers why a TEARDOWN does not succeed; one that does forgets it again. Anything else that is asked for
// means that the player stays.
func (s *session) noteTeardown(ex *exchange, err error) {
	s.unheard = nil
	if ex.in.Method == methodTeardown && ex.about() != nil {
		s.unheard = err
	}
}

// endUnheard is the end of a player that goes after a TEARDOWN that did not succeed: not the player's fault.
func (s *session) endUnheard(cause error) *end {
	who, ok := blame(s.unheard)
	if !ok {
		who = sessionlog.WhoOrigin
	}
	return &end{who: who, cause: sessionlog.Cause{Kind: sessionlog.TeardownFailed, Text: s.unheard.Error()}, err: cause}
}

// endOver is the proper end of a conversation that was over when something, no matter what, ended it.
func (s *session) endOver() (sessionlog.EndState, sessionlog.Cause) {
	why := sessionlog.Cause{Kind: sessionlog.StreamOver, Text: "origin " + s.rec.Node + " closed its connection after the end of the stream"}
	if s.tornDown {
		why = s.course.placed(sessionlog.TornDown)
	}
	return sessionlog.EndState{Who: sessionlog.WhoNobody, Phase: s.phase}, why
}

// leftAlone says that the player has left without a TEARDOWN and gave no sign since: an origin that ends the session then
// does it because of that. What the player sent when it left (an RTCP BYE) is no sign.
func (s *session) leftAlone() bool {
	if s.client != nil {
		return false
	}
	for _, rs := range s.bound {
		for _, use := range rs.flows {
			if seen := use.flow.LastSeen(sideClient); seen.After(s.left.Add(time.Second)) && time.Since(seen) < lifeGrace {
				return false
			}
		}
	}
	return true
}
