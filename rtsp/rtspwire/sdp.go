package rtspwire

import (
	"strconv"
	"strings"
)

// SDP is a session description (RFC 4566) as a list of lines. Lines that nobody edits leave as they came, their line
// ends too: CRLF, LF and CR are all seen.
type SDP struct {
	lines []sdpLine
}

type sdpLine struct {
	text, end string
	media     int // -1 before the first m= line
}

// SDPMedia is what a gateway wants to know of one media description.
type SDPMedia struct {
	Type     string // "audio", "video", "application" ...
	Protocol string // "RTP/AVP" ...
	Control  string // value of a=control as written, "" if there is none
	Port     int    // of the m= line, 0 if it cannot be read
}

// ParseSDP reads a body. Nothing is refused: a line that is none of SDP is kept as it is.
func ParseSDP(body []byte) *SDP {
	s, rest, media := &SDP{}, string(body), -1
	for rest != "" {
		n, end := len(rest), ""
		if i := strings.IndexAny(rest, "\r\n"); i >= 0 {
			n, end = i, rest[i:i+1]
			if strings.HasPrefix(rest[i:], "\r\n") {
				end = "\r\n"
			}
		}
		if strings.HasPrefix(rest, "m=") {
			media++
		}
		s.lines = append(s.lines, sdpLine{text: rest[:n], end: end, media: media})
		rest = rest[n+len(end):]
	}
	return s
}

// Append writes the description to the end of b.
func (s *SDP) Append(b []byte) []byte {
	for _, l := range s.lines {
		b = append(append(b, l.text...), l.end...)
	}
	return b
}

// EditControl replaces each control URL, absolute or relative, by what f returns for it. media counts from 0 in the
// order of the m= lines; -1 is the session level. The URL of a FEC stream, which stands in an a=fmtp line
// ([MS-RTSP] 2.2.5.4), is one too.
func (s *SDP) EditControl(f func(media int, url string) string) {
	for i := range s.lines {
		l := &s.lines[i]
		if v, ok := l.attribute("control"); ok {
			start, end := trimSpan(l.text, len(l.text)-len(v), len(l.text))
			l.edit(start, end, f)
		} else if start, end, ok := s.fecURL(i); ok {
			l.edit(start, end, f)
		}
	}
}

// EditConnection replaces the address of each c= line by what f returns for it; "/ttl" and "/count" behind it stay.
// media counts as in EditControl.
func (s *SDP) EditConnection(f func(media int, addr string) string) {
	for i := range s.lines {
		l := &s.lines[i]
		if !strings.HasPrefix(l.text, "c=") {
			continue
		}
		_, rest, _ := cutBlank(l.text) // c=<nettype> <addrtype> <address>
		_, rest, _ = cutBlank(rest)
		addr, _, _ := cutBlank(rest)
		addr, _, _ = strings.Cut(addr, "/")
		if addr != "" {
			start := len(l.text) - len(rest)
			l.edit(start, start+len(addr), f)
		}
	}
}

// Medias lists the media descriptions in their order.
func (s *SDP) Medias() []SDPMedia {
	var m []SDPMedia
	for i := range s.lines {
		l := &s.lines[i]
		if strings.HasPrefix(l.text, "m=") {
			typ, rest, _ := cutBlank(l.text[2:])
			port, rest, _ := cutBlank(rest)
			proto, _, _ := cutBlank(rest)
			port, _, _ = strings.Cut(port, "/")
			n, _ := decimal16(port)
			m = append(m, SDPMedia{Type: typ, Protocol: proto, Port: int(n)})
		} else if v, ok := l.attribute("control"); ok && l.media >= 0 && m[l.media].Control == "" {
			start, end := trimSpan(v, 0, len(v))
			m[l.media].Control = v[start:end]
		}
	}
	return m
}

// attribute returns what stands behind "a=name:".
func (l *sdpLine) attribute(name string) (string, bool) {
	if len(l.text) < len(name)+3 || !strings.HasPrefix(l.text, "a=") || l.text[2+len(name)] != ':' ||
		!strings.EqualFold(l.text[2:2+len(name)], name) {
		return "", false
	}
	return l.text[len(name)+3:], true
}

// edit replaces text[start:end]. A new text that would make two lines of the line is not taken.
func (l *sdpLine) edit(start, end int, f func(int, string) string) {
	if v := f(l.media, l.text[start:end]); !strings.ContainsAny(v, "\r\n\x00") {
		l.text = l.text[:start] + v + l.text[end:]
	}
}

// fecURL finds the URL in an a=fmtp line of a payload type that the same media maps to x-wms-fec.
func (s *SDP) fecURL(i int) (start, end int, ok bool) {
	l := &s.lines[i]
	v, ok := l.attribute("fmtp")
	if !ok {
		return 0, 0, false
	}
	pt, rest, _ := cutBlank(v)
	url, _, _ := cutBlank(rest)
	if _, err := strconv.ParseUint(pt, 10, 7); err != nil || url == "" {
		return 0, 0, false
	}
	for j := range s.lines {
		m, ok := s.lines[j].attribute("rtpmap")
		if !ok || s.lines[j].media != l.media {
			continue
		}
		if p, name, _ := cutBlank(m); p == pt && hasFold(name, "x-wms-fec/") {
			start = len(l.text) - len(rest)
			return start, start + len(url), true
		}
	}
	return 0, 0, false
}
