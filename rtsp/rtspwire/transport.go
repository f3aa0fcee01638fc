package rtspwire

import (
	"slices"
	"strconv"
	"strings"
)

// Lower is the lower transport of a TransportSpec.
type Lower uint8

// The lower transports.
const (
	LowerUDP   Lower = iota // "UDP", or nothing written (RFC 2326, section 12.39)
	LowerTCP                // "TCP": interleaved
	LowerOther              // anything else
)

// String returns "udp", "tcp" or "other".
func (l Lower) String() string {
	switch l {
	case LowerUDP:
		return "udp"
	case LowerTCP:
		return "tcp"
	}
	return "other"
}

// PortRange is one port or two as written. Without a second one Hi is Lo and Pair is false. The order and distance of
// the two are not checked: players and cameras give what they like.
type PortRange struct {
	Lo, Hi uint16
	Pair   bool
}

// Transport is the value of a Transport field: alternatives in the order of preference (RFC 2326, section 12.39).
type Transport []*TransportSpec

// TransportSpec is one alternative. What nobody edits leaves as it came: order, case, white space and unknown
// parameters, such as the Fec parameters of [MS-RTSP] 2.2.6.11.
type TransportSpec struct {
	parts []string // protocol, then parameters; an empty alternative before this one stands in parts[0]
	tail  string   // empty alternatives after the last one
}

// ParseTransport reads the values of all Transport fields of a message as one list. It refuses, with a *SyntaxError, a
// value without any alternative; control characters; quotes that do not close or hold a backslash; and an alternative
// that gives one of the parameters that decide where media goes twice with different values: one reader takes the
// first, another the last. A number out of range is not refused here, see Ports.
func ParseTransport(values ...string) (Transport, error) {
	var t Transport
	for _, v := range values {
		if what := badTransport(v); what != "" {
			return nil, &SyntaxError{Field: "Transport", What: what + ": " + shorten(v)}
		}
		// begin is where the text of the next alternative begins, empty ones before it included.
		begin, at, count := 0, 0, len(t)
		for _, alt := range split(v, ',') {
			end := at + len(alt)
			at = end + 1
			if strings.Trim(alt, blanks) == "" {
				continue
			}
			s := &TransportSpec{parts: split(v[begin:end], ';')}
			begin = at
			if name := s.contradiction(); name != "" {
				return nil, &SyntaxError{Field: "Transport", What: name + " given twice: " + shorten(alt)}
			}
			t = append(t, s)
		}
		if len(t) > count && begin <= len(v) {
			t[len(t)-1].tail = v[begin-1:]
		}
	}
	if len(t) == 0 {
		return nil, &SyntaxError{Field: "Transport", What: "empty"}
	}
	return t, nil
}

func badTransport(v string) string {
	if indexControl(v) < len(v) {
		return "control character"
	}
	for i := 0; i < len(v); i++ {
		if v[i] != '"' {
			continue
		}
		end := skipQuoted(v, i)
		if end == i {
			return "quote that does not close"
		}
		if strings.IndexByte(v[i:end], '\\') >= 0 {
			return "backslash in quotes"
		}
		i = end
	}
	return ""
}

// contradiction names a parameter on which two readers of the alternative would differ.
func (t *TransportSpec) contradiction() string {
	for _, p := range t.parts[1:] {
		if name, _, _ := splitParam(p); hasFold(name, "RTP/") {
			return "protocol" // gortsplib takes a protocol in any place
		}
	}
	for _, name := range [...]string{
		"client_port", "server_port", "port", "destination", "source", "interleaved", "ssrc", "mode", "ttl",
	} {
		first := indexParam(t.parts, name, 1)
		if first < 0 {
			continue
		}
		_, start, end := splitParam(t.parts[first])
		for i := indexParam(t.parts, name, first+1); i >= 0; i = indexParam(t.parts, name, i+1) {
			if _, s, e := splitParam(t.parts[i]); t.parts[i][s:e] != t.parts[first][start:end] {
				return name
			}
		}
	}
	return ""
}

