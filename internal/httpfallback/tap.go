package httpfallback

import (
	"encoding/binary"
	"time"
)

// tap counts the packets of a stream of [MS-WMSP] 2.2.3 without touching it. It may be fed in pieces of any size and
// keeps eight bytes of what went by. What is not framed (a plain file) is counted in bytes only.
type tap struct {
	packets uint64    // $D packets that went by whole
	bytes   uint64    // bytes of them without framing headers, or of a body that is not framed
	first   time.Time // when the first of them began
	end     bool      // $E was seen, and no playlist entry follows
	tested  bool      // $T was seen

	head   [withReason]byte // framing header and Reason
	have   int              // bytes in head
	left   int              // bytes of the present packet to come
	length int              // PacketLength of the present packet
	pairs  int              // $P packets seen
	raw    bool             // the body is not framed, or is no longer
}

const (
	framingHeader = 4
	withReason    = 8
	// frameMark is Frame with B masked away ([MS-WMSP] 2.2.3.1.1).
	frameMark, frameMask = 0x24, 0x7f
	// moreEntries is the Reason of a $E that is not the last ([MS-WMSP] 2.2.3.4: S_FALSE).
	moreEntries = 1
)

// feed takes the next bytes of the stream.
func (t *tap) feed(p []byte, now time.Time) {
	for len(p) > 0 && !t.raw {
		p = t.step(p, now)
	}
	if len(p) == 0 {
		return
	}
	t.mark(now)
	t.bytes += uint64(len(p))
}

func (t *tap) mark(now time.Time) {
	if t.first.IsZero() {
		t.first = now
	}
}

// step takes what it can of p into the present header, or past the present packet.
func (t *tap) step(p []byte, now time.Time) []byte {
	if t.left > 0 {
		n := min(t.left, len(p))
		if t.left -= n; t.left == 0 {
			t.done()
		}
		return p[n:]
	}
	n := copy(t.head[t.have:t.need()], p)
	t.have += n
	if !t.plausible() {
		t.raw = true
		t.bytes += uint64(t.have - n) // what this call took is counted by feed
		t.have, t.head = 0, [withReason]byte{}
		return p
	}
	if t.have == t.need() && t.have >= framingHeader {
		t.begin(now)
	}
	return p[n:]
}

// need is how many bytes of head the present packet has, as far as they are known.
func (t *tap) need() int {
	if t.have >= framingHeader && (t.head[1] == 'E' || t.head[1] == 'P') {
		return withReason
	}
	return framingHeader
}

// plausible says that the bytes so far can be a framing header.
func (t *tap) plausible() bool {
	if t.have > 0 && t.head[0]&frameMask != frameMark {
		return false
	}
	if t.have < 2 {
		return true
	}
	switch t.head[1] {
	case 'C', 'D', 'E', 'H', 'M', 'P', 'T':
		return true
	}
	return false
}

// begin reads the header, which is complete.
func (t *tap) begin(now time.Time) {
	t.length = int(binary.LittleEndian.Uint16(t.head[2:]))
	id := t.head[1]
	switch {
	case t.need() == framingHeader:
		t.left = t.length
	case t.have < withReason: // Reason is to come
		return
	case id == 'P':
		t.left = t.pairLength()
	default:
		t.left = max(0, t.length-4)
	}
	if id == 'D' {
		t.mark(now)
	}
	if t.left == 0 {
		t.done()
	}
}

// pairLength is how many bytes follow Reason in a packet of the packet pair, which PacketLength does not say ([MS-WMSP]
// 2.2.3.7).
func (t *tap) pairLength() int {
	t.pairs++
	reason := int(min(binary.LittleEndian.Uint32(t.head[framingHeader:]), 504))
	switch {
	case t.length != 504:
		return t.length + reason
	case t.pairs == 1:
		return t.length - reason
	}
	return t.length
}

// done is the end of a packet.
func (t *tap) done() {
	switch t.head[1] {
	case 'D':
		t.packets++
		t.bytes += uint64(t.length)
	case 'E':
		t.end = binary.LittleEndian.Uint32(t.head[framingHeader:]) != moreEntries
	case 'C', 'H':
		t.end = false
	case 'T':
		t.tested = true
	}
	t.have = 0
}
