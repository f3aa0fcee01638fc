package player

import (
	"encoding/binary"
	"time"
)

const (
	// maxFlows bounds what a confused origin can make us keep.
	maxFlows = 16
	// holdPackets and holdTime are how much is kept back behind a hole, while the packet in it may still come.
	holdPackets = 256
	holdTime    = 1500 * time.Millisecond
	// askEvery is how long an answer to a resend request may take, askTimes how often it is asked.
	askEvery = 150 * time.Millisecond
	askTimes = 6
	// maxGap is the greatest step forward that is a loss; a greater one is a new beginning. RFC 3550, section A.1.
	maxGap = 3000
)

// rtp is the part of an RTP header that is looked at.
type rtp struct {
	marker  bool
	kind    byte
	seq     uint16
	time    uint32
	ssrc    uint32
	payload []byte
}

// parseRTP reads RFC 3550, section 5.1.
func parseRTP(b []byte) (p rtp, ok bool) {
	if len(b) < 12 || b[0]>>6 != 2 {
		return p, false
	}
	be := binary.BigEndian
	p = rtp{marker: b[1]&0x80 != 0, kind: b[1] & 0x7f, seq: be.Uint16(b[2:]), time: be.Uint32(b[4:]), ssrc: be.Uint32(b[8:])}
	at := 12 + 4*int(b[0]&0x0f)
	if b[0]&0x10 != 0 && at+4 <= len(b) {
		at += 4 + 4*int(be.Uint16(b[at+2:]))
	}
	if at > len(b) {
		return p, false
	}
	p.payload = b[at:]
	if b[0]&0x20 != 0 && len(p.payload) > 0 {
		n := int(p.payload[len(p.payload)-1])
		if n > len(p.payload) {
			return p, false
		}
		p.payload = p.payload[:len(p.payload)-n]
	}
	return p, true
}

// hole is a packet that did not come yet.
type hole struct {
	since, asked time.Time
	times        int
}

// flow is the RTP packets of one source.
type flow struct {
	ssrc    uint32
	clock   int
	pair    *pair                 // it comes over, nil over TCP
	deliver func(p rtp, gap bool) // in order; gap: packets before this one are lost

	started  bool
	highest  uint32 // extended; RFC 3550, section A.1
	base     uint32
	next     uint32 // of the next packet to deliver
	held     map[uint32]rtp
	missing  map[uint32]*hole
	seen     [1 << 16]uint32 // extended number + 1 of the packet last seen of each number
	packets  uint64
	bytes    uint64
	lost     uint64
	resent   uint64
	late     uint64
	dup      uint64
	transit  int64 // of the last packet, in clock units
	jitter   float64
	reported [2]uint64 // expected and received at the last report
}

func newFlow(ssrc uint32, clock int, deliver func(rtp, bool)) *flow {
	return &flow{ssrc: ssrc, clock: clock, deliver: deliver, held: map[uint32]rtp{}, missing: map[uint32]*hole{}}
}

// begin makes n the number of the first packet.
func (f *flow) begin(n uint32) {
	f.started = true
	f.base = n + 1<<16
	f.highest, f.next = f.base-1, f.base
}

// push takes a packet; resent tells that it came on the resend stream.
func (f *flow) push(p rtp, size int, resent bool, now time.Time) {
	if !f.started {
		if resent {
			return
		}
		f.begin(uint32(p.seq))
	}
	n := f.highest + uint32(int32(int16(p.seq-uint16(f.highest))))
	if f.seen[p.seq] == n+1 {
		f.dup++
		return
	}
	step := int32(n - f.highest)
	if resent && (step > 0 || f.missing[n] == nil) {
		return // of another time
	}
	f.seen[p.seq] = n + 1
	f.packets++
	f.bytes += uint64(size)
	switch {
	case resent:
		f.resent++
	case step <= 0:
		f.late++
	default:
		f.advance(n, now)
		f.measure(p, now)
	}
	delete(f.missing, n)
	if int32(n-f.next) < 0 {
		return // given up before
	}
	f.held[n] = p
	f.release(false)
	for len(f.held) > holdPackets {
		f.release(true)
	}
}

// advance makes n the highest number, and what lies between missing.
func (f *flow) advance(n uint32, now time.Time) {
	if n-f.highest > maxGap {
		f.flush()
		f.base += n - f.highest - 1 // what lies between was never sent
		f.next = n
	} else {
		for m := f.highest + 1; m != n; m++ {
			f.missing[m] = &hole{since: now}
		}
	}
	f.highest = n
}

// measure is the jitter of RFC 3550, section 6.4.1.
func (f *flow) measure(p rtp, now time.Time) {
	transit := now.UnixMicro()*int64(f.clock)/1e6 - int64(p.time)
	if f.packets > 1 {
		d := float64(int32(transit - f.transit))
		f.jitter += (max(d, -d) - f.jitter) / 16
	}
	f.transit = transit
}

// release delivers what is in order; over tells to pass over the first hole.
func (f *flow) release(over bool) {
	gap := false
	for len(f.held) > 0 {
		p, ok := f.held[f.next]
		if !ok {
			if !over {
				return
			}
			f.lose(f.next)
			f.next++
			gap = true
			continue
		}
		over = false
		delete(f.held, f.next)
		f.next++
		f.deliver(p, gap)
		gap = false
	}
}

func (f *flow) lose(n uint32) {
	if f.missing[n] != nil {
		delete(f.missing, n)
		f.lost++
	}
}

// giveUp passes over holes that are too old.
func (f *flow) giveUp(now time.Time) {
	for len(f.held) > 0 {
		h := f.missing[f.next]
		if h != nil && now.Sub(h.since) < holdTime {
			return
		}
		f.release(true)
	}
}

// flush delivers what is held, and counts what never came.
func (f *flow) flush() {
	for len(f.held) > 0 {
		f.release(true)
	}
	f.lost += uint64(len(f.missing))
	clear(f.missing)
}

// wanted are the packets to ask for now. [MS-RTSP] 3.1.4.6.
func (f *flow) wanted(now time.Time) (sequences []uint16) {
	for _, n := range f.due(now, 0) {
		sequences = append(sequences, uint16(n))
	}
	return sequences
}

// due are the numbers, as begin counts them, of the packets to ask for now: those that have been missing for long enough.
func (f *flow) due(now time.Time, missing time.Duration) (numbers []uint32) {
	for n, h := range f.missing {
		if h.times < askTimes && now.Sub(h.since) >= missing && now.Sub(h.asked) >= askEvery {
			h.asked = now
			h.times++
			numbers = append(numbers, n-1<<16)
		}
	}
	return numbers
}

// expect makes the count packets after the highest missing.
func (f *flow) expect(count uint32, now time.Time) {
	for range count {
		f.highest++
		f.missing[f.highest] = &hole{since: now}
	}
}

// addTo adds the flow's numbers to the report.
func (f *flow) addTo(r *Report) {
	r.Packets += f.packets
	r.Bytes += f.bytes
	r.Lost += f.lost
	r.Resent += f.resent
	r.Late += f.late
	r.Duplicate += f.dup
	r.Jitter = max(r.Jitter, time.Duration(f.jitter/float64(f.clock)*float64(time.Second)))
}