// String returns the list as the value of one field.
func (t Transport) String() string {
	var b strings.Builder
	for i, s := range t {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(s.String())
	}
	return b.String()
}

// String returns the alternative as it will be written.
func (t *TransportSpec) String() string { return strings.Join(t.parts, ";") + t.tail }

// Clone returns an alternative whose edits do not touch t.
func (t *TransportSpec) Clone() *TransportSpec {
	return &TransportSpec{parts: slices.Clone(t.parts), tail: t.tail}
}

// Protocol returns transport protocol, profile and lower transport as written, such as "RTP/AVP/UDP".
func (t *TransportSpec) Protocol() string { return strings.Trim(t.parts[0], blanks+",") }

// Profile returns the profile in upper case, such as "AVP", "SAVP" or "AVPF", "" if there is none.
func (t *TransportSpec) Profile() string {
	if w := strings.Split(t.Protocol(), "/"); len(w) >= 3 || len(w) == 2 && t.IsRTP() {
		return strings.ToUpper(w[1])
	}
	return ""
}

// Lower returns the lower transport. RealPlayer's "x-real-rdt/tcp" has no profile: its second word is the lower one.
func (t *TransportSpec) Lower() Lower {
	w := strings.Split(t.Protocol(), "/")
	if len(w) == 1 || len(w) == 2 && t.IsRTP() {
		return LowerUDP
	}
	switch last := w[len(w)-1]; {
	case len(w) > 3:
		return LowerOther
	case strings.EqualFold(last, "udp"):
		return LowerUDP
	case strings.EqualFold(last, "tcp"):
		return LowerTCP
	}
	return LowerOther
}

// IsRTP reports whether the transport protocol is RTP, under whatever profile.
func (t *TransportSpec) IsRTP() bool {
	first, _, _ := strings.Cut(t.Protocol(), "/")
	return strings.EqualFold(first, "rtp")
}

// Multicast reports whether multicast is written, even beside "unicast". An alternative without either is taken for
// unicast, though RFC 2326, section 12.39 has multicast as the default: no player means that.
func (t *TransportSpec) Multicast() bool { return indexParam(t.parts, "multicast", 1) >= 0 }

// Param returns the value of a parameter without quotes and white space. ok tells an empty value from none.
func (t *TransportSpec) Param(name string) (value string, ok bool) { return getParam(t.parts, name) }

// SetParam gives the parameter the value, in its place and its spelling, and removes others of its name; without one it
// appends. A new parameter with an empty value is written as the bare name.
func (t *TransportSpec) SetParam(name, value string) { t.parts = setParam(t.parts, name, value) }

// DelParam removes every parameter of that name.
func (t *TransportSpec) DelParam(name string) { t.parts = delParam(t.parts, name, 1) }

// Ports reads a parameter as "5000", "5000-5001" or "5000/5001". ok is false for anything else, numbers over 65535
// among it.
func (t *TransportSpec) Ports(name string) (PortRange, bool) { return getPorts(t.parts, name) }

// Channels reads the interleaved parameter. A single channel is both lo and hi. ok is false without the parameter and
// for numbers over 255.
func (t *TransportSpec) Channels() (lo, hi uint8, ok bool) {
	p, ok := getPorts(t.parts, "interleaved")
	if !ok || p.Lo > 255 || p.Hi > 255 {
		return 0, 0, false
	}
	return uint8(p.Lo), uint8(p.Hi), true
}

// SSRC reads the ssrc parameter: up to eight hexadecimal digits (RFC 2326, section 12.39).
func (t *TransportSpec) SSRC() (uint32, bool) {
	v, _ := t.Param("ssrc")
	if len(v) > 8 || strings.HasPrefix(v, "+") {
		return 0, false
	}
	n, err := strconv.ParseUint(v, 16, 32)
	return uint32(n), err == nil
}

// Mode returns the mode parameter as written, without quotes, "" if there is none ("play" is meant then).
func (t *TransportSpec) Mode() string {
	v, _ := t.Param("mode")
	return v
}
