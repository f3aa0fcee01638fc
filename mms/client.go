package mms

import (
	"net/url"
	"slices"
	"strings"
	"time"

	"go.uber.org/zap"

	"mediagate/internal/capture"
	"mediagate/internal/sessionlog"
	"mediagate/mms/mmswire"
)

// decode reads a message of a known type.
func decode[T mmswire.Message](m mmswire.Raw) (T, error) {
	var none T
	msg, err := mmswire.Decode(m)
	if err != nil {
		return none, err
	}
	t, ok := msg.(T)
	if !ok {
		return none, errUnexpected
	}
	return t, nil
}

// onClient deals with a message of the player.
func (s *session) onClient(m mmswire.Raw, sent uint64) {
	s.heard = time.Now()
	s.rec.Requests++
	first := s.said.connect == nil
	switch {
	case first != (m.MID == mmswire.MIDConnect), !fromClient(m.MID):
		s.outOfPlace(m)
	case m.MID == mmswire.MIDConnect:
		s.onConnect(m)
	case m.MID == mmswire.MIDFunnelInfo:
		s.onFunnelInfo(m, sent)
	case m.MID == mmswire.MIDConnectFunnel:
		s.onConnectFunnel(m, sent)
	case m.MID == mmswire.MIDOpenFile:
		s.onOpenFile(m, sent)
	default:
		s.learn(m)
		s.ask(m, sent)
	}
}

// outOfPlace ends a conversation that is none: a Connect must come first, and only once ([MS-MMSP] 3.2.5.3).
func (s *session) outOfPlace(m mmswire.Raw) {
	s.refuse(requestOf(m), errUnexpected)
	s.endWith(&end{who: sessionlog.WhoClient, cause: sessionlog.Cause{Kind: sessionlog.PlayerMisbehaved, Text: "sent " + m.MID.String() + " out of place"}, err: errUnexpected})
}

// ask forwards a message, and notes it when the origin has to answer.
func (s *session) ask(m mmswire.Raw, sent uint64) {
	r := requestOf(m)
	answered := slices.ContainsFunc(table, func(t row) bool { return slices.Contains(t.answers, m.MID) })
	switch {
	case s.origin == nil && answered:
		s.refuse(r, errUnexpected) // no file is open yet, so there is no origin either
		return
	case s.origin == nil:
		return
	case answered && len(s.pending) >= maxPending:
		s.endWith(&end{who: sessionlog.WhoClient, cause: sessionlog.Cause{Kind: sessionlog.PlayerMisbehaved, Text: "asks and asks without waiting for answers"}, err: errUnexpected})
		return
	case answered:
		s.await(r)
	}
	if m.MID == mmswire.MIDReadBlock && s.funnel.flow != nil {
		s.funnel.flow.Hold() // the header that is asked for must not be there before the answer
	}
	s.toOrigin(m, sent)
}

// await notes a request that the origin has to answer.
func (s *session) await(r request) {
	if t, _ := rowOf(r.mid); t.timed {
		r.deadline = time.Now().Add(s.proxy.cfg.Timeouts.Response)
	}
	s.pending = append(s.pending, r)
}

// requestOf is a message as one that may be refused.
func requestOf(m mmswire.Raw) request {
	r := request{mid: m.MID}
	msg, err := mmswire.Decode(m)
	if err != nil {
		return r
	}
	switch t := msg.(type) {
	case *mmswire.OpenFile:
		r.incarnation = t.PlayIncarnation
	case *mmswire.SecurityResponse:
		r.incarnation = t.PlayIncarnation
	case *mmswire.ReadBlock:
		r.incarnation = t.PlayIncarnation
	case *mmswire.StartPlaying:
		r.incarnation = t.PlayIncarnation
	case *mmswire.StartStriding:
		r.incarnation = t.PlayIncarnation
	case *mmswire.StopPlaying:
		r.incarnation = t.PlayIncarnation
	}
	return r
}

// onConnect begins the conversation. The player hears nothing before an origin has answered, so that one that fails can
// be left for the next.
func (s *session) onConnect(m mmswire.Raw) {
	c, err := decode[*mmswire.Connect](m)
	if err != nil {
		s.refuse(requestOf(m), err)
		s.endWith(endMalformed(err))
		return
	}
	s.said.connect = c
	s.phase = sessionlog.PhaseDescribe
	sub := mmswire.ParseSubscriber(c.SubscriberName)
	s.said.host = hostName(sub.Host())
	s.rec.UserAgent = agentOf(c.SubscriberName)
	s.rec.URL = s.urlOf("")
	s.tap.Learn(capture.Facts{UserAgent: s.rec.UserAgent})
	if strings.Contains(c.SubscriberName, "-"+s.proxy.epoch) {
		s.refuse(requestOf(m), errLoop)
		s.endWith(s.endRefused(errLoop))
		return
	}
	if s.proxy.cfg.ByPath {
		s.toClient(mmswire.Encode(s.proxy.greet()), 0)
		return
	}
	s.await(requestOf(m))
	if err := s.reach(); err != nil {
		s.giveUp(err)
	}
}

