package rtspwire

import (
	"strconv"
	"strings"
)

// SDP is a session description (RFC 4566) as its lines. Lines that nobody edits leave as they came, their line ends
// too: CRLF, LF and CR are all seen.
type SDP struct {
	text string
}

// SDPMedia is what a gateway wants to know of one media description.
type SDPMedia struct {
	Type     string // "audio", "video", "application" ...
	Protocol string // "RTP/AVP" ...
	Control  string // value of the first a=control as written, "" if there is none
	Encoding string // name that the first a=rtpmap gives, such as "H264" or "x-asf-pf", "" if there is none
	Port     int    // of the m= line, 0 if it cannot be read
}

// ParseSDP reads a body, which it copies. Nothing is refused: a line that is none of SDP is kept as it is.
func ParseSDP(body []byte) *SDP { return &SDP{text: string(body)} }

// Append writes the description to the end of b.
func (s *SDP) Append(b []byte) []byte { return append(b, s.text...) }

// EditControl replaces each control URL, absolute or relative, by what f returns for it. media counts from 0 in the
// order of the m= lines; -1 is the session level. The URL of a FEC stream, which stands in an a=fmtp line
// ([MS-RTSP] 2.2.5.4), is one too.
func (s *SDP) EditControl(f func(media int, url string) string) {
	fec := s.fecTypes()
	s.edit(f, func(media int, line string) (start, end int) {
		if v, ok := attribute(line, "control"); ok {
			return trimSpan(line, len(line)-len(v), len(line))
		}
		v, ok := attribute(line, "fmtp")
		pt, rest, _ := cutBlank(v)
		if !ok || !fec[payloadType{media, pt}] {
			return 0, 0
		}
		url, _, _ := cutBlank(rest)
		start = len(line) - len(rest)
		return start, start + len(url)
	})
}

// EditConnection replaces the address of each c= line by what f returns for it; "/ttl" and "/count" behind it stay.
// media counts as in EditControl.
func (s *SDP) EditConnection(f func(media int, addr string) string) {
	s.edit(f, func(_ int, line string) (start, end int) {
		if !strings.HasPrefix(line, "c=") {
			return 0, 0
		}
		_, rest, _ := cutBlank(line) // c=<nettype> <addrtype> <address>
		_, rest, _ = cutBlank(rest)
		addr, _, _ := cutBlank(rest)
		addr, _, _ = strings.Cut(addr, "/")
		start = len(line) - len(rest)
		return start, start + len(addr)
	})
}

// Medias lists the media descriptions in their order.
func (s *SDP) Medias() []SDPMedia {
	var m []SDPMedia
	s.each(func(media int, _ int, line string) {
		if strings.HasPrefix(line, "m=") {
			typ, rest, _ := cutBlank(line[2:])
			port, rest, _ := cutBlank(rest)
			proto, _, _ := cutBlank(rest)
			port, _, _ = strings.Cut(port, "/")
			n, _ := decimal16(port)
			m = append(m, SDPMedia{Type: typ, Protocol: proto, Port: int(n)})
		} else if v, ok := attribute(line, "control"); ok && media >= 0 && m[media].Control == "" {
			start, end := trimSpan(v, 0, len(v))
			m[media].Control = v[start:end]
		} else if v, ok := attribute(line, "rtpmap"); ok && media >= 0 && m[media].Encoding == "" {
			_, encoding, _ := cutBlank(v)
			m[media].Encoding, _, _ = strings.Cut(encoding, "/")
		}
	})
	return m
}

// ClockRates are the RTP clocks in Hz of the payload types that a=rtpmap names (RFC 4566, section 6). A type that two
// media map to different clocks is left out, since a packet does not tell which of them it belongs to.
func (s *SDP) ClockRates() map[uint8]uint32 {
	rates := make(map[uint8]uint32)
	s.each(func(_, _ int, line string) {
		v, ok := attribute(line, "rtpmap")
		if !ok {
			return
		}
		text, encoding, _ := cutBlank(v) // <payload type> <encoding>/<clock rate>[/<parameters>]
		pt, err := strconv.ParseUint(text, 10, 7)
		_, clock, _ := strings.Cut(encoding, "/")
		clock, _, _ = strings.Cut(clock, "/")
		hz, err2 := strconv.ParseUint(strings.TrimSpace(clock), 10, 32)
		if err != nil || err2 != nil || hz == 0 {
			return
		}
		if old, known := rates[uint8(pt)]; known && old != uint32(hz) {
			hz = 0
		}
		rates[uint8(pt)] = uint32(hz)
	})
	for pt, hz := range rates {
		if hz == 0 {
			delete(rates, pt)
		}
	}
	return rates
}

// each calls f for every line with its media and its place, without its line end.
func (s *SDP) each(f func(media, at int, line string)) {
	media := -1
	for at := 0; at < len(s.text); {
		n := strings.IndexAny(s.text[at:], "\r\n")
		if n < 0 {
			n = len(s.text) - at
		}
		line := s.text[at : at+n]
		if strings.HasPrefix(line, "m=") {
			media++
		}
		f(media, at, line)
		at += n + 1 // the LF of a CRLF makes an empty line more, which nobody sees
	}
}

// edit writes the text anew, with the part of each line that find names replaced by what f returns. A new text that
// would make two lines of the line is not taken.
func (s *SDP) edit(f func(int, string) string, find func(media int, line string) (start, end int)) {
	var b strings.Builder
	done := 0
	s.each(func(media, at int, line string) {
		start, end := find(media, line)
		if start == end {
			return
		}
		if v := f(media, line[start:end]); v != line[start:end] && !strings.ContainsAny(v, "\r\n\x00") {
			b.WriteString(s.text[done : at+start])
			b.WriteString(v)
			done = at + end
		}
	})
	if done > 0 {
		b.WriteString(s.text[done:])
		s.text = b.String()
	}
}

// payloadType is a payload type of one media, as written.
type payloadType struct {
	media int
	pt    string
}

// fecTypes collects the payload types that are mapped to x-wms-fec, which may happen after they are used.
func (s *SDP) fecTypes() map[payloadType]bool {
	var types map[payloadType]bool
	s.each(func(media, _ int, line string) {
		v, ok := attribute(line, "rtpmap")
		if pt, name, _ := cutBlank(v); ok && hasFold(name, "x-wms-fec/") {
			if types == nil {
				types = make(map[payloadType]bool)
			}
			types[payloadType{media, pt}] = true
		}
	})
	return types
}

// attribute returns what stands behind "a=name:".
func attribute(line, name string) (string, bool) {
	if len(line) < len(name)+3 || !strings.HasPrefix(line, "a=") || line[2+len(name)] != ':' ||
		!strings.EqualFold(line[2:2+len(name)], name) {
		return "", false
	}
	return line[len(name)+3:], true
}
