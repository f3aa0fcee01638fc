package mmswire

import (
	"encoding/binary"
	"slices"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// nul is a text that is there and empty, where "" is none.
const nul = "\x00"

// Text on the wire is UTF-16, little-endian, and need not be valid. A surrogate without its other half becomes the three
// bytes that UTF-8 would have for it (as in WTF-8), so that every text can be written back.

// appendText writes a text, without a NUL after it.
func appendText(b []byte, text string) []byte {
	for len(text) > 0 {
		r, n := utf8.DecodeRuneInString(text)
		if r == utf8.RuneError && n == 1 {
			if half, ok := surrogate(text); ok {
				r, n = half, 3
			}
		}
		text = text[n:]
		if high, low := utf16.EncodeRune(r); high != utf8.RuneError {
			b = binary.LittleEndian.AppendUint16(b, uint16(high))
			r = low
		}
		b = binary.LittleEndian.AppendUint16(b, uint16(r))
	}
	return b
}

// surrogate reads half a pair as text has it.
func surrogate(text string) (rune, bool) {
	if len(text) < 3 || text[0] != 0xed || text[1]&0xe0 != 0xa0 || text[2]&0xc0 != 0x80 {
		return 0, false
	}
	return 0xd000 | rune(text[1]&0x3f)<<6 | rune(text[2]&0x3f), true
}

// parseText reads a text of an even number of bytes.
func parseText(b []byte) string {
	var s strings.Builder
	s.Grow(len(b) / 2)
	for ; len(b) >= 2; b = b[2:] {
		r := rune(binary.LittleEndian.Uint16(b))
		if utf16.IsSurrogate(r) {
			if len(b) >= 4 {
				if pair := utf16.DecodeRune(r, rune(binary.LittleEndian.Uint16(b[2:]))); pair != utf8.RuneError {
					s.WriteRune(pair)
					b = b[2:]
					continue
				}
			}
			s.Write([]byte{0xed, 0x80 | byte(r>>6)&0x3f, 0x80 | byte(r)&0x3f})
			continue
		}
		s.WriteRune(r)
	}
	return s.String()
}

// lastText is a text that the end of the message ends. NULs within it belong to it; what follows the last character
// is a NUL and padding, or goes to t.
func (c *codec) lastText(text *string, t *Tail) {
	if !c.reading {
		c.data = appendText(c.data, *text)
		if t.Rest == nil {
			c.data = append(c.data, 0, 0)
		}
		c.tail(t)
		return
	}
	if c.fault != "" || c.short {
		return
	}
	rest := c.data[c.pos:]
	end := len(rest) &^ 1
	for end > 0 && rest[end-1] == 0 && rest[end-2] == 0 {
		end -= 2
	}
	*text = parseText(rest[:end])
	c.pos += end
	if after := rest[end:]; !plain(after, 2+padding(c.pos+2)) {
		t.Rest = append([]byte{}, after...)
	}
	c.pos = len(c.data)
}

// countedText is a text of n bytes with its NUL, "" for none. When reading, n is checked before anything is allocated.
func (c *codec) countedText(text *string, n int64) {
	if !c.reading {
		c.data = append(c.data, countedText(*text)...)
		return
	}
	if n <= 0 || !c.has(n) {
		return
	}
	if n%2 != 0 {
		c.fault = "half a character"
		return
	}
	*text = parseText(c.take(int(n)))
	if len(*text) > 1 {
		*text = strings.TrimSuffix(*text, nul)
	}
}

// countedText returns the bytes of a text that another field counts.
func countedText(text string) []byte {
	switch text {
	case "":
		return nil
	case nul:
		return make([]byte, 2)
	}
	return slices.Concat(appendText(nil, text), []byte{0, 0})
}

// orNUL and notNUL are for counted texts that are there even if they are empty.
func orNUL(text string) string {
	if text == "" {
		return nul
	}
	return text
}

func notNUL(text string) string {
	if text == nul {
		return ""
	}
	return text
}
