package httpfallback

import (
	"net/http"
	"strconv"
	"strings"
)

// pragma is what the gateway understands of the Pragma fields of a message ([MS-WMSP] 2.2.1.4). The fields themselves
// pass as they are.
type pragma struct {
	clientID  string // client-id, digits without leading zeros; "" if there is none
	guid      string // xClientGUID as the player wrote it
	logLine   string // log-line
	timeout   int    // timeout in milliseconds, of a response
	pipeline  bool   // pipeline-request
	keepAlive bool   // xKeepAliveInPause
	agent     bool   // proxy-client-agent is there
	known     bool   // a token that only Windows Media players send
}

// maxGUID bounds a GUID that becomes a key. VLC's is not one, but no longer.
const maxGUID = 64

// readPragma reads the tokens of all Pragma fields. One that is malformed is none.
func readPragma(h http.Header) pragma {
	var p pragma
	for _, v := range h["Pragma"] {
		if line, ok := cutFold(v, "log-line="); ok { // [MS-WMSP] 2.2.1.4.10: alone in its field
			p.logLine, p.known = line, true
			continue
		}
		for token := range strings.SplitSeq(v, ",") {
			p.take(strings.TrimSpace(token))
		}
	}
	return p
}

func (p *pragma) take(token string) {
	name, value, _ := strings.Cut(token, "=")
	switch strings.ToLower(name) {
	case "client-id":
		if n, err := strconv.ParseUint(value, 10, 32); err == nil {
			p.clientID, p.known = strconv.FormatUint(n, 10), true
		}
	case "xclientguid":
		if value != "" && len(value) <= maxGUID {
			p.guid = value
		}
		p.known = true
	case "timeout":
		if n, err := strconv.ParseUint(value, 10, 31); err == nil {
			p.timeout = int(n)
		}
	case "pipeline-request":
		p.pipeline, p.known = value == "1", true
	case "xkeepaliveinpause":
		p.keepAlive, p.known = true, true
	case "proxy-client-agent":
		p.agent = true
	case "xplaystrm", "xplaynextentry", "xstopstrm", "stream-switch-entry", "stream-switch-count", "stream-time", "request-context":
		p.known = true
	}
}

// cutFold is CutPrefix without regard to case.
func cutFold(s, prefix string) (string, bool) {
	if len(s) < len(prefix) || !strings.EqualFold(s[:len(prefix)], prefix) {
		return s, false
	}
	return s[len(prefix):], true
}

// replaceToken puts with in the place of the Pragma tokens that match name, "" takes them away; all other bytes stay. A
// field that has no token left goes.
func replaceToken(h http.Header, name, with string) {
	var out []string
	for _, v := range h["Pragma"] {
		if _, isLog := cutFold(v, "log-line="); isLog {
			out = append(out, v)
			continue
		}
		tokens := strings.Split(v, ",")
		kept := tokens[:0]
		for _, t := range tokens {
			if n, _, _ := strings.Cut(strings.TrimSpace(t), "="); strings.EqualFold(n, name) {
				if with == "" {
					continue
				}
				t = t[:len(t)-len(strings.TrimLeft(t, " \t"))] + with
			}
			kept = append(kept, t)
		}
		if len(kept) > 0 {
			out = append(out, strings.TrimLeft(strings.Join(kept, ","), " \t"))
		}
	}
	if len(out) == 0 {
		h.Del("Pragma")
		return
	}
	h["Pragma"] = out
}

// players are the client tokens of [MS-WMSP] 2.2.1.8.
var players = []string{"NSPlayer/", "NSServer/", "WMCacheProxy/"}

// speaksWMSP tells a request of Windows Media HTTP streaming from one of ordinary HTTP.
func speaksWMSP(h http.Header, p pragma) bool {
	for _, token := range players {
		if strings.HasPrefix(h.Get("User-Agent"), token) {
			return true
		}
	}
	return p.known
}
