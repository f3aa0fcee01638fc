package udprelay

import "sync/atomic"

const (
	window      = 256        // how many packets are remembered one by one: as many as AFFlags tell apart
	aheadAtMost = maxDropout // a larger step is another place of the file, as a restart of RTP
	// After CountFrom a line may break within so many packets, and a step of more than freshGap is a break.
	freshFor = 256
	freshGap = 64
)

// mmsMeter counts the Data packets of a flow. One goroutine calls observe, any others ask and stats.
//
// [MS-MMSP] 2.2.2: AFFlags are the low 8 bits of a number that grows by one with each packet sent; LocationId is the
// packet's number in the file, where the server may have left some out. A packet that is sent again has both unchanged
// ([MS-MMSP] 3.2.5.13). Where LocationId moved in step with AFFlags it tells how often these have wrapped; where it did
// not, a packet is taken for one of the 127 after or the 128 before.
type mmsMeter struct {
	// The observer's own.
	counted  uint32              // the CountFrom that the following are of; 0 is none
	fresh    int                 // so many packets more may begin a new line, since CountFrom was called
	base     int64               // first number, extended
	top      int64               // highest; its low 8 bits are AFFlags
	at       uint32              // LocationId of top
	recent   [window / 64]uint64 // bit n: the packet n before top came
	received int64
	gone     int64 // lost before the line broke
	strays   int   // packets in a row that are far from top
	straySeq uint8 // of the last of them

	asked [window / 64]atomic.Uint64 // by AFFlags: the client asked for it and it has not come

	packets, bytes, late, duplicate, resent atomic.Uint64
	lost                                    atomic.Int64
}

// ask notes the packets of a resend request that is passed on.
func (m *mmsMeter) ask(list []byte) {
	for ; len(list) >= mmsResendEntry; list = list[mmsResendEntry:] {
		n := mmsAsked(list)
		m.asked[n>>6].Or(1 << (n & 63))
	}
}

func (m *mmsMeter) isAsked(seq uint8) bool { return m.asked[seq>>6].Load()&(1<<(seq&63)) != 0 }

// answer reports whether a packet was asked for, once.
func (m *mmsMeter) answer(seq uint8) bool {
	if !m.isAsked(seq) { // so nearly always
		return false
	}
	m.asked[seq>>6].And(^(uint64(1) << (seq & 63)))
	return true
}

// observe takes a Data packet; numbered says that its AFFlags are a sequence number, counted is the CountFrom that
// says so.
func (m *mmsMeter) observe(b []byte, numbered bool, counted uint32) {
	m.packets.Add(1)
	m.bytes.Add(uint64(len(b)))
	if !numbered {
		return
	}
	seq, location := mmsSequence(b), mmsLocation(b)
	switch {
	case m.counted == 0:
		m.counted = counted
		m.restart(seq, location)
		return
	case m.counted != counted:
		m.counted, m.fresh = counted, freshFor
	}
	step, inStep := m.step(seq, location)
	switch {
	case m.fresh > 0 && m.breaks(step, inStep, seq):
		m.restart(seq, location)
	case step >= aheadAtMost || step > 1 && !inStep:
		if m.straysTo(seq) < 2 {
			return // noise, or the next one follows it
		}
		if step >= aheadAtMost {
			m.restart(seq, location)
			break
		}
		m.ahead(step, location)
		m.received++ // the first of the two
		m.recent[0] |= 2
	case step > 0:
		m.ahead(step, location)
	case -step >= window:
		m.late.Add(1)
		if m.straysTo(seq) > maxMMSResend { // more than could have been asked for: begun anew without a word
			m.restart(seq, location)
		}
	default:
		m.behind(-step, inStep, seq)
	}
	m.fresh = max(0, m.fresh-1)
	m.lost.Store(m.gone + m.missing())
}

// straysTo counts a packet that is far from the highest: how many in a row there are with it.
func (m *mmsMeter) straysTo(seq uint8) int {
	if m.straySeq+1 != seq {
		m.strays = 0
	}
	m.strays, m.straySeq = m.strays+1, seq
	return m.strays
}

// breaks reports whether a packet soon after a CountFrom begins a new line. What was still on its way when the player
// sought or went on is in line with what came before, and so is what goes on without a break.
func (m *mmsMeter) breaks(step int64, inStep bool, seq uint8) bool {
	switch back := -step; {
	case !inStep || step > freshGap || back >= window:
		return true
	case step > 0:
		return false
	default:
		return m.has(back) && !m.isAsked(seq) // played again from a place before
	}
}

// step is how far a packet is from the highest; inStep says that LocationId and AFFlags agree.
func (m *mmsMeter) step(seq uint8, location uint32) (n int64, inStep bool) {
	n = int64(location) - int64(m.at)
	if byte(n) == seq-byte(m.top) {
		return n, true
	}
	return int64(int8(seq - byte(m.top))), false
}

// restart begins a line; what the last one lost stays lost.
func (m *mmsMeter) restart(seq uint8, location uint32) {
	m.gone += m.missing()
	m.base, m.top, m.at, m.received = int64(seq), int64(seq), location, 1
	m.recent = [window / 64]uint64{1}
	m.fresh, m.strays = 0, 0
	for i := range m.asked {
		m.asked[i].Store(0)
	}
}

// missing is how many packets the present line lacks.
func (m *mmsMeter) missing() int64 {
	if m.received == 0 {
		return 0
	}
	return m.top - m.base + 1 - m.received
}

func (m *mmsMeter) ahead(step int64, location uint32) {
	m.shift(uint64(step))
	m.top += step
	m.at = location
	m.received++
	m.recent[0] |= 1
	m.strays = 0
	m.answer(byte(m.top)) // asked for 256 packets ago, if at all
}

// behind takes one of the last packets before the newest: late, sent again, or twice the same.
func (m *mmsMeter) behind(back int64, inStep bool, seq uint8) {
	if m.top-back < m.base && !inStep {
		m.late.Add(1) // of another line
		return
	}
	news := !m.has(back)
	if news {
		m.recent[back>>6] |= 1 << (back & 63)
		m.received++
		m.base = min(m.base, m.top-back) // it overtook the first
	}
	switch {
	case m.answer(seq):
		m.resent.Add(1)
	case news:
		m.late.Add(1)
	default:
		m.duplicate.Add(1)
	}
}

// has reports whether the packet that many before the highest came; 0 <= back < window.
func (m *mmsMeter) has(back int64) bool { return m.recent[back>>6]&(1<<(back&63)) != 0 }

// shift makes room in the window for n newer numbers. Bit 0 of the first word is the newest.
func (m *mmsMeter) shift(n uint64) {
	for ; n >= 64; n -= 64 {
		m.recent = [window / 64]uint64{0, m.recent[0], m.recent[1], m.recent[2]}
		if m.recent == ([window / 64]uint64{}) {
			return
		}
	}
	for i := len(m.recent) - 1; i > 0; i-- {
		m.recent[i] = m.recent[i]<<n | m.recent[i-1]>>(64-n)
	}
	m.recent[0] <<= n
}

func (m *mmsMeter) stats() MediaStats {
	return MediaStats{
		Packets: m.packets.Load(), Bytes: m.bytes.Load(), Lost: uint64(max(0, m.lost.Load())), Late: m.late.Load(),
		Duplicate: m.duplicate.Load(),
	}
}
