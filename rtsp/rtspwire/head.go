package rtspwire

// head is what is known of the message that is being read, from its start line to its empty line. Places count from
// the first byte of the message, which stays at the beginning of the buffer until the head is whole.
type head struct {
	kind  lineKind
	lines []span         // start line and fields
	at    int            // where the current physical line begins
	seen  int            // no line end before this
	bare  bool           // a bare CR ended a line: from here on a CR alone does
	over  *TooLargeError // a limit that was passed without losing the message's end
}

// span is a line with its folds, without its last line end.
type span struct {
	start, end int
	folded     bool
}

func (h *head) reset() { *h = head{lines: h.lines[:0]} }

// find looks for the end of the physical line at h.at. CRLF, LF, CR and, as some Windows programs write it, CRCRLF end
// a line. Which of them it is depends on the bytes before and up to two after it, never on when they arrive.
func (h *head) find(data []byte) (end, next int, ok bool) {
	for h.seen < len(data) && data[h.seen] != '\n' && data[h.seen] != '\r' {
		h.seen++
	}
	i := h.seen
	rest := data[i:]
	switch {
	case len(rest) == 0:
		return 0, 0, false
	case rest[0] == '\n':
		return i, i + 1, true
	case h.bare && i == h.at:
		return i, i + 1, true // the sender may wait for our answer now: no looking ahead
	case len(rest) == 1:
		return 0, 0, false
	case rest[1] == '\n':
		return i, i + 2, true
	case !h.bare && rest[1] == '\r':
		if len(rest) == 2 {
			return 0, 0, false
		}
		if rest[2] == '\n' {
			return i, i + 3, true
		}
	}
	h.bare = true
	return i, i + 1, true
}

// readHead reads up to the empty line and makes the message pending.
func (r *Reader) readHead() error {
	h := &r.head
	for {
		end, next, ok := h.find(r.data())
		if h.seen > r.lim.Header || ok && next > r.lim.Header {
			return r.tooLarge("header", r.lim.Header)
		}
		if !ok {
			if err := r.fill(); err != nil {
				return unexpected(err)
			}
			continue
		}
		if end == h.at && len(h.lines) > 0 {
			return r.endHead(next)
		}
		h.add(r.data(), end)
		h.at, h.seen = next, next
		if len(h.lines)-1 > r.lim.Fields {
			return r.tooLarge("fields", r.lim.Fields)
		}
		last := h.lines[len(h.lines)-1]
		if h.over == nil && len(h.lines) > 1 && last.end-last.start > r.lim.Field {
			h.over = &TooLargeError{What: "field", Limit: r.lim.Field}
		}
	}
}

// add takes the physical line that ends at end: a new one, or the fold of the field before.
func (h *head) add(data []byte, end int) {
	if n := len(h.lines); n > 1 && isBlank(data[h.at]) {
		h.lines[n-1].end, h.lines[n-1].folded = end, true
		return
	}
	h.lines = append(h.lines, span{start: h.at, end: end})
}

// tooLarge gives up a message whose end was not reached.
func (r *Reader) tooLarge(what string, limit int) error {
	raw := string(r.data())
	hd, _ := r.head.fields(raw)
	return &TooLargeError{What: what, Limit: limit, CSeq: hd.cseq(), Fatal: true, Kind: r.head.meant(raw)}
}

// meant is what the message was meant as, by its first line.
func (h *head) meant(raw string) Kind {
	switch {
	case h.kind == lineResponse:
		return KindResponse
	case h.kind == lineRequest, !hasVersion(raw):
		return KindRequest
	}
	return KindNone
}

// fields divides the field lines of raw. The second result is the first line that is no field, with what is wrong.
func (h *head) fields(raw string) (Header, *SyntaxError) {
	if len(h.lines) < 2 {
		return Header{}, nil
	}
	var bad *SyntaxError
	hd := Header{fields: make([]field, 0, len(h.lines)-1)}
	for _, l := range h.lines[1:] {
		line := raw[l.start:l.end]
		if l.folded {
			line = unfold(line)
		}
		f, ok := splitField(line)
		if ok {
			hd.fields = append(hd.fields, f)
			continue
		}
		if bad == nil || !bad.Fatal && hidesLength(line) {
			bad = &SyntaxError{Field: shorten(line), What: "not a field: name and colon expected", Fatal: hidesLength(line)}
		}
	}
	return hd, bad
}

// cseq returns the CSeq if it can be repeated in an answer.
func (h *Header) cseq() string {
	v := h.Get("CSeq")
	if len(v) > 19 {
		return ""
	}
	for i := range len(v) {
		if v[i] < '0' || v[i] > '9' {
			return ""
		}
	}
	return v
}
