package mms

import (
	"net/netip"
	"strings"

	"mediagate/mms/mmswire"
)

// rewriteConnect is the player's Connect as a proxy forwards it ([MS-MMSP] 2.2.4.17): host-param and host-string name the
// server, which may drop a connection that names another one, and VIA gets our entry.
func (s *session) rewriteConnect() mmswire.Raw {
	c := *s.said.connect
	sub := mmswire.ParseSubscriber(c.SubscriberName)
	sub.SetHost(addrPortOf(s.origin.conn.RemoteAddr()).String())
	sub.AddVia(s.proxy.via)
	c.SubscriberName = sub.String()
	c.Rest = nil // the text has another length now, and with it other padding
	return mmswire.Encode(&c)
}

// hostName is a host-info without its port, lower case. Observed: no Linux player writes the port, and none puts IPv6
// in brackets.
func hostName(host string) string {
	if _, err := netip.ParseAddr(host); err == nil {
		return host
	}
	if i := strings.LastIndexByte(host, ':'); i >= 0 && !strings.HasSuffix(host, "]") {
		host = host[:i]
	}
	return strings.ToLower(strings.Trim(host, "[]"))
}

// agentOf is what the player calls itself: the client-token with version and GUID.
func agentOf(subscriber string) string {
	name, _, _ := strings.Cut(subscriber, "\x00")
	if i := strings.Index(strings.ToLower(name), "; host:"); i >= 0 {
		name = name[:i]
	}
	return name
}
