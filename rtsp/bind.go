package rtsp

import (
	"crypto/rand"
	"encoding/base32"
	"strconv"
	"strings"
	"time"

	"go.uber.org/zap"

	"mediagate/rtsp/rtspwire"
)

// rtspSession is one session in the sense of RFC 2326, section 3.4: what a Session field names.
type rtspSession struct {
	id      string // ours, which the player knows
	origin  string // the origin's
	url     string // of the SETUP that began it, in the player's form
	whole   string // of the presentation, as PLAY or RECORD named it
	timeout time.Duration
	state   state
	ran     byte // the phase it has played or recorded in, 0: it has not
	done    bool // its origin has gone after the end of the stream
	media   []*media
	flows   map[uint16]*flowUse // by the player's RTP port: streams that share a port share the flow (trap 18)
}

// newSessionID makes an ID of 100 random bits. RFC 2326, section 3.4: at least eight octets, hard to guess;
// [MS-RTSP] 3.2.5.1: a server may answer 454 to more than 20 characters.
func newSessionID() string {
	var b [13]byte
	_, _ = rand.Read(b[:]) // crypto/rand.Read never fails (Go 1.24)
	return base32.StdEncoding.EncodeToString(b[:])[:20]
}

// sessionID is the ID in the value of a Session field, which may carry parameters (RFC 2326, section 12.37).
func sessionID(value string) string {
	id, _, _ := strings.Cut(value, ";")
	return strings.TrimSpace(id)
}

// sessionTimeoutOf reads the timeout parameter of a Session field.
func sessionTimeoutOf(value string) (time.Duration, bool) {
	for part := range strings.SplitSeq(value, ";") {
		name, number, ok := strings.Cut(strings.TrimSpace(part), "=")
		if !ok || !strings.EqualFold(strings.TrimSpace(name), "timeout") {
			continue
		}
		n, err := strconv.ParseUint(strings.TrimSpace(number), 10, 31)
		if err != nil || n == 0 {
			return 0, false
		}
		return min(time.Duration(n)*time.Second, maxTimeout), true
	}
	return 0, false
}

// maxTimeout bounds what an origin may make us hold for a silent player.
const maxTimeout = time.Hour

// withSessionID puts another ID into the value of a Session field; the parameters stay as they are.
func withSessionID(value, id string) string {
	old := sessionID(value)
	return strings.Replace(value, old, id, 1)
}

// bind finds the RTSP session that an answer is about, and makes one when a SETUP (or the ANNOUNCE of a publisher) has
// begun one. nil: the answer is about none.
func (s *session) bind(ex *exchange, resp *rtspwire.Response) *rtspSession {
	value := resp.Header.Get("Session")
	id := sessionID(value)
	if id == "" {
		return ex.session
	}
	for _, rs := range s.bound {
		if rs.origin == id {
			if t, ok := sessionTimeoutOf(value); ok {
				rs.timeout = t
			}
			return rs
		}
	}
	if resp.Status < 200 || resp.Status > 299 || ex.in.Method == methodTeardown || len(s.bound) >= maxBound {
		return ex.session
	}
	rs := &rtspSession{id: newSessionID(), origin: id, url: ex.in.URL, timeout: defaultTimeout, flows: make(map[uint16]*flowUse)}
	if t, ok := sessionTimeoutOf(value); ok {
		rs.timeout = t
	}
	s.bound[rs.id], s.tornDown, s.streamEnd = rs, false, false
	s.proxy.register(rs.id, s)
	return rs
}

// maxBound is how many RTSP sessions one conversation may have; players have one, ffmpeg two when it falls back to TCP.
const maxBound = 16

// unbind forgets an RTSP session and gives back what it held.
func (s *session) unbind(rs *rtspSession) {
	for _, m := range rs.media {
		s.retire(rs, m)
	}
	rs.media = nil
	rs.state = stateNone
	delete(s.bound, rs.id)
	s.proxy.unregister(rs.id)
}

// phase is the second letter of the end state: a player that has paused is in the phase that it paused in.
func (rs *rtspSession) phase() byte {
	switch {
	case rs.state == statePlaying || rs.state == stateRecording:
		rs.ran = rs.state.phase()
	case rs.state == stateReady && rs.ran != 0:
		return rs.ran
	}
	return rs.state.phase()
}

// mediaOf is the stream that was set up with url, nil if there is none.
func (rs *rtspSession) mediaOf(url string) *media {
	if rs == nil {
		return nil
	}
	for _, m := range rs.media {
		if m.url == url {
			return m
		}
	}
	return nil
}

// mediaCount is how many streams the conversation has.
func (s *session) mediaCount() int {
	n := 0
	for _, rs := range s.bound {
		n += len(rs.media)
	}
	return n
}

