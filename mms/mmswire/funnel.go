package mmswire

import (
	"net/netip"
	"strconv"
	"strings"
)

// FunnelName is the socket at which a client wants Data packets ([MS-MMSP] 2.2.4.18). Observed: only of UDP is it true;
// over TCP players send an address and a port that have never been theirs.
type FunnelName struct {
	Addr netip.Addr // what Host is; not valid if that is no address
	Host string     // as it was written
	UDP  bool       // else TCP
	Port int        // 1 to 65535
}

// ParseFunnelName reads `\\host\UDP\port` up to the first NUL. UDP and TCP may be in any case, an IPv6 address may have
// brackets. If it returns a *SyntaxError, what could be read is in the FunnelName.
func ParseFunnelName(s string) (FunnelName, error) {
	var f FunnelName
	s, _, _ = strings.Cut(s, nul)
	fail := func(rest, what string) (FunnelName, error) {
		return f, &SyntaxError{Object: "funnel name", Offset: int64(len(s) - len(rest)), What: what}
	}
	rest, ok := strings.CutPrefix(s, `\\`)
	if !ok {
		return fail(s, `it does not begin with \\`)
	}
	f.Host, rest, ok = strings.Cut(rest, `\`)
	host := f.Host
	if strings.HasPrefix(host, "[") {
		host = strings.TrimSuffix(host[1:], "]")
	}
	f.Addr, _ = netip.ParseAddr(host)
	if !ok {
		return fail("", "no protocol")
	}
	proto, port, ok := strings.Cut(rest, `\`)
	switch {
	case strings.EqualFold(proto, "UDP"):
		f.UDP = true
	case !strings.EqualFold(proto, "TCP"):
		return fail(rest, "the protocol is neither UDP nor TCP")
	}
	if !ok {
		return fail("", "no port")
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil || n == 0 {
		return fail(port, "the port is not 1 to 65535")
	}
	f.Port = int(n)
	return f, nil
}

// String writes the name as it stands in a message. Host goes before Addr.
func (f FunnelName) String() string {
	host, proto := f.Host, "TCP"
	if host == "" {
		host = f.Addr.String()
	}
	if f.UDP {
		proto = "UDP"
	}
	return `\\` + host + `\` + proto + `\` + strconv.Itoa(f.Port)
}
