package player

import (
	"slices"
	"time"

	"mediagate/internal/asf"
	"mediagate/mms/mmswire"
)

const (
	// newBegin is how far the first sequence number may be from the one that was expected and still be the same count:
	// what lies between was lost. Farther off, the server counts anew.
	newBegin = 64
	// maxTail is how many packets at the end are asked for that nothing but the file's size tells of.
	maxTail = 256
)

// mmsStream is the ASF packets of one entry, as they come.
type mmsStream struct {
	flow         *flow
	ordered      bool    // over TCP: nothing is lost or out of order
	incarnations []uint8 // of its Data packets

	started  bool
	highest  uint32 // sequence number
	location uint32 // of the packet with the highest
	asked    uint32 // packets that were asked for again
	gaps     uint32 // packets that did not come in their turn
	longest  uint32 // of the gaps
	payload  uint64 // bytes
	firstAt  time.Time
	lastAt   time.Time
	sent     [2]uint32 // send times of the first and the last packet, in ms
}

// newMMSStream makes one whose first sequence number should be next.
func newMMSStream(ordered bool, next uint32, deliver func(rtp, bool)) *mmsStream {
	return &mmsStream{flow: newFlow(0, 1000, deliver), ordered: ordered, highest: next - 1}
}

// takes tells whether packets of the incarnation are its own.
func (s *mmsStream) takes(incarnation uint8) bool {
	return slices.Contains(s.incarnations, incarnation)
}

// push takes a packet of size bytes, header included.
func (s *mmsStream) push(d *mmswire.Data, size int, now time.Time) {
	n, again := s.number(d)
	if again {
		s.flow.dup++
		return
	}
	s.payload += uint64(len(d.Payload))
	if s.firstAt.IsZero() {
		s.firstAt = now
	}
	s.lastAt = now
	p := rtp{seq: uint16(n), time: s.sent[1], payload: d.Payload}
	if a, err := asf.ParsePacket(d.Payload); err == nil {
		p.time = a.SendTime
		if s.flow.packets == 0 {
			s.sent[0] = a.SendTime
		}
		s.sent[1] = max(s.sent[1], a.SendTime)
	}
	h := s.flow.missing[n+1<<16]
	s.flow.push(p, size, h != nil && h.times > 0, now)
}

// number is the 32-bit sequence number whose lowest bits are AFFlags, and whether the packet can only be one that was
// there before. [MS-MMSP] 2.2.2 and 3.1.4.7. LocationId counts the packets of the file, all of which are sent if all
// streams are selected: it tells how often the 8 bits have turned over meanwhile, and what is new from what is late.
func (s *mmsStream) number(d *mmswire.Data) (n uint32, again bool) {
	switch {
	case !s.started:
		s.begin(d)
	case s.ordered && d.LocationID <= s.location:
		return 0, true
	case s.ordered:
		s.highest++
	case d.LocationID > s.location:
		ahead := 1 + uint32(d.AFFlags-uint8(s.highest+1))
		if by := d.LocationID - s.location; uint8(by) == uint8(ahead) && by > ahead && by < maxGap {
			ahead = by
		}
		s.gaps += ahead - 1
		s.longest = max(s.longest, ahead-1)
		s.highest += ahead
	default:
		back := s.location - d.LocationID
		if uint8(s.highest-back) != d.AFFlags {
			back = uint32(uint8(s.highest) - d.AFFlags)
		}
		return s.highest - back, false
	}
	s.location = d.LocationID
	return s.highest, false
}

// begin finds the place of the first packet. A server counts on after another StartPlaying, or from 0; it need not use
// 0xff before that. [MS-MMSP] 2.2.2.
func (s *mmsStream) begin(d *mmswire.Data) {
	s.started = true
	next := s.highest + 1
	if uint8(next) == 0xff && d.AFFlags == 0 {
		next++
	}
	lost := uint32(d.AFFlags - uint8(next))
	switch {
	case s.ordered:
		next, lost = uint32(d.AFFlags), 0
	case lost < newBegin:
	case d.AFFlags < newBegin:
		next, lost = 0, uint32(d.AFFlags)
	default: // it counts as it likes
		next, lost = uint32(d.AFFlags), 0
	}
	s.flow.begin(next)
	s.highest = next + lost
	s.gaps, s.longest = lost, lost
}

// expect makes the packets up to count missing, which nothing else would tell of.
func (s *mmsStream) expect(count uint64, now time.Time) {
	if tail := count - uint64(s.location) - 1; s.started && count > uint64(s.location) && tail <= maxTail {
		s.flow.expect(uint32(tail), now)
		s.highest += uint32(tail)
		s.location += uint32(tail)
		s.gaps += uint32(tail)
		s.longest = max(s.longest, uint32(tail))
	}
}

// asking tells whether a packet is missing that was not asked for often enough, or whose answer may still come.
func (s *mmsStream) asking(now time.Time) bool {
	for _, h := range s.flow.missing {
		if h.times < askTimes || now.Sub(h.asked) < askEvery {
			return true
		}
	}
	return false
}
