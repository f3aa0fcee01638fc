package origin

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"go.uber.org/zap"
	"mediagate/internal/asf"
)

const (
	webServer    = "Cougar/9.01.01.5001"
	webSupported = "com.microsoft.wm.srvppair, com.microsoft.wm.sswitch, com.microsoft.wm.predstrm, com.microsoft.wm.fastcache"

	typeHeader = "application/vnd.ms.wms-hdr.asfv1" // [MS-WMSP] 2.2.1.2.2
	typeMedia  = "application/x-mms-framed"
)

// visit is one request and what is known about it.
type visit struct {
	conn    *webConn
	web     *web
	req     *http.Request
	body    []byte
	pragma  pragma
	agent   agent
	kind    string
	id      uint32 // client-id; 0: none
	foreign bool   // the client-id is none of ours
	session *webSession
	reset   bool // the session is another than the one that was asked for. [MS-WMSP] 2.2.1.4.37
}

// reply is an answer. Its zero value is 200 without a body.
type reply struct {
	status int
	fields []string // beside the usual ones
	tokens []string // of Pragma, beside the usual ones
	media  string   // Content-Type
	body   []byte
	hangUp bool
	stay   bool // the connection is kept, also if the client did not ask for it
	// stream is an answer whose body follows: in chunks, or until the connection is closed.
	stream, chunked bool
}

// handle answers the request; false: the connection is to be closed. [MS-WMSP] 3.2.5.1.
func (v *visit) handle() (goOn bool) {
	v.pragma = parsePragma(v.req.Header["Pragma"])
	v.agent = parseAgent(v.req.UserAgent())
	if v.agent.token != "" || v.req.RequestURI == "*" {
		v.kind = kindOf(v.req, v.pragma)
	}
	if v.id, _ = v.pragma.number("client-id"); v.id != 0 && v.kind != "" {
		e, ours := v.web.find(v.id)
		v.session, v.foreign = e, !ours
	}
	if v.session != nil {
		v.session.hear(v.agent, v.req.Header)
	}
	if v.web.busy.Load() {
		return v.send(reply{status: http.StatusServiceUnavailable, hangUp: true})
	}
	if v.kind == kindKeepAlive && v.req.Method == http.MethodOptions {
		return v.send(reply{fields: []string{"Public: GET, POST, OPTIONS", "Allow: OPTIONS"}})
	}
	if a := v.challenge(); a != nil {
		return v.send(*a)
	}
	if to, ok := v.redirect(); ok {
		if v.session != nil { // [MS-WMSP] 3.2.5.4
			v.web.drop(v.session)
		}
		return v.send(reply{status: http.StatusFound, fields: []string{"Location: " + to}, hangUp: true})
	}
	return v.route()
}

// route gives the request to who answers its kind.
func (v *visit) route() (goOn bool) {
	switch v.kind {
	case kindDescribe:
		return v.describe()
	case kindPlay:
		return v.play()
	case kindContentInfo, kindEvent:
		if v.find() == nil {
			return v.send(reply{status: http.StatusNotFound})
		}
		return v.send(reply{})
	case "":
		return v.ordinary()
	}
	if v.session == nil { // [MS-WMSP] 3.2.5.1
		return v.send(reply{status: http.StatusBadRequest})
	}
	switch v.kind {
	case kindPipeline:
		return v.pipeline()
	case kindSelect, kindNextEntry:
		return v.selectStream()
	case kindStop:
		v.session.turn.Lock()
		defer v.session.turn.Unlock()
		v.session.halt(v.conn)
	case kindLog:
		return v.send(reply{status: http.StatusNoContent}) // what it says is in the Log
	}
	return v.send(reply{})
}

// find is the file that the request is about, or nil.
func (v *visit) find() *asf.File {
	for _, name := range spellings(v.req.URL.Path) {
		if f, err := v.web.server.library.open(name); err == nil && f.PacketSize <= maxFrame {
			return f
		}
	}
	return nil
}

// redirect is where the client is to go.
func (v *visit) redirect() (to string, ok bool) {
	if v.req.Method != http.MethodGet && v.req.Method != http.MethodHead {
		return "", false
	}
	to, ok = v.web.server.cfg.Redirect[v.req.URL.Path]
	return to, ok
}

// enter is the session of a Describe or Play: the one that the client names, or a new one. [MS-WMSP] 3.2.3.
func (v *visit) enter() bool {
	if v.session == nil {
		v.session, v.reset = v.web.open(), v.id != 0
		if v.session == nil {
			return false
		}
		v.session.hear(v.agent, v.req.Header)
	}
	return true
}