// teardownURLs name all that the session has (RFC 2326, section 10.7: the URL of a stream ends that stream alone).
func (rs *rtspSession) teardownURLs() []string {
	if rs.whole != "" && (len(rs.media) < 2 || rs.mediaOf(rs.whole) == nil) {
		return []string{rs.whole}
	}
	urls := make([]string, 0, len(rs.media))
	for _, m := range rs.media {
		urls = append(urls, m.url)
	}
	if len(urls) == 0 {
		urls = append(urls, rs.url)
	}
	return urls
}

// teardown lets go of the one media that url was set up with, or of the whole session when url names none of them
// (RFC 2326, section 10.7).
func (s *session) teardown(rs *rtspSession, url string) {
	if len(rs.media) > 1 {
		for i, m := range rs.media {
			if m.url == url {
				s.retire(rs, m)
				rs.media = append(rs.media[:i], rs.media[i+1:]...)
				return
			}
		}
	}
	s.tearDownWhole(rs)
}

// tearDownWhole lets go of an RTSP session that the player has torn down.
func (s *session) tearDownWhole(rs *rtspSession) {
	s.unbind(rs)
	s.tornDown, s.unheard = true, nil
	s.published = false
	if s.saidGoodbye() {
		s.phase, s.over = 'T', time.Now()
		return
	}
	for _, other := range s.bound {
		if other.state == statePlaying || other.state == stateRecording {
			s.phase = other.phase() // what goes on
		}
	}
}

// attachment is a client connection on its way from one session to another.
type attachment struct {
	peer  *peer
	reqs  []asked   // read from it and not answered: the one that names the session, and what was pipelined after it
	taken chan bool // capacity 1: answered once
}

// handOver gives the client's connection to the session that knows id: a player that comes back on a new connection
// (RFC 2326, section 1.1: no session is tied to a connection). Only from the same address, and only while this
// conversation has no session of its own.
func (s *session) handOver(req asked, id string) bool {
	other := s.proxy.lookup(id)
	if other == nil || other == s || len(s.bound) > 0 || other.player != s.player || s.client == nil || req.by != s.client {
		return false
	}
	a := attachment{peer: s.client, reqs: append([]asked{req}, s.queue...), taken: make(chan bool, 1)}
	select {
	case other.attach <- a:
	case <-other.gone:
		return false
	case <-s.ctx.Done():
		return false
	case <-time.After(s.proxy.cfg.Timeouts.Response):
		return false // both owners are busy, perhaps with each other
	}
	if !<-a.taken {
		return false
	}
	s.log.Info("player came back on a new connection", zap.String("to", other.id))
	s.client, s.queue = nil, nil
	s.endWith(endHandedOver(other.id))
	return true
}

// takeOver receives a connection from another session and answers the request that came with it.
func (s *session) takeOver(a attachment) {
	if s.end != nil || (s.client != nil && s.usesInterleaved()) {
		a.taken <- false // interleaved media cannot change its connection
		return
	}
	if s.client != nil {
		_ = s.client.conn.Close() // the player has left it; its pump's last words are ignored
	}
	s.client = a.peer
	s.joined(a.peer)
	a.peer.owner.Store(s)
	a.peer.tap.Move(s.tap)
	a.taken <- true
	s.leaving = nil
	s.clientAddr = addrPortOf(a.peer.conn.RemoteAddr())
	s.local = addrPortOf(a.peer.conn.LocalAddr())
	s.life.clientSpoke(time.Now())
	for _, req := range a.reqs {
		s.onClientRequest(req)
	}
}

// usesInterleaved says that some media runs in the control connection.
func (s *session) usesInterleaved() bool {
	for _, rs := range s.bound {
		for _, m := range rs.media {
			if m.use == nil {
				return true
			}
		}
	}
	return false
}

// canDetach says that the conversation goes on without the player's connection: it has media over UDP and none in the
// connection itself. A TCP close is not a TEARDOWN (RFC 2326, section 1.1; trap 28).
func (s *session) canDetach() bool {
	if s.usesInterleaved() || s.saidGoodbye() || !s.over.IsZero() {
		return false
	}
	for _, rs := range s.bound {
		if len(rs.media) > 0 {
			return true
		}
	}
	return false
}

// saidGoodbye says that the player has torn a session down and left none running: ffmpeg never tears the session down
// that it gave up for TCP (players.md).
func (s *session) saidGoodbye() bool {
	for _, rs := range s.bound {
		if rs.state == statePlaying || rs.state == stateRecording {
			return false
		}
	}
	return s.tornDown
}

// detach closes the player's side of the control conversation and lets the media run until the session times out.
func (s *session) detach(cause error) {
	s.log.Info("player closed its connection, media over UDP runs on", zap.Error(cause))
	_ = s.client.conn.Close() // it is read no more
	s.client, s.leaving, s.left = nil, nil, time.Now()
}
