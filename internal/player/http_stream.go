package player

import (
	"time"

	"mediagate/internal/asf"
)

// httpStream is the ASF packets of one entry as they come over HTTP: in order, as TCP has them, but perhaps not all.
type httpStream struct {
	flow     *flow
	location uint32 // of the last packet, its number in the file. [MS-WMSP] 2.2.3.1.2
	sequence uint8  // of the last packet, counted by the server as it sends
	number   uint32 // of the last packet, as the flow counts: location without its leaps
	skipped  uint64 // packets of the file that the server never sent
	unsent   uint64 // packets that the server counted as sent and that did not come
	longest  uint64 // row of them
	payload  uint64 // bytes
	firstAt  time.Time
	lastAt   time.Time
	sent     [2]uint32 // send times of the first and the last packet, in ms
}

func newHTTPStream(deliver func(rtp, bool)) *httpStream {
	return &httpStream{flow: newFlow(0, 1000, deliver)}
}

// push takes a $D packet. What is missing between two location numbers is lost to the player; of that, what is missing
// between two sequence numbers was lost on the way, the rest left out by the server.
func (s *httpStream) push(p frame, now time.Time) {
	ahead := uint32(1)
	switch {
	case !s.flow.started:
		s.flow.begin(0)
		s.firstAt, ahead = now, 0
	case p.location <= s.location:
		s.flow.dup++
		return
	default:
		if by := p.location - s.location; by <= maxGap { // else it is a new beginning
			ahead = by
		}
		gap := uint64(p.flags - s.sequence - 1)
		gap = min(gap, uint64(ahead-1))
		s.unsent += gap
		s.longest = max(s.longest, gap)
		s.skipped += uint64(ahead-1) - gap
	}
	s.location, s.sequence = p.location, p.flags
	s.number += ahead
	s.payload += uint64(len(p.payload))
	s.lastAt = now
	packet := rtp{seq: uint16(s.number), time: s.sent[1], payload: p.payload}
	if a, err := asf.ParsePacket(p.payload); err == nil {
		packet.time = a.SendTime
		if s.flow.packets == 0 {
			s.sent[0] = a.SendTime
		}
		s.sent[1] = max(s.sent[1], a.SendTime)
	}
	s.flow.push(packet, p.size, false, now)
	if ahead > 1 {
		s.flow.flush() // nothing comes late over TCP
	}
}
