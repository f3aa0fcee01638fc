package origin

import (
	"errors"
	"strconv"
	"strings"

	"github.com/bluenviron/gortsplib/v4/pkg/base"
)

// serverName is what players recognise Windows Media Services by.
const serverName = "WMServer/9.1.1.5001"

// supported are the features of [MS-RTSP] 2.2.6.10 that are here.
const supported = "com.microsoft.wm.srvppair, com.microsoft.wm.sswitch, com.microsoft.wm.eosmsg, " +
	"com.microsoft.wm.predstrm, com.microsoft.wm.packetpairssrc, com.microsoft.wm.locid"

// publicMethods is the Public field. RFC 2326, section 12.30.
const publicMethods = "OPTIONS, DESCRIBE, SETUP, PLAY, PAUSE, TEARDOWN, GET_PARAMETER, SET_PARAMETER"

// maxSessionID is the longest id of a session. [MS-RTSP] 3.2.5.1.
const maxSessionID = 20

// errTornDown ends a connection after a TEARDOWN. [MS-RTSP] 3.2.5.17.
var errTornDown = errors.New("origin: torn down")

// exchange is one request being answered.
type exchange struct {
	*conn
	req     *base.Request
	url     string   // as it stands in the request line
	session *session // nil if the request names none
}

// answer is a response; after, if not nil, is done when it has been sent, and ends the connection by an error.
type answer struct {
	*base.Response
	after func() error
}

func status(code base.StatusCode) answer {
	return answer{Response: &base.Response{StatusCode: code, Header: base.Header{}}}
}

func (a answer) with(name, value string) answer {
	a.Header[name] = base.HeaderValue{value}
	return a
}

// handle answers a request.
func (c *conn) handle(req *base.Request, rawURL string) (*base.Response, func() error) {
	x := &exchange{conn: c, req: req, url: rawURL}
	a := x.answer()
	if x.session != nil {
		x.session.touch(c)
		a = a.with("Session", x.session.id+";timeout="+strconv.Itoa(int(c.server.cfg.Timeout.Seconds())))
		if g := x.session.generation(); a.Header["X-Playlist-Gen-Id"] == nil {
			a = a.with("X-Playlist-Gen-Id", strconv.Itoa(g))
		}
	}
	return a.Response, a.after
}

// answer does the common steps of [MS-RTSP] 3.2.5.1 and then the method's own.
func (x *exchange) answer() answer {
	if first(x.req.Header, "CSeq") == "" {
		return status(base.StatusBadRequest)
	}
	if x.req.Method != base.Options && !x.server.authorized(x.req, x.url) {
		return x.challenge()
	}
	if id := sessionID(first(x.req.Header, "Session")); id != "" {
		if x.session = x.server.session(id); x.session == nil {
			return status(base.StatusSessionNotFound)
		}
		x.session.features(x.req.Header)
	}
	if !x.generationFits() {
		return status(base.StatusPreconditionFailed)
	}
	switch x.req.Method {
	case base.Options:
		return status(base.StatusOK).with("Public", publicMethods)
	case base.Describe:
		return x.describe()
	case base.Setup:
		return x.setup()
	case base.Play:
		return x.play()
	case base.Pause:
		return x.pause()
	case base.Teardown:
		return x.teardown()
	case base.GetParameter:
		return x.getParameter()
	case base.SetParameter:
		return x.setParameter()
	case base.Announce, base.Record:
		return status(base.StatusMethodNotAllowed).with("Allow", publicMethods)
	default:
		return status(base.StatusNotImplemented)
	}
}

// sessionID is the id without its parameters.
func sessionID(v string) string {
	id, _, _ := strings.Cut(v, ";")
	return strings.TrimSpace(id)
}

// session finds a session by its id. [MS-RTSP] 3.2.5.1: one of more than 20 characters cannot be ours.
func (s *Server) session(id string) *session {
	if len(id) > maxSessionID {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.sessions[id]
}

// generationFits looks at X-Playlist-Gen-Id. [MS-RTSP] 3.2.5.1: of any request but PLAY and TEARDOWN it must be the
// present entry's or 0.
func (x *exchange) generationFits() bool {
	v := first(x.req.Header, "X-Playlist-Gen-Id")
	if v == "" || v == "0" || x.req.Method == base.Play || x.req.Method == base.Teardown {
		return true
	}
	want := firstEntry
	if x.session != nil {
		want = x.session.generation()
	}
	n, err := strconv.ParseUint(v, 10, 32)
	return err == nil && n == uint64(want)
}

// path is the path of the request's URL, or false for one that has none.
func (x *exchange) path() (string, bool) {
	if x.req.URL == nil {
		return "", false
	}
	return x.req.URL.Path, true
}
