package rtspwire

import (
	"bytes"
	"strings"
)

// lineKind is what a line at the beginning of a message is taken for.
type lineKind uint8

const (
	lineNone     lineKind = iota // not decided
	lineRequest                  // Method SP URL SP Version
	lineResponse                 // Version SP Status [SP Reason]
	lineBad                      // meant as one of them: it gets an answer
	lineGarbage
)

// startLine finds and judges the line at the beginning of a message. It decides by the bytes up to the line's end, its
// first control character or its limit, never by how many bytes have arrived.
func (r *Reader) startLine() error {
	h := &r.head
	h.reset()
	meant := false
	for {
		data := r.data()
		if !meant {
			judged := data[:min(len(data), r.lim.Line+1)]
			h.seen += indexControl(judged[h.seen:])
			if h.seen < len(judged) && data[h.seen] != '\r' && data[h.seen] != '\n' {
				if meant = seemsMeant(data[:h.seen], false); !meant {
					return r.garbage(resync(data[:h.seen+1]))
				}
			}
		}
		end, next, ok := h.find(data)
		if h.seen > r.lim.Line {
			return r.longLine(data[:r.lim.Line+1])
		}
		if ok {
			return r.judge(end, next)
		}
		if err := r.fill(); err != nil {
			return unexpected(err)
		}
	}
}

// longLine judges a line by as much of it as a line may have.
func (r *Reader) longLine(text []byte) error {
	if !seemsMeant(text, false) {
		r.head.reset()
		return r.garbage(resync(text))
	}
	r.head.kind = lineBad
	r.head.over = &TooLargeError{What: "line", Limit: r.lim.Line}
	return nil
}

// judge takes a whole line as the start line, or skips it.
func (r *Reader) judge(end, next int) error {
	h, line := &r.head, string(r.data()[:end])
	kind := classify(line)
	if kind == lineGarbage {
		n := resync(r.data()[:end])
		if n == end {
			n = next // the line end goes with it
		}
		h.reset()
		return r.garbage(n)
	}
	h.kind = kind
	return nil
}

func classify(line string) lineKind {
	if hasVersion(line) {
		if _, _, _, ok := splitStatus(line); ok {
			return lineResponse
		}
		return lineBad
	}
	if _, _, _, ok := splitRequest(line); ok {
		return lineRequest
	}
	if seemsMeant([]byte(line), true) {
		return lineBad
	}
	for w := range strings.FieldsSeq(line) {
		if hasVersion(w) {
			return lineBad
		}
	}
	return lineGarbage
}

// hasVersion reports whether s begins with a protocol that this Reader knows, in any version.
func hasVersion(s string) bool {
	return len(s) > 5 && (strings.EqualFold(s[:5], "RTSP/") || isHTTP(s))
}

// seemsMeant reports whether text begins like a request or a response, whatever follows: a known protocol, or a word
// of capitals like every method that was ever defined. Only on a whole line may that word stand alone.
func seemsMeant(text []byte, whole bool) bool {
	if hasVersion(string(text[:min(6, len(text))])) {
		return true
	}
	n := 0
	for n < len(text) && ('A' <= text[n] && text[n] <= 'Z' || text[n] == '_') {
		n++
	}
	return 3 <= n && n <= 32 && (n == len(text) && whole || n < len(text) && isBlank(text[n]))
}

// resync returns how much of garbage goes before something that could be a frame or a response.
func resync(text []byte) int {
	n := len(text)
	if i := bytes.IndexByte(text[1:], '$'); i >= 0 {
		n = i + 1
	}
	if i := bytes.Index(text[1:], []byte("RTSP/")); i >= 0 && i+1 < n {
		if _, _, _, ok := splitStatus(string(text[i+1:])); ok {
			n = i + 1
		}
	}
	return n
}

// indexControl returns where the first control character stands, len(b) if there is none.
func indexControl[T string | []byte](b T) int {
	for i := range len(b) {
		if isControl(b[i]) {
			return i
		}
	}
	return len(b)
}

func isControl(c byte) bool { return c < ' ' && c != '\t' || c == 0x7f }

// splitRequest divides a request line (RFC 2326, section 6.1). More than one space between the words is read and
// written as one; a space within the URL is refused, as its readers disagree on where the URL ends.
func splitRequest(line string) (method, url, version string, ok bool) {
	method, rest, _ := cutBlank(line)
	url, rest, _ = cutBlank(rest)
	version, rest, _ = cutBlank(rest)
	if rest != "" || !hasVersion(version) || indexControl(line) < len(line) {
		return "", "", "", false
	}
	for i := range len(method) {
		if method[i] >= 0x7f || strings.IndexByte("()<>@,;:\\\"/[]?={}", method[i]) >= 0 {
			return "", "", "", false
		}
	}
	return method, url, version, method != ""
}

// splitStatus divides a status line (RFC 2326, section 7.1). The phrase may be missing, with the space before it or
// without.
func splitStatus(line string) (version string, status int, reason string, ok bool) {
	version, rest, _ := cutBlank(line)
	if !hasVersion(version) || len(rest) < 3 || strings.IndexByte(line, 0) >= 0 {
		return "", 0, "", false
	}
	for _, c := range []byte(rest[:3]) {
		if c < '0' || c > '9' {
			return "", 0, "", false
		}
		status = status*10 + int(c-'0')
	}
	if reason = rest[3:]; reason != "" {
		if !isBlank(reason[0]) {
			return "", 0, "", false
		}
		reason = reason[1:]
	}
	return version, status, reason, status >= 100
}

// cutBlank divides s at its first run of blanks.
func cutBlank(s string) (word, rest string, found bool) {
	i := strings.IndexAny(s, " \t")
	if i < 0 {
		return s, "", false
	}
	return s[:i], strings.TrimLeft(s[i:], " \t"), true
}
