package decode

import "fmt"

// unbase64 decodes what the POST of a tunnel brings. Players encode each request by itself, with its padding, or the
// stream as one, and break lines anywhere. The zero value begins.
type unbase64 struct {
	bits uint8 // of the byte that is not whole
	fill uint8 // characters of the group of four so far
}

// decode puts the bytes that b stands for at the beginning of b.
func (d *unbase64) decode(b []byte) ([]byte, error) {
	out := b[:0]
	for _, c := range b {
		switch c {
		case '\r', '\n', ' ', '\t':
			continue
		case '=':
			d.fill = 0
			continue
		}
		v, ok := sextet(c)
		if !ok {
			return out, fmt.Errorf("byte 0x%02x", c)
		}
		if d.fill > 0 {
			out = append(out, d.bits<<(2*d.fill)|v>>(6-2*d.fill))
		}
		d.bits, d.fill = v, (d.fill+1)%4
	}
	return out, nil
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
