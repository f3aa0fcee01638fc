package rtspwire

import (
	"slices"
	"strconv"
	"strings"
)

// pending is a message whose head is read: the item, or the error it will be refused with, and what is missing of its
// body.
type pending struct {
	active bool
	item   Item
	err    error
	body   []byte
	length int
	left   int
	bareCR bool // a CR ended the head: an LF before the body belongs to it
}

// endHead turns the head, size bytes with its empty line, into a pending message.
func (r *Reader) endHead(size int) error {
	h := &r.head
	bareCR := h.bare && r.data()[size-1] == '\r'
	item, length, err := r.build(string(r.data()[:size]))
	r.consume(size)
	h.reset()
	r.row = 0
	if r.failed(err); r.dead != nil {
		return err
	}
	r.pending = pending{active: true, item: item, err: err, length: length, left: length, bareCR: bareCR}
	return nil
}

// build reads a head that is whole. The length of the body is known unless the error is Fatal.
func (r *Reader) build(raw string) (Item, int, error) {
	h := &r.head
	hd, bad := h.fields(raw)
	cseq := hd.cseq()
	item, http := h.item(raw)
	length, lengthErr := hd.bodyLength(r.lim.Body)
	if e, large := lengthErr.(*TooLargeError); large && !http {
		e.CSeq, e.Kind = cseq, h.meant(raw)
		return nil, 0, e
	}
	if http {
		length = 0 // RFC 2326 ends here: who speaks HTTP takes the rest, of whatever length
	}
	if bad == nil && strings.IndexByte(raw, 0) >= 0 {
		bad = &SyntaxError{Field: "header", What: "NUL"}
	}
	if bad == nil && item == nil {
		bad = &SyntaxError{What: "neither a request line nor a status line: " + shorten(raw[:h.lines[0].end])}
	}
	if e, wrong := lengthErr.(*SyntaxError); wrong {
		bad = e
	}
	if bad != nil && (bad.Fatal || h.over == nil) {
		bad.Offset, bad.CSeq, bad.Kind = r.offset, cseq, h.meant(raw)
		return nil, length, bad
	}
	if h.over != nil {
		h.over.CSeq, h.over.Kind = cseq, h.meant(raw)
		return nil, length, h.over
	}
	switch m := item.(type) {
	case *Request:
		m.Header = hd
	case *Response:
		m.Header = hd
	}
	return item, length, nil
}

// item reads the start line. It is nil for a line that is refused.
func (h *head) item(raw string) (item Item, http bool) {
	line := raw[:h.lines[0].end]
	switch h.kind {
	case lineRequest:
		m := &Request{}
		m.Method, m.URL, m.Version, _ = splitRequest(line)
		return m, isHTTP(m.Version)
	case lineResponse:
		m := &Response{}
		m.Version, m.Status, m.Reason, _ = splitStatus(line)
		return m, isHTTP(m.Version)
	}
	return nil, false
}

// bodyLength reads Content-Length (RFC 2326, sections 4.4 and 12.14) and leaves it in the header once, as a plain
// decimal. What another reader could take for another length is refused, and with it the connection: nobody can say
// where the next message begins.
func (h *Header) bodyLength(limit int) (int, error) {
	if h.Has("Transfer-Encoding") {
		return 0, &SyntaxError{Field: "Transfer-Encoding", What: "not part of RTSP", Fatal: true}
	}
	first := h.index(contentLength, 0)
	if first < 0 {
		return 0, nil
	}
	n := -1
	for i := first; i >= 0; i = h.index(contentLength, i+1) {
		v := h.fields[i].value()
		if strings.Trim(v, "0123456789") != "" || v == "" {
			return 0, &SyntaxError{Field: contentLength, What: "not a decimal number: " + shorten(v), Fatal: true}
		}
		if v = strings.TrimLeft(v, "0"); v == "" {
			v = "0"
		}
		k, err := strconv.Atoi(v)
		if err != nil || k > limit {
			return 0, &TooLargeError{What: "body", Limit: limit, Fatal: true}
		}
		if n >= 0 && n != k {
			return 0, &SyntaxError{Field: contentLength, What: "given twice with different values", Fatal: true}
		}
		n = k
	}
	h.Set(contentLength, strconv.Itoa(n))
	return n, nil
}

// readBody reads what is missing of the body, which grows as it arrives, and returns the message.
func (r *Reader) readBody() (Item, error) {
	p := &r.pending
	for p.left > 0 {
		if r.Buffered() == 0 {
			if err := r.fill(); err != nil {
				return nil, unexpected(err)
			}
		}
		if p.bareCR {
			p.bareCR = false
			if r.data()[0] == '\n' {
				r.consume(1)
				continue
			}
		}
		k := min(p.left, r.Buffered())
		if p.err == nil {
			if len(p.body)+k > cap(p.body) {
				p.body = slices.Grow(p.body, min(p.length-len(p.body), max(k, cap(p.body), bufferMin)))
			}
			p.body = append(p.body, r.data()[:k]...)
		}
		r.consume(k)
		p.left -= k
	}
	item, body, err := p.item, p.body, p.err
	*p = pending{}
	switch m := item.(type) {
	case *Request:
		m.Body = body
	case *Response:
		m.Body = body
	}
	if err != nil {
		return nil, err
	}
	return item, nil
}

// unfold writes a field of several lines on one: each line end, with the white space around it, becomes a space.
func unfold(s string) string {
	var b strings.Builder
	for line := range strings.FieldsFuncSeq(s, func(c rune) bool { return c == '\r' || c == '\n' }) {
		if b.Len() == 0 {
			b.WriteString(strings.TrimRight(line, " \t"))
		} else if line = strings.Trim(line, " \t"); line != "" {
			b.WriteByte(' ')
			b.WriteString(line)
		}
	}
	return b.String()
}

// hidesLength reports whether a line that is no field could be one that decides the length, for a laxer reader.
func hidesLength(line string) bool {
	letters := strings.Map(func(c rune) rune {
		if 'A' <= c && c <= 'Z' {
			return c | 0x20
		}
		if 'a' <= c && c <= 'z' {
			return c
		}
		return -1
	}, line)
	return strings.Contains(letters, "contentlength") || strings.Contains(letters, "transferencoding")
}

// shorten keeps an offending text fit for an error.
func shorten(s string) string {
	const most = 80
	if len(s) > most {
		return s[:most] + "..."
	}
	return s
}
