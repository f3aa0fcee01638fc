package rtsp

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"runtime/debug"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"mediagate/balancer"
	"mediagate/internal/capture"
	"mediagate/internal/sessionlog"
	"mediagate/rtsp/rtspwire"
)

// session is one client's conversation with its origin. All fields below "owner" belong to the goroutine of run; pumps
// and other sessions reach it through the channels only.
type session struct {
	proxy   *Proxy
	tap     *capture.Session
	player  netip.Addr // never changed; other sessions may look
	surplus bool       // over the limit of connections: its first request is refused
	id      string     // of this conversation, in logs and in the record
	log     *zap.Logger
	ctx     context.Context
	cancel  context.CancelCauseFunc
	events  chan event                     // unbuffered: a pump waits until the owner has dealt with its message
	attach  chan attachment                // unbuffered: another session hands a connection over
	gone    chan struct{}                  // closed when the owner takes no more events
	asks    chan chan<- *sessionlog.Record // unbuffered: somebody looks at the session

	// Shared with the pumps.
	routes     [2]atomic.Pointer[routes] // by the side that the frame comes from
	stray      atomic.Uint64             // frames on channels that nobody set up
	unwritten  atomic.Uint64             // frames to a side that was gone already
	firstFrame atomic.Int64              // unix nanoseconds of the first interleaved media frame, 0: none
	lastFrame  atomic.Int64              // of the last frame that was relayed, media or RTCP

	// owner
	client     *peer          // nil: the player's connection is closed, the session lives on (detached)
	origin     *peer          // nil: not connected
	clientAddr netip.AddrPort // its port changes with the connection, its address never
	local      netip.AddrPort // the address that the player connected to
	pool       *balancer.Pool // where its nodes come from
	routed     bool           // pool was chosen by a URL and stays
	lease      *balancer.Lease
	prefer     string   // node to go to if it can be had: the one before, or the one a redirect names
	tried      []string // nodes that failed the request in hand before their first answer
	answered   bool     // the present origin connection has answered at least once
	urls       urlMap
	bound      map[string]*rtspSession // by our session ID
	queue      []asked                 // requests that wait for the one in hand
	held       chan struct{}           // the client's pump, which waits because the queue is full
	current    *exchange               // the request that the origin is answering
	pushes     pushes                  // the origin's requests that the player is answering
	originCSeq uint32
	life       lifeClock
	phase      byte      // second letter of the end state
	leaving    error     // the player's connection has ended by this, its last requests are not answered yet
	refused    error     // the last refusal, for the record
	unheard    error     // why the player's last TEARDOWN did not succeed
	tornDown   bool      // the player has sent a TEARDOWN of its own
	streamEnd  bool      // the origin has told the player that nothing more comes
	over       time.Time // when all that there was came to its proper end; zero: it has not, or the player has asked for more
	left       time.Time // when the player's connection closed, of a detached conversation
	described  description
	course     course           // how far what it plays has run
	declined   sessionlog.Cause // the origin's last error, when nothing else came after it; zero: none
	published  bool             // the client has announced a presentation of its own
	half       *postHalf        // the connection is a POST that waits for its tunnel
	halfKey    tunnelKey
	halfUntil  time.Time
	taken      <-chan struct{} // of half
	retired    []*media        // ended, not in the record yet; at most maxRetired while the conversation runs
	firstMedia time.Time       // as far as the record has it
	peers      []*peer         // its connections whose pumps may still run, and which the record does not count yet
	rec        *sessionlog.Record
	reported   time.Time // when its last interim record was written; at first, when it began
	end        *end
}

func (p *Proxy) newSession(conn net.Conn) *session {
	s := &session{
		proxy:      p,
		id:         p.nextID(),
		events:     make(chan event),
		attach:     make(chan attachment),
		gone:       make(chan struct{}),
		asks:       make(chan chan<- *sessionlog.Record),
		bound:      make(map[string]*rtspSession),
		clientAddr: addrPortOf(conn.RemoteAddr()),
		local:      addrPortOf(conn.LocalAddr()),
		phase:      'A',
		pool:       p.cfg.Pool,
	}
	s.player = s.clientAddr.Addr()
	s.ctx, s.cancel = context.WithCancelCause(p.ctx)
	s.log = p.cfg.Logger.With(zap.String("session", s.id), zap.Stringer("client", s.clientAddr))
	s.urls.client = authorityOf(s.local)
	s.life.start(time.Now())
	s.reported = s.life.started
	s.rec = newRecord(s)
	s.tap = p.cfg.Book.Begin(capture.About{
		ID: s.id, Protocol: "rtsp", VirtualServer: p.cfg.VirtualServer, Client: s.clientAddr, Local: s.local,
		Clear: clearOf(conn),
	})
	s.client = newPeer(sideClient, conn, s)
	s.joined(s.client)
	return s
}

