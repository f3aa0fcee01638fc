package decode

import (
	"bytes"
	"strconv"
	"strings"
)

const (
	maxHead      = 64 << 10 // bytes of the head of a message
	maxChunkLine = 256      // bytes of the line before a chunk
)

// httpHead is the head of a request or an answer.
type httpHead struct {
	line   string
	method string
	target string
	status int
	fields []Field // names as written
}

func (h *httpHead) get(name string) string {
	for _, f := range h.fields {
		if strings.EqualFold(f.Name, name) {
			return f.Value
		}
	}
	return ""
}

// hasPragma reports whether one of the tokens of Pragma begins so.
func (h *httpHead) hasPragma(begin string) bool {
	for _, f := range h.fields {
		if strings.EqualFold(f.Name, "Pragma") && strings.Contains(strings.ToLower(f.Value), begin) {
			return true
		}
	}
	return false
}

// headEnd is where the body begins, 0 if the head is not whole. Lines may end in a bare line feed (RFC 9112, section 2.2).
func headEnd(b []byte) int {
	for i := 0; ; {
		n := bytes.IndexByte(b[i:], '\n')
		if n < 0 {
			return 0
		}
		if line := bytes.TrimSuffix(b[i:i+n], []byte("\r")); len(line) == 0 && i > 0 {
			return i + n + 1
		}
		i += n + 1
	}
}

// parseHead reads a head. What is no field is passed over.
func parseHead(b []byte) (h httpHead, ok bool) {
	first := true
	for line := range bytes.Lines(b) {
		text := strings.TrimRight(string(line), "\r\n")
		if first {
			first = false
			h.line = text
			words := strings.SplitN(text, " ", 3)
			switch {
			case len(words) >= 2 && strings.HasPrefix(words[0], "HTTP/"):
				h.status, _ = strconv.Atoi(words[1]) // 0: none that is known
			case len(words) == 3:
				h.method, h.target = words[0], words[1]
			default:
				return h, false
			}
			continue
		}
		if name, value, found := strings.Cut(text, ":"); found && len(h.fields) < 128 {
			h.fields = append(h.fields, Field{strings.TrimSpace(name), strings.TrimSpace(value)})
		}
	}
	return h, !first
}

// httpBody follows a body to its end (RFC 9112, section 6).
type httpBody struct {
	left    int64 // bytes to come, of the body or of a chunk; -1: to the end of the connection
	chunked bool
	line    []byte // of the line before a chunk, and the one behind it
	trailer bool
	over    bool
}

func (h *httpHead) body(answerTo string) httpBody {
	switch {
	case h.status > 0 && (h.status < 200 || h.status == 204 || h.status == 304 || answerTo == "HEAD"):
		return httpBody{over: true}
	case strings.Contains(strings.ToLower(h.get("Transfer-Encoding")), "chunked"):
		return httpBody{chunked: true}
	}
	if n, err := strconv.ParseInt(h.get("Content-Length"), 10, 62); err == nil && n >= 0 {
		return httpBody{left: n, over: n == 0}
	}
	if h.status == 0 {
		return httpBody{over: true} // a request without a length has no body
	}
	return httpBody{left: -1}
}

// next divides b in a piece of the content and what follows it. Without a piece, rest begins the next message, if the body
// is over.
func (s *httpBody) next(b []byte) (piece, rest []byte) {
	for len(b) > 0 && !s.over {
		switch {
		case s.left < 0:
			return b, nil
		case s.left > 0:
			n := min(s.left, int64(len(b)))
			if s.left -= n; s.left == 0 && !s.chunked {
				s.over = true
			}
			return b[:n], b[n:]
		default: // between chunks
			b = s.chunkLine(b)
		}
	}
	return nil, b
}

// chunkLine reads the line that says how long the next chunk is.
func (s *httpBody) chunkLine(b []byte) []byte {
	n := bytes.IndexByte(b, '\n')
	if n < 0 {
		if s.line = append(s.line, b...); len(s.line) > maxChunkLine {
			s.over = true
		}
		return nil
	}
	line := strings.TrimSpace(string(append(s.line, b[:n]...)))
	s.line = nil
	b = b[n+1:]
	switch {
	case s.trailer:
		s.over = line == ""
	case line == "": // the end of the chunk before
	default:
		size, _, _ := strings.Cut(line, ";")
		v, err := strconv.ParseInt(strings.TrimSpace(size), 16, 48)
		s.left, s.trailer, s.over = v, v == 0, err != nil || v < 0
	}
	return b
}
