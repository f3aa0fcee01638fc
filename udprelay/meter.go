package udprelay

import (
	"encoding/binary"
	"sync/atomic"
	"time"
)

// MediaStats are RTP statistics, summed over the SSRCs seen.
type MediaStats struct {
	Packets, Bytes uint64 // RTP packets and their bytes, headers included
	Lost           uint64 // expected and not received so far
	Late           uint64 // received after one with a higher sequence number; not lost
	Duplicate      uint64 // received again
	// Jitter is that of RFC 3550, section 6.4.1, the highest among the present SSRCs. It needs the clock rate of the
	// payload type: known for the static types of RFC 3551, section 6, told by SetClockRate for others. Packets of an
	// unknown rate do not count into it: a guessed clock would give a false figure. Nor do steps of more than a second,
	// and what comes while the meter is held.
	Jitter time.Duration
	// SSRCs is how many synchronisation sources were seen. One that was silent while eight others spoke is forgotten
	// and counted anew when it returns.
	SSRCs int
}

// RFC 3550, A.1. A source's packets before MIN_SEQUENTIAL count here: where they come from has been checked.
const (
	maxDropout  = 3000        // a larger step forward is a restart
	maxMisorder = 100         // a smaller step back is a late packet
	maxSources  = 8           // per meter; a media has one or two
	maxTransit  = time.Second // a larger step of the transit time is a pause or a leap of the sender, not jitter
)

// Meter keeps RTP statistics packet by packet. The zero value is ready. One goroutine at a time may call Observe;
// Stats, SetClockRate and Hold may be called from any.
//
// What an ordinary packet touches comes first: up to the first source.
type Meter struct {
	epoch   atomic.Uint32      // odd: held. Timestamps of two epochs are not compared
	told    atomic.Uint32      // how often a rate was told
	n       int                // of sources, the observer's own, as the next two and gone
	count   uint64             // of packets: which source spoke last
	most    int64              // jitter, ns
	jitter  atomic.Int64       // the same, for any to read
	sources [maxSources]source // the observer's own

	gone int64 // lost by sources that were forgotten or restarted

	// Written by the observer, read by any.
	packets, bytes, late, duplicate, ssrcs atomic.Uint64
	lost                                   atomic.Int64

	rates [128]atomic.Uint32 // by payload type; 0 is not told
}

// SetClockRate tells the RTP clock of a payload type (a=rtpmap) in Hz, for the jitter.
func (m *Meter) SetClockRate(payloadType uint8, hz uint32) {
	m.rates[payloadType&0x7f].Store(hz)
	m.told.Add(1) // after it: who sees this sees that
}

// Hold says that the sender is told to pause or to play from elsewhere: from now on (true) packets do not count into the
// jitter, and after that (false) it goes on without comparing with any before. Calls must not overlap; one that changes
// nothing has no effect.
func (m *Meter) Hold(on bool) {
	if held := m.epoch.Load()&1 != 0; held != on {
		m.epoch.Add(1)
	}
}

// HoldJitter is Hold for the flow's media.
func (f *Flow) HoldJitter(on bool) { f.meter.Hold(on) }

// Observe takes an RTP packet that arrived at now. What is not RTP is passed over. It does not keep the packet.
func (m *Meter) Observe(packet []byte, now time.Time) {
	if !mayBeRTP(packet) {
		return
	}
	m.packets.Add(1)
	m.bytes.Add(uint64(len(packet)))
	m.observe(packet, now)
	m.publish()
}

// touch loads both lines of an ordinary packet; it is the observer's, of whom there may be several: then only what any may read.
func (m *Meter) touch(several bool) uint64 {
	if several {
		return uint64(m.jitter.Load())
	}
	return m.count + uint64(m.sources[0].jitter)
}

// publish shows the jitter to others.
func (m *Meter) publish() {
	if m.jitter.Load() != m.most {
		m.jitter.Store(m.most)
	}
}

