package mms

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"runtime/debug"
	"time"

	"go.uber.org/zap"

	"mediagate/balancer"
	"mediagate/internal/capture"
	"mediagate/internal/sessionlog"
	"mediagate/mms/mmswire"
)

// session is one client's conversation with its origin. All fields below "owner" belong to the goroutine of run; pumps
// reach it through the channel and through media only.
type session struct {
	proxy      *Proxy
	tap        *capture.Session
	id         string // in logs and in the record
	log        *zap.Logger
	ctx        context.Context
	cancel     context.CancelCauseFunc
	events     chan event                     // unbuffered: a pump waits until the owner has dealt with its message
	gone       chan struct{}                  // closed when the owner takes no more events
	asks       chan chan<- *sessionlog.Record // unbuffered: somebody looks at the session
	client     *peer
	clientAddr netip.AddrPort
	local      netip.AddrPort // the address that the player connected to
	media      mediaPath      // shared with the pumps

	// owner
	origin   *peer // nil: not connected
	lease    *balancer.Lease
	pool     *balancer.Pool
	prefer   string   // node to go to if it can be had: the one that a redirect names
	tried    []string // nodes that failed before the player had seen anything of them
	hops     int      // redirects followed
	said     said
	script   script
	waiting  *event    // the client's next message, which waits for the end of the script
	pending  []request // what the origin has not answered yet, oldest first
	funnel   funnel
	tail     tail // the end of the stream that waits for the last datagrams
	heard    time.Time
	cut      *writeError // the player takes no media any more; its pump has not noticed yet
	cutAt    time.Time
	started  time.Time
	phase    byte   // second letter of the end state
	refused  error  // the last refusal, for the record
	course   course // how far what it plays has run
	broken   error  // the error that the stream ended with, for the record
	origins  []*peer
	rec      *sessionlog.Record
	reported time.Time // when its last interim record was written; at first, when it began
	end      *end

	fileID      uint32
	incarnation uint32 // of the last StartPlaying
	challenged  bool   // the player has been asked for credentials
	open        bool   // a file is open at the origin, the player knows it
	playing     bool
	finished    bool // the stream came to its end, the player has been told
	closed      bool // the player has sent CloseFile
}

// request is a message of the client that the origin has to answer.
type request struct {
	mid         mmswire.MID
	incarnation uint32
	deadline    time.Time // zero: none
}

// maxPending bounds the requests that wait: no player has more than three.
const maxPending = 64

func (p *Proxy) newSession(conn net.Conn) *session {
	s := &session{
		proxy:      p,
		id:         p.nextID(),
		events:     make(chan event),
		gone:       make(chan struct{}),
		asks:       make(chan chan<- *sessionlog.Record),
		clientAddr: addrPortOf(conn.RemoteAddr()),
		local:      addrPortOf(conn.LocalAddr()),
		started:    time.Now(),
		phase:      sessionlog.PhaseAccept,
	}
	s.heard, s.reported = s.started, s.started
	s.ctx, s.cancel = context.WithCancelCause(p.ctx)
	s.log = p.cfg.Logger.With(zap.String("session", s.id), zap.Stringer("client", s.clientAddr))
	s.rec = newRecord(s)
	s.tap = p.cfg.Book.Begin(capture.About{
		ID: s.id, Protocol: "mms", VirtualServer: p.cfg.VirtualServer, Client: s.clientAddr, Local: s.local,
	})
	s.client = newPeer(sideClient, conn, s)
	return s
}

func addrPortOf(a net.Addr) netip.AddrPort {
	if tcp, ok := a.(*net.TCPAddr); ok {
		ap := tcp.AddrPort()
		return netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port())
	}
	ap, _ := netip.ParseAddrPort(a.String()) // a pipe of the tests has no address
	return ap
}

// run is the owner. It returns when the session has ended and everything it held is given back.
func (s *session) run() {
	defer s.finish()
	defer func() {
		if v := recover(); v != nil {
			s.endWith(endInternal(&panicError{value: v, stack: debug.Stack()}))
		}
	}()
	s.client.start()
	timer := time.NewTimer(time.Until(s.nextDeadline()))
	defer timer.Stop()
	for s.end == nil {
		timer.Reset(max(0, time.Until(s.nextDeadline())))
		select {
		case ev := <-s.events:
			s.handle(ev)
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

// handle deals with one event of a pump and lets the pump read on. A client that speaks while the gateway talks to an
// origin on its behalf waits: its TCP connection fills.
func (s *session) handle(ev event) {
	switch {
	case ev.err != nil:
		s.onReadError(ev)
	case ev.peer == s.client:
		if s.script.running() {
			s.waiting = &ev
			return
		}
		s.onClient(ev.msg, ev.sent)
	case ev.peer == s.origin:
		s.heard = time.Now()
		s.onOrigin(ev.msg, ev.sent)
	} // an event of a connection that was replaced is only let go
	close(ev.done)
	s.resume()
}

// resume takes up the client's message that waited for the end of a script.
func (s *session) resume() {
	if s.waiting == nil || s.script.running() || s.end != nil {
		return
	}
	ev := *s.waiting
	s.waiting = nil
	s.handle(ev)
}

// onReadError deals with what ended the reading of one side.
func (s *session) onReadError(ev event) {
	var wrote *writeError
	switch {
	case !errors.As(ev.err, &wrote):
	case wrote.side == sideClient && !errors.Is(wrote.err, errStalled):
		// Its last words, Logging and CloseFile, may have come before that and not be read yet.
		s.cut, s.cutAt = wrote, time.Now()
		s.media.from.Store(nil)
		return
	default:
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
		s.onClientGone(ev.err)
	case s.origin:
		s.onOriginGone(ev.err)
	}
}

// onClientGone deals with the end of the client's connection, or with what cannot be read: after that nothing can.
func (s *session) onClientGone(err error) {
	var other *strangerError
	if errors.As(err, &other) {
		s.endWith(endStranger(other))
		return
	}
	var syntax *mmswire.SyntaxError
	if !errors.As(err, &syntax) && !errors.Is(err, mmswire.ErrTooLarge) {
		s.endWith(s.endClientGone(err))
		return
	}
	s.log.Info("malformed message from client", zap.Error(err))
	if s.said.connect == nil {
		s.refuse(request{mid: mmswire.MIDConnect}, err)
	}
	s.endWith(endMalformed(err))
}

// toClient writes one message to the client; a client that is gone is noticed by its pump.
func (s *session) toClient(m mmswire.Raw, sent uint64) {
	if err := s.client.out.message(m, sent); errors.Is(err, errStalled) {
		s.endWith(s.endWriteFailed(sideClient, err))
	}
}

// toOrigin writes one message to the origin; an origin that is gone is noticed by its pump.
func (s *session) toOrigin(m mmswire.Raw, sent uint64) {
	if s.origin == nil {
		return
	}
	if err := s.origin.out.message(m, sent); errors.Is(err, errStalled) {
		s.endWith(s.endWriteFailed(sideOrigin, err))
	}
}

// refuse tells the client that its request failed, and why.
func (s *session) refuse(r request, err error) {
	s.refused = err
	hr := hresultOf(err)
	s.log.Info("request refused", zap.Stringer("request", r.mid), zap.Error(err), zap.Uint32("result", hr))
	if s.rec.Viewer == "" && s.said.connect != nil {
		s.rec.Viewer = s.proxy.cfg.Refused(s.clientAddr.Addr())
	}
	if m := refusal(r.mid, r.incarnation, hr); m != nil {
		s.toClient(mmswire.Encode(m), 0)
	}
}
