package config

import (
	"errors"
	"math"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
)

var (
	_ yaml.NodeUnmarshaler = (*Duration)(nil)
	_ yaml.NodeUnmarshaler = (*Size)(nil)
	_ yaml.NodeUnmarshaler = (*PortRange)(nil)
	_ yaml.NodeUnmarshaler = (*Listen)(nil)
)

// UnmarshalYAML reads "5s", "1m30s" or "250ms"; a bare number has no unit and is refused, but for 0.
func (d *Duration) UnmarshalYAML(n ast.Node) error {
	text, _ := scalarText(n)
	v, err := time.ParseDuration(text)
	switch {
	case err != nil:
		return errors.New("not a time span; give a number with its unit, such as 5s, 250ms or 1m30s")
	case v < 0:
		return errors.New("a time span cannot be negative")
	}
	*d = Duration(v)
	return nil
}

// MarshalYAML writes the form that UnmarshalYAML reads.
func (d Duration) MarshalYAML() (any, error) { return d.String(), nil }

// UnmarshalYAML reads "64KiB", "4MiB", "512B" or a plain number of bytes, up to 2 GiB.
func (s *Size) UnmarshalYAML(n ast.Node) error {
	const give = "not a size; give a number of bytes, or one with KiB or MiB, such as 64KiB"
	text, _ := scalarText(n)
	unit := 1
	for _, u := range sizeUnits {
		if digits, ok := strings.CutSuffix(text, u.name); ok {
			text, unit = strings.TrimSuffix(digits, " "), u.bytes
			break
		}
	}
	v, err := strconv.ParseInt(text, 10, 64)
	if err != nil || !isDecimal(text) || v < 0 {
		return errors.New(give)
	}
	if v > math.MaxInt32/int64(unit) {
		return errors.New("the size is 2 GiB or more; give a smaller one")
	}
	*s = Size(int(v) * unit)
	return nil
}

// MarshalYAML writes the form that UnmarshalYAML reads.
func (s Size) MarshalYAML() (any, error) { return s.String(), nil }

// UnmarshalYAML reads "5004-5005".
func (r *PortRange) UnmarshalYAML(n ast.Node) error {
	text, _ := scalarText(n)
	first, last, ok := strings.Cut(text, "-")
	if !ok {
		if port, err := parsePort(text); err == nil && port < math.MaxUint16 {
			return errors.New("one port is not a range; a port for RTP and one for RTCP are needed, such as 5004-5005")
		}
		return errors.New("not a port range; give the first and the last port, such as 5004-5005")
	}
	lo, errLo := parsePort(strings.TrimSpace(first))
	hi, errHi := parsePort(strings.TrimSpace(last))
	if errLo != nil || errHi != nil {
		return errors.New("not a port range; give two numbers from 1 to 65535, such as 5004-5005")
	}
	*r = PortRange{lo, hi}
	return nil
}

// MarshalYAML writes the form that UnmarshalYAML reads.
func (r PortRange) MarshalYAML() (any, error) { return r.String(), nil }

// UnmarshalYAML reads ":554", "192.0.2.1:554" or "[2001:db8::1]:554".
func (l *Listen) UnmarshalYAML(n ast.Node) error {
	text, _ := scalarText(n)
	v, err := ParseListen(text)
	if err == nil {
		*l = v
	}
	return err
}

// MarshalYAML writes the form that UnmarshalYAML reads.
func (l Listen) MarshalYAML() (any, error) { return l.String(), nil }

// ParseListen reads ":554", "192.0.2.1:554" or "[2001:db8::1]:554". The error says what to write.
func ParseListen(text string) (Listen, error) {
	const give = "not a listen address; give \":554\", \"192.0.2.1:554\" or \"[2001:db8::1]:554\""
	if isURL(text) {
		return Listen{}, errors.New("a URL is not a listen address; give \":554\", \"192.0.2.1:554\" or \"[2001:db8::1]:554\"")
	}
	i := strings.LastIndexByte(text, ':')
	if i < 0 {
		if ip, err := netip.ParseAddr(text); err == nil {
			return Listen{}, errors.New("the port is missing; write \"" + netip.AddrPortFrom(ip, defaultRTSPPort).String() + "\"")
		}
		if port, err := parsePort(text); err == nil {
			return Listen{}, errors.New("the colon is missing; write \":" + strconv.Itoa(int(port)) + "\" for every address")
		}
		return Listen{}, errors.New(give)
	}
	port, errPort := parsePort(text[i+1:])
	if i == 0 && errPort == nil {
		return Listen{Port: port}, nil
	}
	ap, err := netip.ParseAddrPort(text)
	if err != nil {
		if strings.Count(text, ":") > 1 && text[0] != '[' && errPort == nil {
			return Listen{}, errors.New("an IPv6 address needs brackets; write \"[" + text[:i] + "]" + text[i:] + "\"")
		}
		if errPort == nil {
			return Listen{}, errors.New(give + "; names are not resolved")
		}
		return Listen{}, errors.New(give)
	}
	if what := zoneFault(ap.Addr().Zone()); what != "" {
		return Listen{}, errors.New(what)
	}
	return Listen{Addr: ap.Addr().Unmap(), Port: ap.Port()}, nil
}

func isURL(text string) bool { return strings.Contains(text, "://") }

// zoneFault says why the zone of a link-local address (RFC 4007, section 11) cannot be the name or number of an
// interface; "" if it can, or if there is none. netip takes everything after the first "%".
func zoneFault(zone string) string {
	const longest = 15 // Linux: IFNAMSIZ with its NUL is 16
	switch {
	case strings.HasPrefix(zone, "%"):
		return "the zone begins with a second \"%\"; write one, as in \"fe80::1%" + excerpt(strings.TrimLeft(zone, "%")) + "\""
	case len(zone) > longest, strings.ContainsFunc(zone, func(r rune) bool { return r <= ' ' || r == '/' || r == ':' || r == '%' || r > '~' }):
		return "the zone after \"%\" is no interface's name; give one that `ip link` shows"
	}
	return ""
}
