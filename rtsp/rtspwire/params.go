package rtspwire

import (
	"slices"
	"strings"
)

// A list of parameters is the text between the semicolons, each part with its white space: joined by ";" it is what
// came. Part 0 is not a parameter but what the parameters belong to.

const blanks = " \t"

// split divides s at each sep outside quotes. A quote that is never closed is an ordinary character.
func split(s string, sep byte) []string {
	parts := make([]string, 0, 1+strings.Count(s, string(sep)))
	start := 0
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case sep:
			parts = append(parts, s[start:i])
			start = i + 1
		case '"':
			i = skipQuoted(s, i)
		}
	}
	return append(parts, s[start:])
}

// skipQuoted returns the place of the quote that closes the one at i, or i if none does.
func skipQuoted(s string, i int) int {
	if n := strings.IndexByte(s[i+1:], '"'); n >= 0 {
		return i + 1 + n
	}
	return i
}

// splitParam finds the name of a part and the place of its value, quotes and white space left out. Without "=" the
// value is empty and stands at the end of the name.
func splitParam(part string) (name string, start, end int) {
	eq := strings.IndexByte(part, '=')
	if eq < 0 {
		end = len(strings.TrimRight(part, blanks))
		return strings.Trim(part, blanks), end, end
	}
	start, end = trimSpan(part, eq+1, len(part))
	return strings.Trim(part[:eq], blanks), start, end
}

// trimSpan narrows part[start:end] by white space and then by one pair of quotes.
func trimSpan(part string, start, end int) (int, int) {
	for start < end && isBlank(part[start]) {
		start++
	}
	for end > start && isBlank(part[end-1]) {
		end--
	}
	if end-start >= 2 && part[start] == '"' && part[end-1] == '"' {
		start, end = start+1, end-1
	}
	return start, end
}

func indexParam(parts []string, name string, from int) int {
	for i := max(from, 1); i < len(parts); i++ {
		if n, _, _ := splitParam(parts[i]); strings.EqualFold(n, name) {
			return i
		}
	}
	return -1
}

func getParam(parts []string, name string) (string, bool) {
	i := indexParam(parts, name, 1)
	if i < 0 {
		return "", false
	}
	_, start, end := splitParam(parts[i])
	return parts[i][start:end], true
}

// setParam edits the first parameter of that name in its place, removes the others, and appends if there is none. An
// empty value given to a new parameter writes the bare name.
func setParam(parts []string, name, value string) []string {
	value = strings.ReplaceAll(plain(value), `"`, "")
	i := indexParam(parts, name, 1)
	if i < 0 {
		if value != "" {
			name += "=" + quoteIfNeeded(value)
		}
		at := len(parts)
		if at > 1 && strings.Trim(parts[at-1], blanks) == "" {
			at-- // a semicolon at the end stays at the end
		}
		return slices.Insert(slices.Clone(parts), at, name)
	}
	_, start, end := splitParam(parts[i])
	old := parts[i]
	if old[start:end] != value {
		switch {
		case !strings.Contains(old, "="):
			value = "=" + quoteIfNeeded(value)
		case end == len(old) || old[end] != '"':
			value = quoteIfNeeded(value)
		}
		parts = slices.Clone(parts)
		parts[i] = old[:start] + value + old[end:]
	}
	return delParam(parts, name, i+1)
}

// delParam removes every parameter of that name from the given place on.
func delParam(parts []string, name string, from int) []string {
	if indexParam(parts, name, from) < 0 {
		return parts
	}
	kept := slices.Clone(parts[:from])
	for _, p := range parts[from:] {
		if n, _, _ := splitParam(p); !strings.EqualFold(n, name) {
			kept = append(kept, p)
		}
	}
	return kept
}

// quoteIfNeeded quotes a value that would otherwise end too early.
func quoteIfNeeded(v string) string {
	if strings.ContainsAny(v, ",;") {
		return `"` + v + `"`
	}
	return v
}

// getPorts reads a parameter as "5000", "5000-5001" or, as some cameras write, "5000/5001".
func getPorts(parts []string, name string) (PortRange, bool) {
	v, ok := getParam(parts, name)
	if !ok {
		return PortRange{}, false
	}
	i := strings.IndexAny(v, "-/")
	if i < 0 {
		p, ok := decimal16(v)
		return PortRange{Lo: p, Hi: p}, ok
	}
	lo, okLo := decimal16(v[:i])
	hi, okHi := decimal16(v[i+1:])
	if !okLo || !okHi {
		return PortRange{}, false
	}
	return PortRange{Lo: lo, Hi: hi, Pair: true}, true
}