// observe is Observe of what is RTP, without what a flow counts itself and without publish.
func (m *Meter) observe(packet []byte, now time.Time) {
	m.count++
	s := m.source(rtpSSRC(packet), rtpSequence(packet))
	s.spoke = m.count
	before := s.lost()
	switch s.update(rtpSequence(packet)) {
	case seqDuplicate:
		m.duplicate.Add(1)
		return
	case seqLate:
		m.late.Add(1)
	case seqRestart:
		m.gone += before
		before = 0
	case seqJump:
		return
	}
	if after := s.lost(); after != before {
		m.lost.Store(m.allLost())
	}
	m.timing(s, packet, now)
}

// timing is the interarrival jitter of RFC 3550, section 6.4.1, in nanoseconds: a clock of 1000 Hz is too coarse to hold
// what is measured with it.
func (m *Meter) timing(s *source, packet []byte, now time.Time) {
	rate := m.rate(s, packet[1]&0x7f)
	epoch := m.epoch.Load()
	if rate == 0 || epoch&1 != 0 {
		return
	}
	stamp := binary.BigEndian.Uint32(packet[4:])
	if s.timed && s.rate == rate && s.epoch == epoch {
		sent := time.Duration(int64(int32(stamp-s.stamp)) * int64(time.Second) / int64(rate))
		if d := (now.Sub(s.arrived) - sent).Abs(); d <= maxTransit {
			s.jitter += int64(d) - (s.jitter+8)>>4
		}
	}
	s.timed, s.rate, s.epoch, s.stamp, s.arrived = true, rate, epoch, stamp, now
	var most int64
	for i := range m.n {
		most = max(most, m.sources[i].jitter>>4)
	}
	m.most = most
}

// rate is the clock of a payload type. A source remembers that of its last packet: the table of all would be one more line of
// memory for each packet.
func (m *Meter) rate(s *source, pt uint8) uint32 {
	told := m.told.Load()
	if s.clock != 0 && s.pt == pt && s.told == told {
		return s.clock
	}
	rate := m.rates[pt].Load()
	if rate == 0 {
		rate = staticRate(pt)
	}
	s.clock, s.pt, s.told = rate, pt, told
	return rate
}

// source is the state of an SSRC: a present one, a free place, or the place of who was silent longest.
func (m *Meter) source(ssrc uint32, seq uint16) *source {
	oldest := 0
	for i := range m.n {
		if m.sources[i].ssrc == ssrc {
			return &m.sources[i]
		}
		if m.sources[i].spoke < m.sources[oldest].spoke {
			oldest = i
		}
	}
	at := oldest
	if m.n < maxSources {
		at = m.n
		m.n++
	} else {
		m.gone += m.sources[at].lost()
	}
	m.sources[at] = source{ssrc: ssrc}
	m.sources[at].restart(seq)
	m.ssrcs.Add(1)
	return &m.sources[at]
}

func (m *Meter) allLost() int64 {
	n := m.gone
	for i := range m.n {
		n += m.sources[i].lost()
	}
	return n
}

// Stats are the figures so far.
func (m *Meter) Stats() MediaStats {
	return MediaStats{
		Packets: m.packets.Load(), Bytes: m.bytes.Load(), // of a flow's: 0, it counts these itself
		Lost: uint64(max(0, m.lost.Load())), Late: m.late.Load(),
		Duplicate: m.duplicate.Load(), Jitter: time.Duration(m.jitter.Load()), SSRCs: int(m.ssrcs.Load()),
	}
}

// staticRate is the clock of a static payload type (RFC 3551, section 6, tables 4 and 5), 0 for others.
func staticRate(pt uint8) uint32 {
	switch {
	case pt == 6:
		return 16000
	case pt == 10 || pt == 11:
		return 44100
	case pt == 14 || pt == 25 || pt == 26 || pt == 28 || pt >= 31 && pt <= 34:
		return 90000
	case pt == 16:
		return 11025
	case pt == 17:
		return 22050
	case pt == 1 || pt == 2 || pt > 18:
		return 0
	}
	return 8000
}
