package udprelay

import "time"

// source is the state of one SSRC (RFC 3550, A.1).
type source struct {
	ssrc     uint32
	bad      int32 // the number after one that jumped, -1 if none
	base     int64 // first sequence number, extended
	top      int64 // highest, extended by its cycles
	received int64 // distinct ones
	recent   [2]uint64
	spoke    uint64

	clock uint32 // of payload type pt, when rates had been told so many times; 0: not looked up
	told  uint32
	pt    uint8

	// Of the packet before, if timed.
	timed   bool
	rate    uint32
	epoch   uint32
	stamp   uint32
	arrived time.Time
	jitter  int64 // in 1/16 ns
}

// What a sequence number is to its source.
type seqVerdict uint8

const (
	seqNew seqVerdict = iota
	seqLate
	seqDuplicate
	seqRestart
	seqJump // far from all others; the next will tell
)

// restart forgets all but who it is.
func (s *source) restart(seq uint16) {
	s.base, s.top, s.bad, s.received, s.recent = int64(seq), int64(seq)-1, -1, 0, [2]uint64{}
	s.timed = false
}

// lost is A.3's: expected less received. Duplicates are not received twice here, so it is never negative.
func (s *source) lost() int64 { return s.top - s.base + 1 - s.received }

// update is update_seq of RFC 3550, A.1, with a window of the last 128 numbers to tell late from duplicate.
func (s *source) update(seq uint16) seqVerdict {
	delta := seq - uint16(s.top)
	switch {
	case s.received == 0 || delta != 0 && delta < maxDropout:
		s.shift(uint64(delta))
		s.top += int64(delta)
		s.received++
		s.recent[0] |= 1
		s.bad = -1
		return seqNew
	case delta != 0 && int(delta) <= 1<<16-maxMisorder:
		if s.bad == int32(seq) {
			// Two in a row: the sender started anew without saying so.
			s.restart(seq - 1)
			s.top, s.received, s.recent[0] = s.base+1, 2, 3
			return seqRestart
		}
		s.bad = int32(seq + 1)
		return seqJump
	}
	back := uint(-delta)
	word, bit := &s.recent[back>>6], uint64(1)<<(back&63)
	if *word&bit != 0 {
		return seqDuplicate
	}
	*word |= bit
	if at := s.top - int64(back); at < s.base {
		s.base = at // it overtook the first
	}
	s.received++
	return seqLate
}

// shift makes room in the window for n newer numbers. Bit 0 of the first word is the newest.
func (s *source) shift(n uint64) {
	switch {
	case n >= 128:
		s.recent = [2]uint64{}
	case n >= 64:
		s.recent = [2]uint64{0, s.recent[0] << (n - 64)}
	case n > 0:
		s.recent = [2]uint64{s.recent[0] << n, s.recent[1]<<n | s.recent[0]>>(64-n)}
	}
}
