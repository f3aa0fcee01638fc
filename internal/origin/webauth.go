package origin

import (
	"crypto/rand"
	"net/http"
	"strings"

	"github.com/bluenviron/gortsplib/v4/pkg/auth"
	"github.com/bluenviron/gortsplib/v4/pkg/base"
)

// challenge asks for credentials, or returns nil if the request has good ones or needs none. [MS-WMSP] 3.2.5.1. As over
// RTSP, X-Accept-Authentication is not looked at: clients choose.
func (v *visit) challenge() *reply {
	s := v.web.server
	if s.cfg.BoundAuth && !v.conn.proven {
		return v.bound()
	}
	req := &base.Request{Method: base.Method(v.req.Method), Header: base.Header{}}
	if a := v.req.Header["Authorization"]; len(a) > 0 {
		req.Header["Authorization"] = base.HeaderValue(a)
	}
	if s.authorized(req, v.req.RequestURI) {
		return nil
	}
	a := &reply{status: http.StatusUnauthorized}
	for _, text := range auth.GenerateWWWAuthenticate(nil, realm, s.nonce) {
		a.fields = append(a.fields, "WWW-Authenticate: "+text)
	}
	return a
}

// bound asks for the answer to a challenge that only this connection has had, and then believes the connection, as NTLM
// does. The connection is kept, also over HTTP/1.0. [MS-WMSP] 3.2.5.1.
func (v *visit) bound() *reply {
	c := v.conn
	text, ok := strings.CutPrefix(v.req.Header.Get("Authorization"), "NTLM ")
	if ok && c.challenge != "" && same(text, c.challenge) {
		c.proven = true
		return nil
	}
	a := &reply{status: http.StatusUnauthorized, stay: true, fields: []string{"WWW-Authenticate: NTLM"}}
	if c.challenge = ""; ok {
		c.challenge = rand.Text()
		a.fields[0] += " " + c.challenge
	}
	return a
}
