package config

import (
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode"
)

// Of returns the port of a protocol, 0 if it has none. TLS ends at the gateway: rtsps and https are rtsp and http here.
func (p Ports) Of(protocol string) uint16 {
	switch plain(protocol) {
	case ProtocolRTSP:
		return p.RTSP
	case ProtocolMMS:
		return p.MMS
	case ProtocolHTTP:
		return p.HTTP
	}
	return 0
}

// plain is the protocol inside of TLS.
func plain(protocol string) string {
	switch protocol {
	case ProtocolRTSPS:
		return ProtocolRTSP
	case ProtocolHTTPS:
		return ProtocolHTTP
	}
	return protocol
}

// IsTLS reports whether the virtual server's players speak TLS.
func (vs *VirtualServer) IsTLS() bool { return plain(vs.Protocol) != vs.Protocol }

// IsWeb reports whether the virtual server's players speak HTTP, in TLS or not.
func (vs *VirtualServer) IsWeb() bool { return plain(vs.Protocol) == ProtocolHTTP }

// Pools returns the names of the pools that a virtual server may send a session to, each once, its own first.
func (vs *VirtualServer) Pools() []string {
	names := []string{vs.Pool}
	for _, r := range vs.Routes {
		if !slices.Contains(names, r.Pool) {
			names = append(names, r.Pool)
		}
	}
	return names
}

// Protocols returns the protocols that the nodes of a pool are spoken to in, by the virtual servers that may send it
// sessions: rtsp, mms and http, sorted, each once. RTSP tunnelled in HTTP does not count.
func (c *Config) Protocols(pool string) []string {
	var all []string
	for i := range c.VirtualServers {
		vs := &c.VirtualServers[i]
		protocol := plain(vs.Protocol)
		if slices.Contains(vs.Pools(), pool) && !slices.Contains(all, protocol) {
			all = append(all, protocol)
		}
	}
	slices.Sort(all)
	return all
}

// Matches reports whether a session for that host and path goes the route's way. host is without port, "" if the player
// names none; path may lack its first slash, as file names in MMS do, and is "" as long as it is not known, which matches
// no route that names a path.
func (r Route) Matches(host, path string) bool {
	if r.Host != "" && plainHost(host) != plainHost(r.Host) {
		return false
	}
	return r.Path == "" || path != "" && isBelow(plainPath(path), plainPath(r.Path))
}

// plainHost brings a host to the form in which hosts are compared: names in lower case without the root's dot
// (RFC 3986, section 3.2.2), addresses as netip writes them, without brackets.
func plainHost(host string) string {
	host = strings.TrimSuffix(strings.TrimPrefix(host, "["), "]")
	if ip, err := netip.ParseAddr(host); err == nil {
		return ip.Unmap().WithZone("").String()
	}
	return strings.ToLower(strings.TrimSuffix(host, "."))
}

// plainPath brings a path to the form in which paths are compared: in lower case, as Windows compares them, with one
// slash at its begin and none at its end, percent-encoding undone, without a query.
func plainPath(path string) string {
	path, _, _ = strings.Cut(path, "?")
	if plain, err := url.PathUnescape(path); err == nil {
		path = plain
	}
	return "/" + strings.ToLower(strings.Trim(path, "/"))
}

// isBelow reports whether prefix is path, or whole segments at its begin.
func isBelow(path, prefix string) bool {
	rest, ok := strings.CutPrefix(path, prefix)
	return ok && (rest == "" || rest[0] == '/' || prefix == "/")
}

// covers reports whether every session that matches later matches r too.
func (r Route) covers(later Route) bool {
	return (r.Host == "" || plainHost(r.Host) == plainHost(later.Host)) &&
		(r.Path == "" || later.Path != "" && isBelow(plainPath(later.Path), plainPath(r.Path)))
}

func (k *checker) routes(path string, routes []Route, pools []Pool) {
	for i, r := range routes {
		at := path + "[" + strconv.Itoa(i) + "]"
		k.poolOf(at+".pool", r.Pool, "route", pools)
		if r.Host == "" && r.Path == "" {
			k.say(at, "the route has neither host nor path; give one of them, the virtual server's own pool takes the rest")
			continue
		}
		if r.Host != "" {
			k.routeHost(at+".host", r.Host)
		}
		if r.Path != "" {
			k.urlPath(at+".path", r.Path)
		}
		for j, earlier := range routes[:i] {
			if first := path + "[" + strconv.Itoa(j) + "]"; (earlier.Host != "" || earlier.Path != "") && earlier.covers(r) && k.readable(first) {
				k.say(at, "never used, since %s comes first and matches all of it; move this one up or remove it", first)
				break
			}
		}
	}
}

func (k *checker) routeHost(path, host string) {
	if !k.printable(path, host) {
		return
	}
	_, errAddr := netip.ParseAddr(strings.TrimSuffix(strings.TrimPrefix(host, "["), "]"))
	switch {
	case isURL(host):
		k.say(path, "a URL is not a host; give the name or address alone")
	case errAddr == nil:
	case strings.Contains(host, "*"):
		k.say(path, "wildcards are not read here; give each host a route of its own")
	case strings.Contains(host, ":"):
		k.say(path, "the port does not belong here; give the name or address alone")
	case strings.ContainsFunc(host, func(r rune) bool { return r == '/' || r == '@' || r == '[' || r == ']' || unicode.IsSpace(r) }):
		k.say(path, "not a host; give a name such as media.example.com, or an address")
	}
}

// urlPath checks a path as it stands in a URL.
func (k *checker) urlPath(path, got string) {
	if !k.printable(path, got) {
		return
	}
	switch {
	case isURL(got):
		k.say(path, "a URL is not a path; give what comes after the host, from its slash on")
	case got[0] != '/':
		k.say(path, "a path begins with a slash; write %q", "/"+got)
	case strings.ContainsAny(got, "?#*"):
		k.say(path, "a query, fragment or wildcard does not belong here; give the path alone")
	}
}
