package capture

import (
	"bytes"
	"strconv"
	"strings"
)

// masks hides what a trace may not hold: credentials, cookies and session IDs. A session ID has the same stand-in
// wherever it occurs, so that a reader still sees which messages belong together.
type masks struct{ sessions map[string]string }

// maxSessions bounds the IDs that are told apart.
const maxSessions = 64

// line masks one line of a message's head.
func (m *masks) line(b []byte) []byte {
	name, value, ok := bytes.Cut(b, []byte(":"))
	if ok {
		lead := len(value) - len(bytes.TrimLeft(value, " \t"))
		put := func(text string) []byte {
			return append(append(append(append([]byte(nil), name...), ':'), value[:lead]...), text...)
		}
		switch text := string(value[lead:]); strings.ToLower(string(bytes.TrimSpace(name))) {
		case "authorization", "proxy-authorization", "authentication-info", "proxy-authentication-info":
			scheme, rest, _ := strings.Cut(text, " ")
			if rest == "" {
				return put("***")
			}
			return put(scheme + " ***")
		case "www-authenticate", "proxy-authenticate":
			// NTLM and Negotiate carry the exchange itself in it, RFC 4559, section 4.1; Digest and Basic only ask.
			if scheme, rest, _ := strings.Cut(text, " "); rest != "" && !strings.Contains(rest, "=\"") {
				return put(scheme + " ***")
			}
		case "session":
			id, rest, more := strings.Cut(text, ";")
			if more {
				rest = ";" + rest
			}
			return put(m.session(strings.TrimSpace(id)) + rest)
		case "cookie", "set-cookie", "x-sessioncookie":
			return put("***")
		}
	}
	return []byte(maskURLs(string(b)))
}

func (m *masks) session(id string) string {
	if id == "" {
		return ""
	}
	if known, ok := m.sessions[id]; ok {
		return known
	}
	if len(m.sessions) >= maxSessions {
		return "masked-session"
	}
	name := "masked-session-" + strconv.Itoa(len(m.sessions)+1)
	m.sessions[id] = name
	return name
}

// maskURLs hides user and password in the URLs of a line.
func maskURLs(line string) string {
	var out strings.Builder
	for {
		i := strings.Index(line, "://")
		if i < 0 {
			out.WriteString(line)
			return out.String()
		}
		i += len("://")
		out.WriteString(line[:i])
		line = line[i:]
		end := strings.IndexAny(line, "/?# \t\",;<>")
		if end < 0 {
			end = len(line)
		}
		if at := strings.LastIndexByte(line[:end], '@'); at >= 0 {
			out.WriteString("***")
			line = line[at:]
		}
	}
}
