package admin

import (
	"crypto/subtle"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"time"
)

// guard lets a request pass that brings the token, where there is one. Without a token everybody on this machine may ask,
// but no web page that a browser on it shows: a request must name the host by address or as localhost, so that a name of
// the page's own that leads here (DNS rebinding) is refused, and one that changes something must not come from a page.
// Health is told to everybody.
func (s *Server) guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "no-store")
		_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(answerIn)) // a stream takes it away
		switch {
		case r.URL.Path == "/healthz" || r.URL.Path == "/readyz":
		case s.cfg.Token != "" && !s.bearer(r):
			w.Header().Set("WWW-Authenticate", `Bearer realm="mediagate"`)
			refuse(w, http.StatusUnauthorized, "the token is missing or wrong; send Authorization: Bearer TOKEN")
			return
		case s.cfg.Token == "" && !local(r.Host):
			refuse(w, http.StatusForbidden, "name the host by its address")
			return
		case s.cfg.Token == "" && r.Header.Get("Origin") != "":
			refuse(w, http.StatusForbidden, "web pages may not ask")
			return
		}
		next.ServeHTTP(w, r)
	})
}

func (s *Server) bearer(r *http.Request) bool {
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	return strings.EqualFold(scheme, "Bearer") && subtle.ConstantTimeCompare([]byte(strings.TrimSpace(token)), []byte(s.cfg.Token)) == 1
}

// local says that a Host field has an address, or localhost. curl sends "localhost" to a unix socket too.
func local(host string) bool {
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	_, err := netip.ParseAddr(strings.Trim(host, "[]"))
	return err == nil || host == "localhost"
}
