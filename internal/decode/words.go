package decode

import (
	"fmt"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
)

// userinfo is a password in a URL.
var userinfo = regexp.MustCompile(`(://[^/@\s:?#]*):[^/@\s]*@`)

// clean makes a text of the wire fit to be shown: at most limit bytes, control characters and broken UTF-8 written as
// \xNN, so that a capture cannot speak to a terminal, and the passwords of URLs left out.
func clean(s string, limit int) string {
	cut := len(s) > limit
	if cut {
		s = s[:limit]
	}
	var b strings.Builder
	for len(s) > 0 {
		r, n := utf8.DecodeRuneInString(s)
		switch {
		case r == utf8.RuneError && n <= 1:
			fmt.Fprintf(&b, `\x%02x`, s[0])
		case r == '\t':
			b.WriteByte(' ')
		case !unicode.IsPrint(r):
			for i := range n {
				fmt.Fprintf(&b, `\x%02x`, s[i])
			}
		default:
			b.WriteRune(r)
		}
		s = s[n:]
	}
	if cut {
		b.WriteString("...")
	}
	return userinfo.ReplaceAllString(b.String(), "$1:***@")
}

// plural is a count with its word.
func plural[T int | int64 | uint64](n T, word string) string {
	if n == 1 {
		return "1 " + word
	}
	return group(uint64(max(n, 0))) + " " + word + "s"
}

// group writes a number with a comma between its thousands.
func group(n uint64) string {
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// size writes bytes as a person reads them.
func size(n uint64) string {
	switch {
	case n < 10_000:
		return group(n) + " bytes"
	case n < 1_000_000:
		return fmt.Sprintf("%.1f kB", float64(n)/1e3)
	case n < 1_000_000_000:
		return fmt.Sprintf("%.2f MB", float64(n)/1e6)
	}
	return fmt.Sprintf("%.2f GB", float64(n)/1e9)
}
