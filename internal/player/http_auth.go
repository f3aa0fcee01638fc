package player

import (
	"crypto/md5"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"net/http"
	"net/url"
	"strings"
)

// httpAuth answers the challenges of an origin. RFC 7616 (Digest) and RFC 7617 (Basic).
type httpAuth struct {
	user, password string
	digest         map[string]string // the challenge's parameters, nil for Basic
	used           int               // how often the nonce has been
}

// newHTTPAuth takes the best challenge of a 401 that we can answer.
func newHTTPAuth(res *http.Response, user *url.Userinfo) (*httpAuth, error) {
	a := &httpAuth{user: user.Username()}
	a.password, _ = user.Password()
	basic := false
	for _, field := range res.Header.Values("WWW-Authenticate") {
		scheme, rest, _ := strings.Cut(strings.TrimSpace(field), " ")
		switch strings.ToLower(scheme) {
		case "basic":
			basic = true
		case "digest":
			d := challenge(rest)
			if known := digestHash(d["algorithm"]); known != nil && (a.digest == nil || strings.EqualFold(d["algorithm"], "SHA-256")) {
				a.digest = d
			}
		}
	}
	if a.digest == nil && !basic {
		return nil, errors.New("the origin asks for neither Digest nor Basic credentials")
	}
	return a, nil
}

// digestHash is the hash of an algorithm, nil for one that is not known.
func digestHash(algorithm string) func() hash.Hash {
	switch strings.ToUpper(algorithm) {
	case "", "MD5":
		return md5.New
	case "SHA-256":
		return sha256.New
	}
	return nil
}

// challenge reads name=value pairs, quoted or not. RFC 9110, section 11.2.
func challenge(text string) map[string]string {
	params := map[string]string{}
	for text != "" {
		name, rest, ok := strings.Cut(text, "=")
		if !ok {
			break
		}
		value := ""
		if rest = strings.TrimLeft(rest, " "); strings.HasPrefix(rest, `"`) {
			value, rest, _ = strings.Cut(rest[1:], `"`)
			_, rest, _ = strings.Cut(rest, ",")
		} else {
			value, rest, _ = strings.Cut(rest, ",")
		}
		params[strings.ToLower(strings.Trim(name, " ,"))] = strings.TrimSpace(value)
		text = rest
	}
	return params
}

// sign adds credentials to a request.
func (a *httpAuth) sign(req *http.Request) {
	if a.digest == nil {
		req.SetBasicAuth(a.user, a.password)
		return
	}
	var b [8]byte
	_, _ = rand.Read(b[:]) // never fails
	a.used++
	req.Header.Set("Authorization", a.response(req.Method, req.URL.RequestURI(), hex.EncodeToString(b[:])))
}

// response is RFC 7616, section 3.4.1; without qop it is that of RFC 2069.
func (a *httpAuth) response(method, uri, cnonce string) string {
	d, newHash := a.digest, digestHash(a.digest["algorithm"])
	sum := func(parts ...string) string {
		h := newHash()
		h.Write([]byte(strings.Join(parts, ":")))
		return hex.EncodeToString(h.Sum(nil))
	}
	secret, request := sum(a.user, d["realm"], a.password), sum(method, uri)
	text := fmt.Sprintf(`Digest username=%q, realm="%s", nonce="%s", uri="%s"`, a.user, d["realm"], d["nonce"], uri)
	if d["algorithm"] != "" {
		text += ", algorithm=" + d["algorithm"]
	}
	if d["opaque"] != "" {
		text += fmt.Sprintf(`, opaque="%s"`, d["opaque"])
	}
	if strings.Contains(","+strings.ReplaceAll(d["qop"], " ", "")+",", ",auth,") {
		count := fmt.Sprintf("%08x", a.used)
		return text + fmt.Sprintf(`, qop=auth, nc=%s, cnonce="%s", response="%s"`, count, cnonce,
			sum(secret, d["nonce"], count, cnonce, "auth", request))
	}
	return text + fmt.Sprintf(`, response="%s"`, sum(secret, d["nonce"], request))
}

// stale tells whether a 401 asks for the same credentials with another nonce. RFC 7616, section 3.3.
func stale(res *http.Response) bool {
	for _, field := range res.Header.Values("WWW-Authenticate") {
		if scheme, rest, _ := strings.Cut(strings.TrimSpace(field), " "); strings.EqualFold(scheme, "digest") &&
			strings.EqualFold(challenge(rest)["stale"], "true") {
			return true
		}
	}
	return false
}
