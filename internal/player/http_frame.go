package player

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"time"
)

const (
	// frameMark is Frame, frameMask takes B away. [MS-WMSP] 2.2.3.1.1.
	frameMark, frameMask = 0x24, 0x7f
	// pairUnit is PacketLength of the first two $P packets, and the most that Reason may be. [MS-WMSP] 2.2.3.7.
	pairUnit = 504
	// lastPart is the bit of AFFlags that marks the last packet of a header or of metadata. [MS-WMSP] 2.2.3.1.2.
	lastPart = 8
)

// errFraming tells that what came is no packet of [MS-WMSP] 2.2.3.
var errFraming = errors.New("player: read packet: not framed as Windows Media over HTTP is")

// frame is one packet of [MS-WMSP] 2.2.3. It owns its payload.
type frame struct {
	id       byte   // one of "CDEHMPT"
	reason   uint32 // of $C, $E and $P
	location uint32 // of $D, $H and $M, as flags and payload
	flags    uint8
	payload  []byte
	size     int // of all of it
}

// frameReader reads packets.
type frameReader struct {
	r     io.Reader
	pairs int // $P packets so far
}

// next reads a packet. io.EOF comes only between two.
func (f *frameReader) next() (frame, error) {
	var head [4]byte
	if _, err := io.ReadFull(f.r, head[:]); err != nil {
		return frame{}, err // io.EOF before the first byte, io.ErrUnexpectedEOF after it
	}
	p := frame{id: head[1]}
	if head[0]&frameMask != frameMark {
		return p, fmt.Errorf("%w: it begins with 0x%02x", errFraming, head[0])
	}
	length := int(binary.LittleEndian.Uint16(head[2:]))
	least, ok := map[byte]int{'C': 4, 'E': 4, 'P': 4, 'D': 8, 'H': 8, 'M': 8, 'T': 0}[p.id]
	if !ok || length < least {
		return p, fmt.Errorf("%w: a packet %q of %d bytes", errFraming, p.id, length)
	}
	p.size = len(head) + length
	if p.id == 'P' {
		return f.pair(p, length)
	}
	b := make([]byte, length)
	if _, err := io.ReadFull(f.r, b); err != nil {
		return p, noEOF(err)
	}
	switch least {
	case 4:
		p.reason = binary.LittleEndian.Uint32(b)
	case 8: // PacketSize says again what PacketLength has said
		p.location, p.flags, p.payload = binary.LittleEndian.Uint32(b), b[5], b[8:]
	}
	return p, nil
}

// pair passes over the random bytes of a $P packet, of which PacketLength does not count Reason, nor all others.
// [MS-WMSP] 2.2.3.7.
func (f *frameReader) pair(p frame, length int) (frame, error) {
	var reason [4]byte
	if _, err := io.ReadFull(f.r, reason[:]); err != nil {
		return p, noEOF(err)
	}
	p.reason = binary.LittleEndian.Uint32(reason[:])
	f.pairs++
	shift := int(min(p.reason, pairUnit))
	rest := int64(length)
	switch {
	case length != pairUnit:
		rest += int64(shift)
	case f.pairs == 1:
		rest -= int64(shift)
	}
	p.size = 8 + int(rest)
	_, err := io.CopyN(io.Discard, f.r, rest)
	return p, noEOF(err)
}

// noEOF is the error of a packet that was cut off.
func noEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// httpHeader is an ASF header that is being put together. TCP keeps its parts in order.
type httpHeader struct {
	b     []byte
	parts int
	whole bool
}

func (h *httpHeader) add(p frame) error {
	if h.whole { // it is told again, as the one before a Play's media
		*h = httpHeader{}
	}
	if h.parts++; h.parts > maxHeaderParts || len(h.b)+len(p.payload) > maxHeader {
		return errHeaderSize
	}
	h.b = append(h.b, p.payload...)
	h.whole = p.flags&lastPart != 0
	return nil
}

// httpEvent is what the reader has read: a packet or an error.
type httpEvent struct {
	frame
	err error
	at  time.Time
}
