package decode

import "time"

// RFC 3550, A.1.
const (
	maxDropout  = 3000 // a larger step forward is a restart
	maxMisorder = 100  // a smaller step back is a late packet
	freshStep   = 64
	window      = 128 // how many packets are remembered one by one
)

// meter follows a row of numbers that grow by one: the sequence numbers of an SSRC, or the LocationId of MMS. It gives
// each number its place in a row that does not wrap. The zero value begins.
type meter struct {
	begun     bool
	fresh     bool  // the sender was told to begin anew: a step of more than freshStep is no loss
	base, top int64 // first and highest number, extended
	bad       int64 // the number that would follow one that jumped, -1 if none
	received  int64 // distinct ones of this row
	gone      int64 // lost in rows before a restart
	recent    [window / 64]uint64
	longest   int64 // numbers in the longest step

	timed   bool
	stamp   uint32
	arrived time.Time
	jitter  float64 // seconds
}

// What a number is to its row.
type step uint8

const (
	stepNew step = iota
	stepLate
	stepDuplicate
	stepJump // far from all others; the next will tell
)

// lost is RFC 3550, A.3: expected less received.
func (m *meter) lost() int64 {
	if !m.begun {
		return m.gone
	}
	return m.gone + m.top - m.base + 1 - m.received
}

// observe takes the number at an extended place.
func (m *meter) observe(at int64) step {
	ahead := at - m.top
	fresh := m.fresh
	m.fresh = false
	switch {
	case !m.begun:
		m.restart(at)
	case fresh && (ahead > freshStep || ahead < 0):
		m.gone = m.lost()
		m.restart(at)
	case ahead > 0 && ahead < maxDropout:
		m.longest = max(m.longest, ahead-1)
		m.shift(uint64(ahead))
		m.top = at
		m.received++
		m.recent[0] |= 1
		m.bad = -1
	case ahead >= maxDropout || -ahead > maxMisorder:
		if m.bad != at {
			m.bad = at + 1
			return stepJump
		}
		m.gone = m.lost() // two in a row: begun anew without a word
		m.restart(at - 1)
		m.shift(1)
		m.top, m.received = at, 2
		m.recent[0] |= 1
	default:
		return m.behind(at)
	}
	return stepNew
}

func (m *meter) behind(at int64) step {
	back := uint64(m.top - at)
	word, bit := &m.recent[back>>6], uint64(1)<<(back&63)
	if *word&bit != 0 {
		return stepDuplicate
	}
	*word |= bit
	m.base = min(m.base, at) // it overtook the first
	m.received++
	return stepLate
}

func (m *meter) restart(at int64) {
	m.begun, m.base, m.top, m.received, m.bad = true, at, at, 1, -1
	m.recent = [window / 64]uint64{1}
	m.timed = false
}

// extend gives a number of 16 bits its place near the highest.
func (m *meter) extend(seq uint16) int64 {
	if !m.begun {
		return int64(seq) + 1<<16 // room below for what overtook the first
	}
	return m.top + int64(int16(seq-uint16(m.top)))
}

// shift makes room in the window for n newer numbers. Bit 0 of the first word is the newest.
func (m *meter) shift(n uint64) {
	for ; n >= 64; n -= 64 {
		if m.recent = [window / 64]uint64{0, m.recent[0]}; m.recent == ([window / 64]uint64{}) {
			return
		}
	}
	if n > 0 {
		m.recent[1] = m.recent[1]<<n | m.recent[0]>>(64-n)
		m.recent[0] <<= n
	}
}

// timing is the interarrival jitter of RFC 3550, section 6.4.1 and A.8.
func (m *meter) timing(stamp, clock uint32, at time.Time) {
	if clock == 0 {
		return
	}
	if m.timed {
		sent := float64(int32(stamp-m.stamp)) / float64(clock)
		d := at.Sub(m.arrived).Seconds() - sent
		m.jitter += (max(d, -d) - m.jitter) / 16
	}
	m.timed, m.stamp, m.arrived = true, stamp, at
}

// staticClock is the clock of a static payload type (RFC 3551, section 6, tables 4 and 5), 0 for others.
func staticClock(pt uint8) uint32 {
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
