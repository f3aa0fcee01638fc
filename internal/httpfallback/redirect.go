package httpfallback

import (
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"

	"go.uber.org/zap"

	"mediagate/balancer"
)

// place is where a Location leads.
type place uint8

const (
	placePlayers place = iota // no host, the gateway's own, or a name: the player's to follow
	placeNode                 // a node of the pool
	placeNowhere              // an address that is no node's: a player may not reach it and need not know it
)

// whither reads a URL that an origin named.
func (ex *exchange) whither(location string) (*url.URL, balancer.Node, place) {
	u, err := url.Parse(location)
	if err != nil || u.Host == "" || strings.EqualFold(u.Host, ex.host()) {
		return u, balancer.Node{}, placePlayers
	}
	addr, err := netip.ParseAddr(u.Hostname())
	switch {
	case err != nil || addr.Unmap() == ex.link.local.Addr():
		return u, balancer.Node{}, placePlayers
	}
	if n, ok := ex.pool.Node(addr.Unmap()); ok && serves(n, u) {
		return u, n, placeNode
	}
	return u, balancer.Node{}, placeNowhere
}

// serves says that a URL of a node's address is one that the gateway can stand for: it knows one port for HTTP.
func serves(n balancer.Node, u *url.URL) bool {
	port := u.Port()
	return port == "" || !strings.EqualFold(u.Scheme, "http") || port == strconv.Itoa(int(n.Ports[Service]))
}

func isRedirect(status int) bool {
	switch status {
	case http.StatusMovedPermanently, http.StatusFound, http.StatusSeeOther, http.StatusTemporaryRedirect, http.StatusPermanentRedirect:
		return true
	}
	return false
}

// followed goes to the node that a redirect names, for players of Windows Media: half of those that were observed do not
// follow one themselves. It says whether out now asks there.
func (p *Proxy) followed(ex *exchange, out *http.Request, res *http.Response) bool {
	if !ex.wmsp || !isRedirect(res.StatusCode) || ex.link.pin != nil || ex.in.Method != http.MethodGet {
		return false
	}
	u, n, where := ex.whither(res.Header.Get("Location"))
	if where != placeNode || !strings.EqualFold(u.Scheme, "http") || !p.moveTo(ex, n) {
		return false
	}
	ex.log.Info("redirect followed", zap.String("node", n.Name), zap.String("path", u.Path))
	discard(res)
	out.URL.Opaque, out.URL.Path, out.URL.RawPath, out.URL.RawQuery = "", u.Path, u.RawPath, u.RawQuery
	return true
}

// moveTo makes n the session's node, if it can be used.
func (p *Proxy) moveTo(ex *exchange, n balancer.Node) bool {
	p.mu.Lock()
	lease := ex.session.lease
	p.mu.Unlock()
	if lease != nil && lease.Node().Name == n.Name {
		return true
	}
	fresh, err := ex.pool.Acquire(balancer.Key{Service: Service, Client: ex.link.client.Addr(), URL: ex.in.URL.RequestURI(), Prefer: n.Name})
	if err != nil {
		return false
	}
	if fresh.Node().Name != n.Name {
		fresh.Release()
		return false
	}
	return p.install(ex, lease, fresh).Name == n.Name
}

// keepInside rewrites what an answer tells of nodes: Location and Content-Location lead to the gateway, under the name
// that the player has for it.
func (p *Proxy) keepInside(ex *exchange, res *http.Response) error {
	for _, field := range []string{"Location", "Content-Location"} {
		value := res.Header.Get(field)
		if value == "" {
			continue
		}
		u, n, where := ex.whither(value)
		switch where {
		case placePlayers:
			continue
		case placeNowhere:
			if field == "Location" {
				return errElsewhere
			}
			res.Header.Del(field)
			continue
		}
		if isRedirect(res.StatusCode) && field == "Location" && ex.link.pin == nil {
			if p.moveTo(ex, n) { // so that the player meets the node that it is sent to
				ex.node = n
			}
		}
		switch u.Host = ex.host(); strings.ToLower(u.Scheme) {
		case "http", "https", "":
			u.Scheme = "http"
			if ex.link.conn.secure {
				u.Scheme = "https"
			}
		default: // another protocol has another port
			u.Host = bracketed(hostOnly(ex.host()))
		}
		res.Header.Set(field, u.String())
	}
	return nil
}

func bracketed(host string) string {
	if strings.Contains(host, ":") {
		return "[" + host + "]"
	}
	return host
}