// run is the owner. It returns when the session has ended and everything it held is given back.
func (s *session) run() {
	defer s.finish()
	defer func() {
		if v := recover(); v != nil {
			s.endWith(endInternal(&panicError{value: v, stack: debug.Stack()}))
		}
	}()
	s.client.start(s)
	timer := time.NewTimer(time.Until(s.nextDeadline()))
	defer timer.Stop()
	for s.end == nil {
		timer.Reset(max(0, time.Until(s.nextDeadline())))
		select {
		case ev := <-s.events:
			s.handle(ev)
		case a := <-s.attach:
			s.takeOver(a)
		case <-s.taken:
			s.onTaken()
		case answer := <-s.asks:
			answer <- s.snapshot()
		case <-timer.C:
			s.onTimer(time.Now())
			s.report(time.Now())
		case <-s.ctx.Done():
			s.endWith(endCancelled(context.Cause(s.ctx)))
		}
	}
}

// endWith ends the session; the first cause counts.
func (s *session) endWith(e *end) {
	if s.end == nil {
		s.end = e
	}
}

// handle deals with one event of a pump and lets the pump read on. Only a client whose queue of requests is full is kept
// waiting: its TCP connection fills, which is the answer to a client that asks without listening.
func (s *session) handle(ev event) {
	switch {
	case ev.err != nil:
		s.onReadError(ev)
	case ev.tunnel != nil && ev.peer == s.client:
		s.onTunnel(ev)
		return
	case ev.peer == s.client:
		s.life.clientSpoke(time.Now())
		switch m := ev.item.(type) {
		case *rtspwire.Request:
			s.onClientRequest(asked{in: m, by: ev.peer})
		case *rtspwire.Response:
			s.onClientResponse(m)
		}
		if s.full() && s.held == nil {
			s.held = ev.done
			return
		}
	case ev.peer == s.origin:
		switch m := ev.item.(type) {
		case *rtspwire.Request:
			s.onOriginRequest(m)
		case *rtspwire.Response:
			s.onOriginResponse(m)
		}
	} // an event of a connection that was replaced is only let go
	close(ev.done)
}

// onReadError deals with what ended or disturbed the reading of one side.
func (s *session) onReadError(ev event) {
	var wrote *writeError
	if errors.As(ev.err, &wrote) {
		s.endWith(s.endWriteFailed(wrote.side, wrote.err))
		return
	}
	var broken *panicError
	if errors.As(ev.err, &broken) {
		s.endWith(endInternal(broken))
		return
	}
	switch ev.peer {
	case s.client:
		s.onClientError(ev.err)
	case s.origin:
		s.onOriginGone(ev.err)
	}
}

// onClientError answers a malformed message, or deals with the end of the client's connection.
func (s *session) onClientError(err error) {
	if status := statusOf(err); status != 500 {
		s.client.strikes++
		kind := badKind(err)
		if kind == rtspwire.KindRequest && s.phase == 'A' {
			s.phase = 'D'
		}
		if kind != rtspwire.KindResponse { // whose CSeq is ours: the player would take an answer for that to a request of its own
			s.refused = err
			s.reply(status, badCSeq(err))
		}
		s.log.Info("malformed message from client", zap.Error(err), zap.Int("status", status))
		if isFatal(err) || s.client.strikes >= s.proxy.cfg.SyntaxErrors {
			s.endWith(s.endMalformed(err))
		}
		return
	}
	s.leaving = err
	s.depart()
}

// depart ends or detaches the conversation of a player that is gone, once what it asked last is answered: players send a
// TEARDOWN and close without waiting.
func (s *session) depart() {
	switch {
	case s.leaving == nil || s.current != nil || len(s.queue) > 0 || s.end != nil:
	case s.canDetach():
		s.detach(s.leaving)
	default:
		s.endWith(s.endClientGone(s.leaving))
	}
}

// badCSeq is the CSeq of a message that could not be read whole, as far as it was read.
func badCSeq(err error) string {
	var syntax *rtspwire.SyntaxError
	if errors.As(err, &syntax) {
		return syntax.CSeq
	}
	var large *rtspwire.TooLargeError
	if errors.As(err, &large) {
		return large.CSeq
	}
	return ""
}

// badKind is what that message was meant as.
func badKind(err error) rtspwire.Kind {
	var syntax *rtspwire.SyntaxError
	if errors.As(err, &syntax) {
		return syntax.Kind
	}
	var large *rtspwire.TooLargeError
	if errors.As(err, &large) {
		return large.Kind
	}
	return rtspwire.KindNone
}

// reply sends the client an answer of the gateway's own.
func (s *session) reply(status int, cseq string) {
	s.toClient(answer(status, cseq).Append)
}

// respond sends the answer to a request in hand. A player that waited for it could not speak meanwhile: its time to say
// more begins here.
func (s *session) respond(ex *exchange, appendTo func([]byte) []byte) {
	s.life.clientSpoke(time.Now())
	s.holdJitter(ex, false)
	if ex.by == s.client {
		s.toClient(appendTo)
	}
}

// toClient writes one message to the client; a client that is gone is noticed by its pump.
func (s *session) toClient(appendTo func([]byte) []byte) {
	if s.client == nil {
		return
	}
	if err := s.client.out.message(appendTo); errors.Is(err, errStalled) {
		s.endWith(s.endWriteFailed(sideClient, err))
	}
}
