package decode

import (
	"slices"
	"time"
)

const (
	maxSegments = 4096                   // of one direction that wait for a missing one
	gapAfter    = 300 * time.Millisecond // after the receiver has acknowledged what the capture lacks
)

// segment is a piece of a direction that came before its turn, or a place that the capture lacks.
type segment struct {
	seq  uint32
	data []byte
	hole int // bytes after data that were not captured, of a packet that was cut short
	at   time.Time
	fin  bool
}

// stream puts one direction of a TCP connection in order (RFC 9293, section 3.4) and tells where bytes are missing.
type stream struct {
	known   bool
	next    uint32 // the sequence number that is due
	acked   uint32 // the highest that the other side has acknowledged
	hasAck  bool
	pending []segment // by seq
	bytes   int       // in pending
	fin     bool      // delivered
	resent  int       // segments that came again
	deliver func(b []byte, at time.Time)
	missing func(n int, at time.Time)
}

// before reports whether a stands before b in the circle of sequence numbers.
func before(a, b uint32) bool { return int32(a-b) < 0 }

// take takes a segment and delivers what is due. It returns how many bytes more wait than before.
func (s *stream) take(g segment, limit int) int {
	had := s.bytes
	if !s.known {
		s.known, s.next = true, g.seq
	}
	end := g.seq + uint32(len(g.data)+g.hole)
	if len(g.data)+g.hole > 0 && !before(s.next, end) {
		s.resent++
		if !g.fin {
			return 0
		}
	}
	if before(s.next, g.seq) {
		s.wait(g)
		if s.bytes > limit || len(s.pending) > maxSegments {
			s.jump(g.at)
		}
	} else {
		s.due(g)
	}
	s.drain()
	return s.bytes - had
}

// due delivers a segment of which the first new byte is due.
func (s *stream) due(g segment) {
	old := int(s.next - g.seq)
	if old < len(g.data) {
		s.next += uint32(len(g.data) - old)
		s.deliver(g.data[old:], g.at)
		old = len(g.data)
	}
	if rest := len(g.data) + g.hole - old; g.hole > 0 && rest > 0 {
		s.next += uint32(rest)
		s.missing(rest, g.at)
	}
	s.fin = s.fin || g.fin
}

func (s *stream) wait(g segment) {
	i, seen := slices.BinarySearchFunc(s.pending, g, func(a, b segment) int { return int(int32(a.seq - b.seq)) })
	if seen && len(s.pending[i].data) >= len(g.data) {
		s.resent++
		return
	}
	g.data = slices.Clone(g.data)
	s.pending = slices.Insert(s.pending, i, g)
	s.bytes += len(g.data)
}

// drain delivers what was waiting and is due now.
func (s *stream) drain() {
	for len(s.pending) > 0 && !before(s.next, s.pending[0].seq) {
		g := s.pending[0]
		s.pending = slices.Delete(s.pending, 0, 1)
		s.bytes -= len(g.data)
		if end := g.seq + uint32(len(g.data)+g.hole); before(s.next, end) || g.fin {
			s.due(g)
		}
	}
}

// jump gives up what is missing before the first segment that waits.
func (s *stream) jump(at time.Time) {
	if len(s.pending) == 0 {
		return
	}
	n := s.pending[0].seq - s.next
	s.next = s.pending[0].seq
	s.missing(int(n), at)
	s.drain()
}

// ack notes what the other side has received: what it has and the capture lacks will not come.
func (s *stream) ack(n uint32, at time.Time) {
	if !s.hasAck || before(s.acked, n) {
		s.acked, s.hasAck = n, true
	}
	for len(s.pending) > 0 && !before(s.acked, s.pending[0].seq) && at.Sub(s.pending[0].at) > gapAfter {
		s.jump(at)
	}
}

// flush delivers all that waits: the connection or the capture has ended.
func (s *stream) flush(at time.Time) {
	for len(s.pending) > 0 {
		s.jump(at)
	}
}
