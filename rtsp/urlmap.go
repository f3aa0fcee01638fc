package rtsp

import (
	"net/netip"
	"strings"

	"mediagate/rtsp/rtspwire"
)

// aliasLimit bounds what one conversation may make us remember. A presentation has a handful of streams; a playlist
// brings new ones, and the oldest go.
const aliasLimit = 128

// aliasLength bounds one remembered URL. A player that comes with a longer one has a request line of that length.
const aliasLength = 8 << 10

// urlMap turns URLs of one conversation from the client's form into the origin's and back, by bytes. Only the
// authority differs, unless the origin wrote another one than the address we dialled, or redirected us: then the
// exact form is remembered, because the origin must get back what it wrote (traps 1 to 4).
type urlMap struct {
	client string // authority as the player wrote it in its last absolute URL, else our local address
	origin string // authority of the node, as we write it
	node   string // whose forms are remembered
	alias  map[string]string
	order  []string
}

// reach says which node the URLs go to from now on.
func (m *urlMap) reach(node, authority string) {
	if m.origin = authority; m.node != node {
		m.forget(node)
	}
}

// forget drops what another node wrote: its forms mean nothing to this one.
func (m *urlMap) forget(node string) {
	m.node, m.alias, m.order = node, nil, nil
}

// authorityOf writes an address as a URL authority; the default port of RTSP (RFC 2326, section 3.2) is left out, as players do.
func authorityOf(a netip.AddrPort) string {
	host := a.Addr().WithZone("").String()
	if a.Addr().Is6() && !a.Addr().Is4In6() {
		host = "[" + host + "]"
	}
	if a.Port() == 554 {
		return host
	}
	return host + ":" + utoa(a.Port())
}

// sawClient takes over the authority that the player used, so that answers speak of the address it knows.
func (m *urlMap) sawClient(url string) {
	if start, end, ok := rtspwire.Authority(url); ok {
		m.client = url[start:end]
	}
}

// toOrigin maps a URL of the client. Relative URLs and "*" are the same on both sides.
func (m *urlMap) toOrigin(url string) string {
	if original, ok := m.lookup(url); ok {
		return original
	}
	if start, end, ok := rtspwire.Authority(url); !ok || url[start:end] == m.origin {
		return url
	}
	return rtspwire.SwapAuthority(url, m.origin)
}

// toClient maps a URL of the origin and remembers its form if it is not the usual one.
func (m *urlMap) toClient(url string) string {
	start, end, ok := rtspwire.Authority(url)
	if !ok || url[start:end] == m.client {
		return url
	}
	mapped := rtspwire.SwapAuthority(url, m.client)
	if url[start:end] != m.origin {
		m.remember(mapped, url)
	}
	return mapped
}

// remember ties a client's URL to the origin's form of it.
func (m *urlMap) remember(client, origin string) {
	if len(client)+len(origin) > 2*aliasLength {
		return
	}
	if m.alias == nil {
		m.alias = make(map[string]string)
	}
	if _, known := m.alias[client]; !known {
		if len(m.order) >= aliasLimit {
			delete(m.alias, m.order[0])
			m.order = m.order[1:]
		}
		m.order = append(m.order, client)
	}
	m.alias[client] = origin
}

// lookup finds the longest remembered URL that url equals or continues: players append track names in their own
// way (trap 6), so a prefix counts where a path segment or a query ends.
func (m *urlMap) lookup(url string) (string, bool) {
	best := ""
	for client := range m.alias {
		if len(client) <= len(best) || !strings.HasPrefix(url, client) {
			continue
		}
		rest := url[len(client):]
		if rest == "" || strings.HasSuffix(client, "/") || rest[0] == '/' || rest[0] == '?' {
			best = client
		}
	}
	if best == "" {
		return "", false
	}
	return m.alias[best] + url[len(best):], true
}
