package mms

import (
	"fmt"
	"sync/atomic"
	"time"

	"mediagate/mms/mmswire"
	"mediagate/udprelay"
)

// mediaPath is what the pumps need to pass Data packets of the control connection by the owner, and what they count.
type mediaPath struct {
	from        atomic.Pointer[peer] // the origin whose Data the player gets; nil: none
	incarnation atomic.Uint32        // low byte of the last StartPlaying; 0: none yet
	packets     atomic.Uint64
	bytes       atomic.Uint64
	stray       atomic.Uint64 // Data packets of the client, and of an origin that the player knows nothing of
	unwritten   atomic.Uint64
	first, last atomic.Int64 // unix nanoseconds of media (not of headers), 0: none
}

// writeError is a Data packet that could not be written to a side.
type writeError struct {
	side udprelay.Side
	err  error
}

func (e *writeError) Error() string { return fmt.Sprintf("mms: write data to %v: %v", e.side, e.err) }
func (e *writeError) Unwrap() error { return e.err }

// relayData writes a Data packet of the origin to the client as it came, in one write. It runs on the origin's pump: a
// client that does not read stops it.
func (s *session) relayData(p *peer, d *mmswire.Data) error {
	m := &s.media
	if p.side == sideClient || m.from.Load() != p {
		p.dataSeen(d.Bytes(), "stray")
		m.stray.Add(1) // [MS-MMSP] 2.2.2: only servers send Data
		return nil
	}
	b := d.Bytes()
	p.dataSeen(b, "")
	if err := s.client.out.data(b); err != nil {
		m.unwritten.Add(1)
		return &writeError{sideClient, err}
	}
	m.packets.Add(1)
	m.bytes.Add(uint64(len(b)))
	now := time.Now().UnixNano()
	if m.first.Load() == 0 && uint32(d.PlayIncarnation) == m.incarnation.Load() {
		m.first.Store(now)
	}
	m.last.Store(now)
	return nil
}

const (
	// tailQuiet is how long no datagram may have come before the end of the stream is told. The control connection is
	// faster than a queue of datagrams on the way from the origin.
	tailQuiet = 100 * time.Millisecond
	// tailMost is the longest that the end is held back.
	tailMost = 500 * time.Millisecond
	// maxTail bounds the messages behind it.
	maxTail = 16
)

// tail is an end of stream that waits for the last datagrams, and what the origin said after it.
type tail struct {
	messages []late
	since    time.Time
	gone     error // what has ended the origin's connection meanwhile, nil if nothing has
}

type late struct {
	msg  mmswire.Raw
	sent uint64
}

func (t *tail) waiting() bool                  { return len(t.messages) > 0 }
func (t *tail) add(m mmswire.Raw, sent uint64) { t.messages = append(t.messages, late{m, sent}) }

func (s *session) holdTail(m mmswire.Raw, sent uint64) {
	if !s.tail.waiting() {
		s.tail.since = time.Now()
	}
	s.tail.add(m, sent)
}

// tailDeadline is when what waits must go; zero if nothing does.
func (s *session) tailDeadline() time.Time {
	if !s.tail.waiting() {
		return time.Time{}
	}
	most := s.tail.since.Add(tailMost)
	if s.funnel.flow == nil {
		return s.tail.since
	}
	quiet := s.funnel.flow.LastSeen(udprelay.Origin).Add(tailQuiet)
	if least := s.tail.since.Add(tailQuiet); quiet.Before(least) {
		quiet = least
	}
	if quiet.Before(most) {
		return quiet
	}
	return most
}

// releaseTail tells the player what waited.
func (s *session) releaseTail() {
	waiting := s.tail
	s.tail = tail{}
	for _, l := range waiting.messages {
		s.toClient(l.msg, l.sent)
	}
	if waiting.gone != nil && s.end == nil {
		s.onOriginGone(waiting.gone)
	}
}
