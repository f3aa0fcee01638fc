package rtspwire

import (
	"strconv"
	"strings"
)

// Authority finds the host[:port] of an absolute URL of any scheme: url[start:end], without user information, an IPv6
// address with its brackets. ok is false for a relative URL, for "*", and for an authority that is empty or that two
// readers would cut differently.
func Authority(url string) (start, end int, ok bool) {
	s := strings.Index(url, "://")
	if s <= 0 || !isScheme(url[:s]) {
		return 0, 0, false
	}
	start = s + len("://")
	end = len(url)
	if i := strings.IndexAny(url[start:], "/?#"); i >= 0 {
		end = start + i
	}
	if strings.ContainsAny(url[start:end], "\\ \t\r\n\x00\"<>") {
		return 0, 0, false
	}
	if at := strings.LastIndexByte(url[start:end], '@'); at >= 0 {
		start += at + 1
	}
	return start, end, start < end
}

func isScheme(s string) bool {
	for i := range len(s) {
		c := s[i] | 0x20
		letter := 'a' <= c && c <= 'z'
		if !letter && (i == 0 || !('0' <= s[i] && s[i] <= '9' || s[i] == '+' || s[i] == '-' || s[i] == '.')) {
			return false
		}
	}
	return s != ""
}

// SwapAuthority returns url with its host[:port] replaced by authority and every other byte as it was: scheme, user
// information, path, query and escapes. A URL without an authority is returned unchanged.
func SwapAuthority(url, authority string) string {
	start, end, ok := Authority(url)
	if !ok {
		return url
	}
	return url[:start] + authority + url[end:]
}

// URLPath returns path, query and fragment as written, "" if there are none or url is "*". A relative URL is its own
// path.
func URLPath(url string) string {
	if url == "*" {
		return ""
	}
	if s := strings.Index(url, "://"); s > 0 && isScheme(url[:s]) {
		rest := url[s+len("://"):]
		if i := strings.IndexAny(rest, "/?#"); i >= 0 {
			return rest[i:]
		}
		return ""
	}
	return url
}

// SplitHostPort divides host[:port]. The host comes without brackets; port is 0 when none is written. ok is false when
// the host is empty, the port no number up to 65535, or an IPv6 address stands without brackets.
func SplitHostPort(authority string) (host string, port uint16, ok bool) {
	rest := ""
	if strings.HasPrefix(authority, "[") {
		i := strings.IndexByte(authority, ']')
		if i < 0 {
			return "", 0, false
		}
		host, rest = authority[1:i], authority[i+1:]
	} else if i := strings.IndexByte(authority, ':'); i >= 0 {
		host, rest = authority[:i], authority[i:]
	} else {
		host = authority
	}
	if host == "" || strings.ContainsAny(host, "[]@/") || rest != "" && rest[0] != ':' {
		return "", 0, false
	}
	if len(rest) <= 1 {
		return host, 0, true
	}
	port, ok = decimal16(rest[1:])
	return host, port, ok
}

// decimal16 reads a plain decimal number up to 65535: digits only, no sign.
func decimal16(s string) (uint16, bool) {
	if s == "" || s[0] == '+' {
		return 0, false
	}
	n, err := strconv.ParseUint(s, 10, 16)
	if err != nil {
		return 0, false
	}
	return uint16(n), true
}