// refuse answers what is no request, or too large for one, and has the connection closed.
func (v *visit) refuse(status int) {
	if v.req == nil {
		v.req = &http.Request{Proto: "HTTP/1.0", ProtoMajor: 1, Header: http.Header{}}
	}
	v.send(reply{status: status, hangUp: true})
}

// send writes an answer; false: the connection is to be closed.
func (v *visit) send(a reply) (goOn bool) {
	if a.status == 0 {
		a.status = http.StatusOK
	}
	v.tell(a)
	head, keep := v.head(a)
	b := append(head, a.body...)
	if v.req.Method == http.MethodHead {
		b = head
	}
	if a.stream {
		return v.conn.begin(b, a.chunked) == nil
	}
	return v.conn.answer(b) == nil && keep
}

// tell remembers and logs the request and its answer.
func (v *visit) tell(a reply) {
	q := v.told(a.status)
	v.web.server.seen.http(q)
	level := zap.DebugLevel
	if q.Foreign {
		level = zap.WarnLevel
	}
	v.web.server.log.Log(level, "http request", zap.Stringer("client", q.Client), zap.String("kind", q.Kind), zap.String("method", q.Method),
		zap.String("url", q.URL), zap.Int("status", q.Status), zap.Uint32("client_id", q.ClientID), zap.Bool("foreign", q.Foreign))
}

// head is everything before the body. [MS-WMSP] 3.2.5.2. keep: the connection lives on.
func (v *visit) head(a reply) (head []byte, keep bool) {
	v11 := v.req.ProtoAtLeast(1, 1) && (!a.stream || a.chunked)
	asked := strings.ToLower(strings.Join(v.req.Header["Connection"], ","))
	keep = !a.hangUp && (!a.stream || a.chunked) && !strings.Contains(asked, "close") &&
		(v11 || a.stay || strings.Contains(asked, "keep-alive"))
	var b strings.Builder
	fmt.Fprintf(&b, "HTTP/1.%d %d %s\r\nServer: %s\r\nDate: %s\r\n", digit(v11), a.status, http.StatusText(a.status), webServer,
		time.Now().UTC().Format(http.TimeFormat))
	if tokens := v.tokens(a); len(tokens) > 0 {
		fmt.Fprintf(&b, "Pragma: %s\r\nCache-Control: %s\r\n", strings.Join(tokens, ", "), v.caching(a))
	}
	if v.agent.major >= 9 {
		fmt.Fprintf(&b, "Supported: %s\r\n", webSupported)
	}
	for _, f := range a.fields {
		fmt.Fprintf(&b, "%s\r\n", f)
	}
	if a.media != "" {
		fmt.Fprintf(&b, "Content-Type: %s\r\n", a.media)
	}
	switch {
	case a.chunked:
		b.WriteString("Transfer-Encoding: chunked\r\n")
	case !a.stream && a.status != http.StatusNoContent:
		fmt.Fprintf(&b, "Content-Length: %d\r\n", len(a.body))
	}
	switch {
	case !keep:
		b.WriteString("Connection: close\r\n")
	case !v11:
		b.WriteString("Connection: Keep-Alive\r\n")
	}
	b.WriteString("\r\n")
	return []byte(b.String()), keep
}

func digit(one bool) int {
	if one {
		return 1
	}
	return 0
}

// tokens are those of the answer's Pragma; an ordinary client gets no more than what the reply has.
func (v *visit) tokens(a reply) []string {
	if v.kind == "" {
		return a.tokens
	}
	list := append([]string{"no-cache"}, a.tokens...)
	e := v.session
	if e == nil || a.status >= http.StatusMultipleChoices {
		return list
	}
	list = append(list, "client-id="+strconv.FormatUint(uint64(e.id), 10))
	if e.hasFile() {
		list = append(list, fmt.Sprintf("features=%q", e.features()))
	}
	if v.reset {
		list = append(list, "xResetStrm=1")
	}
	if v.web.server.cfg.Playlist {
		list = append(list, "playlist-gen-id="+strconv.Itoa(e.entryNow()))
	}
	if t := v.web.server.cfg.Timeout; t >= time.Second {
		list = append(list, "timeout="+strconv.FormatInt(t.Milliseconds(), 10))
	}
	return list
}

// caching is Cache-Control. [MS-WMSP] 2.2.1.1; the size is that of the whole file.
func (v *visit) caching(a reply) string {
	if a.status >= http.StatusMultipleChoices || v.session == nil || !v.session.hasFile() {
		return "no-cache"
	}
	text := "no-cache, max-age=86399, user-public, must-revalidate, proxy-public, proxy-revalidate"
	if v.web.server.cfg.Playlist {
		return text + `, x-wms-stream-type="playlist"`
	}
	return text + fmt.Sprintf(", x-wms-content-size=%d", v.session.size())
}
