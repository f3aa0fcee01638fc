package decode

import (
	"encoding/binary"
	"fmt"
	"hash/maphash"
	"math/bits"
	"time"

	"mediagate/mms/mmswire"
)

const (
	maxSources = 16 // of a flow
	maxPrints  = 48 // first packets of a flow by which it is found again on another leg
	rtpHeader  = 12
)

// mediaKind tells what a datagram or an interleaved frame may be by its first bytes.
func mediaKind(b []byte) string {
	switch {
	case len(b) >= 12 && binary.LittleEndian.Uint32(b) == 0xbeeff00d:
		if _, err := mmswire.ParseResend(b); err == nil {
			return "resend"
		}
	case len(b) >= 8 && b[0]>>6 == 2 && b[1] >= 192 && b[1] <= 223: // RFC 5761, section 4
		return "rtcp"
	case len(b) >= rtpHeader && b[0]>>6 == 2:
		return "rtp"
	case len(b) > mmswire.DataHeaderSize && int(binary.LittleEndian.Uint16(b[6:])) == len(b):
		return "mms"
	}
	return "other"
}

// observe counts a packet of a flow.
func (f *Flow) observe(b []byte, at time.Time, seed maphash.Seed) {
	f.count(len(b), at)
	switch f.Kind {
	case "rtp":
		f.print(maphash.Bytes(seed, b), len(b), at)
		f.observeRTP(b, at)
	case "rtcp":
		f.observeRTCP(b)
		if m := f.media; f.Reports.Byes > 0 && m != nil && m.Played != nil && m.Stopped == nil && f.toServer == m.Published {
			m.Stopped = &at // the sender has said goodbye (RFC 3550, section 6.6)
		}
	case "mms":
		f.print(maphash.Bytes(seed, b), len(b), at)
		if d, err := mmswire.ParseData(b); err == nil {
			f.observeData(d, at)
		}
	case "resend":
		if r, err := mmswire.ParseResend(b); err == nil {
			if f.Resend == nil {
				f.Resend = &Resend{}
			}
			f.Resend.Requests++
			f.Resend.Packets += len(r.Packets)
		}
	}
}

func (f *Flow) count(n int, at time.Time) {
	if f.Packets == 0 {
		f.First = at
	}
	f.Last = at
	f.Packets++
	f.Bytes += uint64(n)
}

func (f *Flow) print(h uint64, n int, at time.Time) {
	if len(f.prints) < maxPrints && n > rtpHeader { // players open NAT with empty packets that are all alike
		f.prints = append(f.prints, print{h, at, f})
	}
}

func (f *Flow) observeRTP(b []byte, at time.Time) {
	if len(b) < rtpHeader {
		return
	}
	be := binary.BigEndian
	s := f.source(fmt.Sprintf("%08x", be.Uint32(b[8:])))
	if s == nil {
		return
	}
	if s.Packets++; s.Packets == 1 {
		s.Payload = b[1] & 0x7f
	}
	s.Bytes += uint64(len(b))
	clock := staticClock(b[1] & 0x7f)
	if f.media != nil && f.media.clocks[b[1]&0x7f] > 0 {
		clock = f.media.clocks[b[1]&0x7f]
	}
	s.Clock = clock
	kind := s.take(s.meter.extend(be.Uint16(b[2:])))
	if kind != stepDuplicate && kind != stepJump {
		s.meter.timing(be.Uint32(b[4:]), clock, at)
		s.Jitter = Seconds(s.meter.jitter * 1e9)
		s.MaxJitter = max(s.MaxJitter, s.Jitter)
	}
}

// observeData takes a Data packet of MMS, or a $D packet of Windows Media HTTP. [MS-MMSP] 2.2.2: LocationId is the
// packet's number in the file. The pieces of a header have numbers of their own, and are counted as a row beside.
func (f *Flow) observeData(d mmswire.Data, at time.Time) {
	if d.IsPacketPair() {
		return
	}
	f.numbered(fmt.Sprintf("%02x", d.PlayIncarnation), d.LocationID, len(d.Payload)+mmswire.DataHeaderSize)
}

// numbered takes a packet of a row that one 32-bit number tells apart.
func (f *Flow) numbered(row string, number uint32, n int) {
	if s := f.source(row); s != nil {
		s.Packets++
		s.Bytes += uint64(n)
		s.take(int64(number) + 1<<16)
	}
}

func (s *Source) take(at int64) step {
	kind := s.meter.observe(at)
	switch kind {
	case stepLate:
		s.Late++
	case stepDuplicate:
		s.Duplicate++
	}
	s.Lost, s.Longest = max(0, s.meter.lost()), s.meter.longest
	return kind
}

// source finds the row of a packet, nil if there are too many.
func (f *Flow) source(id string) *Source {
	for _, s := range f.Sources {
		if s.ID == id {
			return s
		}
	}
	if len(f.Sources) >= maxSources {
		return nil
	}
	f.Sources = append(f.Sources, &Source{ID: id})
	return f.Sources[len(f.Sources)-1]
}

// lost is what all rows of a flow lack.
func (f *Flow) lost() int64 {
	var n int64
	for _, s := range f.Sources {
		n += s.Lost
	}
	return n
}

// Types of RTCP packets.
const (
	rtcpSR    = 200 // RFC 3550, section 6.4.1
	rtcpRR    = 201 // RFC 3550, section 6.4.2
	rtcpBYE   = 203 // RFC 3550, section 6.6
	rtcpRTPFB = 205 // RFC 4585, section 6.1
	fmtNACK   = 1   // RFC 4585, section 6.2.1
	fmtMask   = 15  // [MS-RTSP] 2.2.4: the top bit of FMT is the E field
)

// observeRTCP reads a compound packet as far as it can be read.
func (f *Flow) observeRTCP(b []byte) {
	if f.Reports == nil {
		f.Reports = &Reports{}
	}
	for len(b) >= 4 && b[0]>>6 == 2 {
		n := 4 * (int(binary.BigEndian.Uint16(b[2:])) + 1)
		if n > len(b) {
			return
		}
		f.Reports.add(b[0]&31, b[1], b[4:n])
		b = b[n:]
	}
}

func (r *Reports) add(count, kind byte, b []byte) {
	switch kind {
	case rtcpSR:
		r.Senders++
		if len(b) >= 24 {
			r.blocks(count, b[24:])
		}
	case rtcpRR:
		r.Receivers++
		if len(b) >= 4 {
			r.blocks(count, b[4:])
		}
	case rtcpBYE:
		r.Byes++
	case rtcpRTPFB:
		if count&fmtMask == fmtNACK && len(b) >= 8 {
			for b = b[8:]; len(b) >= 4; b = b[4:] {
				r.Nacked += 1 + bits.OnesCount16(binary.BigEndian.Uint16(b[2:]))
			}
		}
	}
}

func (r *Reports) blocks(count byte, b []byte) {
	for ; count > 0 && len(b) >= 24; count, b = count-1, b[24:] {
		lost := int64(int32(binary.BigEndian.Uint32(b[4:])<<8) >> 8) // 24 bits with a sign
		r.known++
		r.Lost = max(r.Lost, lost)
		r.Fraction = max(r.Fraction, float64(b[4])/256)
		r.Jitter = max(r.Jitter, binary.BigEndian.Uint32(b[12:]))
	}
}
