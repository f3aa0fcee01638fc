package decode

// known reports whether an interleaved channel was negotiated.
func (t *rtspTalk) known() func(byte) bool {
	return func(ch byte) bool { return len(t.byNumber) == 0 || t.byNumber[ch] != nil }
}

// find looks for the next message or frame in what comes after a gap, nil if there is none yet. A frame is taken for one
// only if another one or a message follows it.
func (s *rtspSide) find(b []byte, known func(byte) bool) []byte {
	s.tail = append(s.tail, b...)
	for i := range s.tail {
		if rest := s.tail[i:]; rest[0] == '$' && framed(rest, known) || atMessage(rest) {
			b, s.tail, s.lost = rest, nil, false
			return b
		}
	}
	if len(s.tail) > maxTail {
		s.tail = append([]byte(nil), s.tail[len(s.tail)-maxTail/2:]...)
	}
	return nil
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
