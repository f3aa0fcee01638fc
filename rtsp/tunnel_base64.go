package rtsp

import (
	"fmt"

	"mediagate/rtsp/rtspwire"
)

// unbase64 decodes what a POST brings. Players encode each request by itself, with its padding (ffmpeg, GStreamer), or the
// stream as one; break lines anywhere; and leave the padding out. A byte is given as soon as its bits are there, so that
// no request waits for the one after it. The zero value begins.
type unbase64 struct {
	bits uint8 // of the byte that is not whole
	fill uint8 // characters of the group of four so far
	pad  bool  // a second = may follow
	n    int64 // characters so far
}

// decode puts the bytes that b stands for at the beginning of b and returns how many they are. After an error nothing more
// can be read.
func (d *unbase64) decode(b []byte) (int, error) {
	out := 0
	for _, c := range b {
		d.n++
		switch c {
		case '\r', '\n', ' ', '\t':
			continue
		case '=':
			switch {
			case d.pad || d.fill == 3:
				d.pad = false
			case d.fill == 2:
				d.pad = true
			default:
				return out, d.fault(c)
			}
			d.fill = 0
			continue
		}
		v, ok := sextet(c)
		if !ok {
			return out, d.fault(c)
		}
		d.pad = false
		if d.fill > 0 {
			b[out] = d.bits<<(2*d.fill) | v>>(6-2*d.fill)
			out++
		}
		d.bits, d.fill = v, (d.fill+1)%4
	}
	return out, nil
}

func (d *unbase64) fault(c byte) error {
	return &rtspwire.SyntaxError{Offset: d.n - 1, Field: "POST of the tunnel", What: fmt.Sprintf("byte 0x%02x is no base64 there", c), Fatal: true}
}

// sextet is the value of a character of RFC 4648, section 4.
func sextet(c byte) (uint8, bool) {
	switch {
	case 'A' <= c && c <= 'Z':
		return c - 'A', true
	case 'a' <= c && c <= 'z':
		return c - 'a' + 26, true
	case '0' <= c && c <= '9':
		return c - '0' + 52, true
	case c == '+':
		return 62, true
	case c == '/':
		return 63, true
	}
	return 0, false
}
