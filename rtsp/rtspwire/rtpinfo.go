package rtspwire

import (
	"slices"
	"strings"
)

// RTPInfo is the value of an RTP-Info field (RFC 2326, section 12.33, with the changes of [MS-RTSP] 2.2.6.8) or of an
// X-RTP-Info field ([MS-RTSP] 2.2.6.27). Joined, its entries are what came.
type RTPInfo []*RTPInfoEntry

// RTPInfoEntry is one stream: a URL and parameters. The URL may stand in quotes, alone or together with its "url=".
type RTPInfoEntry struct {
	parts []string // parts[0] holds the URL
}

// ParseRTPInfo reads a value. Nothing is refused: what cannot be understood is kept as it is. A comma within a URL that
// stands without quotes, which no specification allows and some servers write, stays within the URL.
func ParseRTPInfo(value string) RTPInfo {
	var r RTPInfo
	start, params := 0, false
	for i := 0; i < len(value); i++ {
		switch value[i] {
		case '"':
			i = skipQuoted(value, i)
		case ';':
			params = true
		case ',':
			if params || startsEntry(value[i+1:]) {
				r = append(r, &RTPInfoEntry{parts: split(value[start:i], ';')})
				start, params = i+1, false
			}
		}
	}
	return append(r, &RTPInfoEntry{parts: split(value[start:], ';')})
}

// startsEntry reports whether the text after a comma is an entry of its own.
func startsEntry(s string) bool {
	s = strings.TrimLeft(s, blanks)
	if s == "" || s[0] == '"' || s[0] == ',' {
		return true
	}
	if hasFold(s, "rtsp") {
		return true
	}
	return hasFold(s, "url") && strings.HasPrefix(strings.TrimLeft(s[3:], blanks), "=")
}

func hasFold(s, prefix string) bool {
	return len(s) >= len(prefix) && strings.EqualFold(s[:len(prefix)], prefix)
}

// String returns the field's value.
func (r RTPInfo) String() string {
	var b strings.Builder
	for i, e := range r {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(strings.Join(e.parts, ";"))
	}
	return b.String()
}

// span returns where in parts[0] the URL stands.
func (e *RTPInfoEntry) span() (start, end int) {
	p := e.parts[0]
	start, end = trimSpan(p, 0, len(p))
	if hasFold(p[start:end], "url") {
		after := strings.TrimLeft(p[start+3:end], blanks)
		if strings.HasPrefix(after, "=") {
			start, end = trimSpan(p, end-len(after)+1, end)
		}
	}
	return start, end
}

// URL returns the stream URL without quotes.
func (e *RTPInfoEntry) URL() string {
	start, end := e.span()
	return e.parts[0][start:end]
}

// SetURL replaces the stream URL and keeps "url=", quotes and white space. Quotes are added when the new URL needs them
// and the old one did not ([MS-RTSP] 2.2.6.27).
func (e *RTPInfoEntry) SetURL(u string) {
	start, end := e.span()
	p := e.parts[0]
	u = strings.ReplaceAll(plain(u), `"`, "%22")
	quoted := start > 0 && p[start-1] == '"'
	if !quoted && !strings.ContainsAny(p[start:end], ",;") {
		u = quoteIfNeeded(u)
	}
	e.parts = slices.Clone(e.parts)
	e.parts[0] = p[:start] + u + p[end:]
}

// Param returns the value of a parameter without quotes and white space. ok tells an empty value from none.
func (e *RTPInfoEntry) Param(name string) (value string, ok bool) { return getParam(e.parts, name) }

// SetParam gives the parameter the value, in its place and its spelling, and removes others of its name; without one it
// appends.
func (e *RTPInfoEntry) SetParam(name, value string) { e.parts = setParam(e.parts, name, value) }

// DelParam removes every parameter of that name.
func (e *RTPInfoEntry) DelParam(name string) { e.parts = delParam(e.parts, name, 1) }

// Ports reads a parameter as TransportSpec.Ports does.
func (e *RTPInfoEntry) Ports(name string) (PortRange, bool) { return getPorts(e.parts, name) }