// greet answers a Connect in an origin's stead, with what an origin answered last: who it is tells the player how to read
// the end of a stream, and how it may have to authenticate ([MS-MMSP] 3.1.5.3, 3.1.5.18).
func (p *Proxy) greet() *mmswire.ReportConnectedEX {
	g := mmswire.ReportConnectedEX{
		MacToViewerProtocolRevision: mmswire.MacToViewerRevision, ViewerToMacProtocolRevision: mmswire.ViewerToMacRevision,
		BlockGroupPlayTime: 1, BlockGroupBlocks: 1, NMaxOpenFiles: 1, NBlockMaxBytes: 0x8000, MaxBitRate: 0x989680,
		ServerVersionInfo: "9.1.1.3841",
	}
	if seen := p.greeting.Load(); seen != nil {
		g = *seen
	}
	g.PlayIncarnation = noPacketPair
	return &g
}

// onOpenFile asks for the file. Where the path chooses the node, the node is chosen now.
func (s *session) onOpenFile(m mmswire.Raw, sent uint64) {
	f, err := decode[*mmswire.OpenFile](m)
	if err != nil {
		s.refuse(request{mid: m.MID}, err)
		return
	}
	if s.said.file == nil {
		s.rec.URL = s.urlOf(f.FileName)
		s.tap.Learn(capture.Facts{URL: s.rec.URL})
	}
	s.said.file = f
	s.phase = sessionlog.PhaseDescribe
	if s.origin != nil {
		s.sight()
		s.ask(m, sent)
		return
	}
	s.await(requestOf(m))
	s.pool = nil // the path may name another
	if err := s.reach(); err != nil {
		s.giveUp(err)
	}
}

// learn takes from a message what the gateway needs. What cannot be read is the origin's to refuse.
func (s *session) learn(m mmswire.Raw) {
	msg, err := mmswire.Decode(m)
	if err != nil {
		s.log.Debug("message cannot be read and passes", zap.Stringer("message", m.MID), zap.Error(err))
		return
	}
	switch t := msg.(type) {
	case *mmswire.StartPlaying:
		s.starts(t.PlayIncarnation)
		s.course.from(t.Position)
	case *mmswire.StartStriding:
		s.starts(t.PlayIncarnation)
		s.course.from(-1) // not at normal speed
	case *mmswire.StopPlaying:
		s.course.stop(time.Now())
		s.playing = false // its EndOfStream may come when the player has started again
	case *mmswire.CloseFile:
		s.closed, s.playing = true, false
		s.course.finish(time.Now())
		if s.open {
			s.phase = sessionlog.PhaseTeardown // else it goes without having had one: the phase says where it gave up
		}
	case *mmswire.Logging:
		s.noteClientLog(t.Log)
	}
}

// starts notes that media is to come, marked with the low byte of an incarnation ([MS-MMSP] 3.2.5.11.1).
func (s *session) starts(incarnation uint32) {
	s.playing, s.finished, s.broken = true, false, nil
	s.incarnation = incarnation
	s.media.incarnation.Store(incarnation & 0xff)
	if s.funnel.flow != nil {
		s.funnel.flow.CountFrom(uint8(incarnation))
	}
}

// urlOf is what the player asks for, as the URL that its user typed.
func (s *session) urlOf(file string) string {
	host := s.said.host
	switch {
	case host == "":
		host = s.local.String()
	case strings.Contains(host, ":"):
		host = "[" + host + "]"
	}
	return "mms://" + host + "/" + strings.TrimPrefix(file, "/")
}

// pathOf is the path of a file name for choosing by: decoded if it is encoded, without a query. Observed: VLC and ffmpeg
// leave %20 as it is where [MS-MMSP] 2.2.4.21 forbids it, ffmpeg, MPlayer and libmms leave the query.
func pathOf(file string) string {
	path, _, _ := strings.Cut("/"+strings.TrimPrefix(file, "/"), "?")
	if plain, err := url.PathUnescape(path); err == nil {
		return plain
	}
	return path
}
