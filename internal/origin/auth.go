package origin

import (
	"crypto/md5"
	"crypto/subtle"
	"encoding/hex"

	"github.com/bluenviron/gortsplib/v4/pkg/auth"
	"github.com/bluenviron/gortsplib/v4/pkg/base"
	"github.com/bluenviron/gortsplib/v4/pkg/headers"
)

// realm is what a player shows when it asks for a password.
const realm = "mediagate origin"

// authorized tells whether the request has good credentials, or needs none.
func (s *Server) authorized(req *base.Request, rawURL string) bool {
	if len(s.cfg.Users) == 0 {
		return true
	}
	var a headers.Authorization
	if a.Unmarshal(req.Header["Authorization"]) != nil {
		return false
	}
	password, known := s.cfg.Users[a.Username]
	if a.Method == headers.AuthMethodBasic {
		return known && same(a.BasicPass, password)
	}
	if s.cfg.StrictURI && a.URI != rawURL {
		return false
	}
	// RFC 2617, section 3.2.2.1, without qop, as RFC 2069 had it: all players know that. The uri is the field's own.
	want := md5Hex(md5Hex(a.Username+":"+realm+":"+password) + ":" + s.nonce + ":" + md5Hex(string(req.Method)+":"+a.URI))
	return known && a.Nonce == s.nonce && a.Realm == realm && same(a.Response, want)
}

func same(a, b string) bool { return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }

func md5Hex(s string) string {
	h := md5.Sum([]byte(s))
	return hex.EncodeToString(h[:])
}

// challenge asks for credentials. X-Accept-Authentication ([MS-RTSP] 2.2.6.14) is not looked at: clients choose.
func (x *exchange) challenge() answer {
	a := status(base.StatusUnauthorized)
	a.Header["WWW-Authenticate"] = auth.GenerateWWWAuthenticate(nil, realm, x.server.nonce)
	return a
}
