package decode

// known reports whether an interleaved channel was negotiated.
func (t *rtspTalk) known() func(byte) bool {
	return func(ch byte) bool { return len(t.byNumber) == 0 || t.byNumber[ch] != nil }
}

// hunt collects what comes after a gap until the next message is found. It looks less often the more there is: what is
// never found costs no more than a few looks at each byte.
type hunt struct {
	tail []byte
	next int // bytes of tail at which it looks again
}

// add takes more bytes and returns what begins with the first place that fits, nil if there is none yet. keep is how many
// bytes at the end may still become a place.
func (h *hunt) add(b []byte, keep int, fits func(b []byte) bool) []byte {
	h.tail = append(h.tail, b...)
	if len(h.tail) < h.next {
		return nil
	}
	for i := range h.tail {
		if rest := h.tail[i:]; fits(rest) {
			*h = hunt{}
			return rest
		}
	}
	if len(h.tail) > 2*keep {
		h.tail = append([]byte(nil), h.tail[len(h.tail)-keep:]...)
	}
	h.next = len(h.tail) + len(h.tail)/8
	return nil
}

// find looks for the next message or frame in what comes after a gap. A frame is taken for one only if another one or a
// message follows it.
func (s *rtspSide) find(b []byte, known func(byte) bool) []byte {
	b = s.hunt.add(b, maxTail, func(b []byte) bool { return b[0] == '$' && framed(b, known) || atMessage(b) })
	s.lost = b == nil
	return b
}

func framed(b []byte, known func(byte) bool) bool {
	if len(b) < 4 || !known(b[1]) {
		return false
	}
	n := 4 + int(b[2])<<8 + int(b[3])
	return len(b) >= n+2 && (b[n] == '$' && known(b[n+1]) || atMessage(b[n:]))
}

// atMessage reports whether a start line stands here.
func atMessage(b []byte) bool {
	if len(b) < 9 || !upper(b[0]) || !upper(b[1]) || !upper(b[2]) { // so nearly everywhere
		return false
	}
	head := b[:min(len(b), 4<<10)]
	return statusLine.Match(head) || requestLine.Match(head)
}

func upper(c byte) bool { return c >= 'A' && c <= 'Z' || c == '_' }
