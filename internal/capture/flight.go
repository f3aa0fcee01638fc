package capture

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"sync"
	"time"
)

const (
	maxMemory  = 64 << 10 // of one session
	minMemory  = 4 << 10  // less is no evidence
	maxMessage = 8 << 10  // of one message, so that a large description does not push the rest out
	maxMedia   = 4        // flows of a session that are kept
	// mediaMemory is what the packets of one flow take, and their drops: with maxMedia of them half of maxMemory.
	passedPackets  = 160
	droppedPackets = 24
)

// message is a control message.
type message struct {
	at       time.Time
	side     Side
	out      bool
	from, to netip.AddrPort
	text     []byte // what is kept of it
	size     int    // what it was
}

// messages are the last ones, and as a rule all: a session has few. What a place costs counts too.
type messages struct {
	limit, used int
	list        []message
	lost        int
}

const messageCost = 160

func (r *messages) add(m message) {
	cost := len(m.text) + messageCost
	if cost > r.limit {
		r.lost++
		return
	}
	for r.used+cost > r.limit {
		r.used -= len(r.list[0].text) + messageCost
		r.list[0] = message{}
		r.list = r.list[1:]
		r.lost++
	}
	r.list = append(r.list, m)
	r.used += cost
}

// Media is what is kept of one flow: the heads of its last packets, and of those that went no further. Of the goroutines
// that read the flow's sockets one takes its lock at a time; nobody else does until the session ends badly. It may be
// nil.
type Media struct {
	session *Session
	kept    bool // there is memory for it

	mu      sync.Mutex // guards what follows
	passed  [passedPackets]passed
	dropped [droppedPackets]dropped
	n, d    uint64
}

type passed struct {
	at     int64 // Unix ns
	head   [12]byte
	size   uint16
	port   uint16 // of the sender
	origin bool
	length uint8 // of head
}

type dropped struct {
	passed
	from netip.AddrPort
	to   netip.AddrPort
	why  string
}

// Media begins to keep a flow. Of more flows than a session has place for, the oldest is
// forgotten.
func (s *Session) Media() *Media {
	if s == nil {
		return nil
	}
	m := &Media{session: s}
	places := s.book.cfg.Flight.Memory * maxMedia / maxMemory
	if places == 0 {
		return m
	}
	m.kept = true
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.media) >= places {
		s.media = append(s.media[:0:0], s.media[1:]...)
	}
	s.media = append(s.media, m)
	return m
}

// keep notes the head of a packet.
func (m *Media) keep(at time.Time, origin bool, from, to netip.AddrPort, b []byte, why string) {
	if m == nil || !m.kept {
		return
	}
	p := passed{at: at.UnixNano(), size: uint16(min(len(b), 0xffff)), port: from.Port(), origin: origin}
	p.length = uint8(copy(p.head[:], b))
	m.mu.Lock()
	if why == "" {
		m.passed[m.n%passedPackets] = p
		m.n++
	} else {
		m.dropped[m.d%droppedPackets] = dropped{p, from, to, why}
		m.d++
	}
	m.mu.Unlock()
}

// lines are what is kept, as entries of a file.
func (m *Media) lines() []line {
	m.mu.Lock()
	defer m.mu.Unlock()
	var all []line
	for i := range min(m.n, passedPackets) {
		p := &m.passed[i]
		all = append(all, line{time.Unix(0, p.at), fmt.Sprintf("%v in port %d: %s", sideOf(p.origin), p.port, p.text())})
	}
	for i := range min(m.d, droppedPackets) {
		d := &m.dropped[i]
		all = append(all, line{time.Unix(0, d.at), fmt.Sprintf("%v in %v %v dropped, %s: %s", sideOf(d.origin), d.from, d.to, d.why, d.text())})
	}
	return all
}

func sideOf(origin bool) Side {
	if origin {
		return Origin
	}
	return Client
}

// text reads the head of a packet as RTP or RTCP (RFC 3550, sections 5.1 and 6.4), else it is shown as it is.
func (p *passed) text() string {
	h := p.head[:p.length]
	switch {
	case len(h) >= 8 && h[0]>>6 == 2 && h[1] >= 192 && h[1] <= 223:
		return fmt.Sprintf("RTCP type %d ssrc %08x, %d bytes", h[1], binary.BigEndian.Uint32(h[4:]), p.size)
	case len(h) == 12 && h[0]>>6 == 2:
		return fmt.Sprintf("RTP payload type %d seq %d time %d ssrc %08x, %d bytes", h[1]&0x7f, binary.BigEndian.Uint16(h[2:]),
			binary.BigEndian.Uint32(h[4:]), binary.BigEndian.Uint32(h[8:]), p.size)
	}
	return fmt.Sprintf("begins %x, %d bytes", h, p.size)
}
