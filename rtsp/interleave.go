package rtsp

import (
	"sync/atomic"
	"time"

	"mediagate/rtsp/rtspwire"
	"mediagate/udprelay"
)

// route is where frames of one channel of one side go (RFC 2326, section 10.12). Its counters are written by the one pump
// that reads that side.
type route struct {
	to      *peer
	channel uint8 // the channel's number on the other side
	rtcp    bool
	media   bool            // frames of this route are the media itself, not the feedback
	meter   *udprelay.Meter // of the media direction's RTP channel, else nil; read only after the pump has ended
	packets atomic.Uint64
	bytes   atomic.Uint64
}

// routes is the table of one side: 256 channels, nil where nothing was set up. A table is never changed, it is replaced.
type routes [256]*route

// with returns a copy of t in which channel leads to r (nil: nowhere).
func (t *routes) with(channel uint8, r *route) *routes {
	next := new(routes)
	if t != nil {
		*next = *t
	}
	next[channel] = r
	return next
}

// writeError is media that the side it names does not take, seen by the other side's pump.
type writeError struct {
	side udprelay.Side
	err  error
}

func (e *writeError) Error() string { return "rtsp: write interleaved media: " + e.err.Error() }
func (e *writeError) Unwrap() error { return e.err }

// relayFrame carries one interleaved frame to the other side, together with those that lie behind it in the pump's buffer.
// It runs on the pump that read the frame; the owner is not in the way. A slow reader on the other side makes this wait,
// and so stops the reading of this side alone.
func (s *session) relayFrame(p *peer, f *rtspwire.Frame) error {
	table := s.routes[p.side].Load()
	if table == nil || table[f.Channel] == nil {
		s.stray.Add(1)
		p.tap.Frame(time.Now(), f.Payload, "unknown-channel")
		return nil
	}
	r := table[f.Channel]
	now := time.Now()
	s.lastFrame.Store(now.UnixNano())
	if r.media && !r.rtcp {
		s.firstFrame.CompareAndSwap(0, now.UnixNano())
	}
	if r.meter != nil {
		r.meter.Observe(f.Payload, now)
	}
	p.tap.Frame(now, f.Payload, "")
	if p.batch.add(r, f) {
		return nil
	}
	err := s.pass(p)
	p.batch.add(r, f) // it is empty
	return err
}

// freeChannels finds two neighbouring channels, the first even, that side does not use. Odd channels carry RTCP (trap 15).
func (s *session) freeChannels(side udprelay.Side) (channels [2]uint8, ok bool) {
	for n := 0; n < 256; n += 2 {
		channels = [2]uint8{uint8(n), uint8(n + 1)}
		if s.channelsFree(side, channels, nil) {
			return channels, true
		}
	}
	return channels, false
}

// channelsFree says that side uses neither channel, but for a media that is about to go (nil: none).
func (s *session) channelsFree(side udprelay.Side, channels [2]uint8, going *media) bool {
	table := s.routes[side].Load()
	if table == nil {
		return true
	}
	for _, c := range channels {
		r := table[c]
		if r != nil && (going == nil || !going.owns(r)) {
			return false
		}
	}
	return true
}

// owns says that r is a route of the media.
func (m *media) owns(r *route) bool {
	return r == m.down[0] || r == m.down[1] || r == m.up[0] || r == m.up[1]
}

// interleave ties the two channels of a media on both sides together.
func (s *session) interleave(m *media) {
	for i := range 2 {
		down := &route{to: s.client, channel: m.clientChannels[i], rtcp: i == 1, media: !m.publish}
		up := &route{to: s.origin, channel: m.originChannels[i], rtcp: i == 1, media: m.publish}
		if i == 0 {
			if m.publish {
				up.meter = m.meter
			} else {
				down.meter = m.meter
			}
		}
		m.down[i], m.up[i] = down, up
		s.routes[udprelay.Origin].Store(s.routes[udprelay.Origin].Load().with(m.originChannels[i], down))
		s.routes[udprelay.Client].Store(s.routes[udprelay.Client].Load().with(m.clientChannels[i], up))
	}
}

// uninterleave takes the channels of a media out again, where they still lead to it.
func (s *session) uninterleave(m *media) {
	for i := range 2 {
		if t := s.routes[udprelay.Origin].Load(); t != nil && t[m.originChannels[i]] == m.down[i] {
			s.routes[udprelay.Origin].Store(t.with(m.originChannels[i], nil))
		}
		if t := s.routes[udprelay.Client].Load(); t != nil && t[m.clientChannels[i]] == m.up[i] {
			s.routes[udprelay.Client].Store(t.with(m.clientChannels[i], nil))
		}
	}
}
