package player

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

const (
	// nsPlayerHTTP is what we call ourselves: from this version on a server may tell more. [MS-WMSP] 2.2.1.8.
	nsPlayerHTTP = nsPlayer
	// httpFeatures are the features of [MS-WMSP] 2.2.1.7 that we have.
	httpFeatures = "com.microsoft.wm.srvppair, com.microsoft.wm.sswitch, com.microsoft.wm.predstrm"
	// maxInterim is how many answers of the 100 class one request may have.
	maxInterim = 4
	// maxDrained is how much of an answer is passed over to use its connection again, in bytes.
	maxDrained = 64 << 10
)

var (
	errNoAnswer = errors.New("no answer in time")
	// errNotMedia tells that whoever answered does not speak [MS-WMSP].
	errNotMedia = errors.New("the server is none for Windows Media")
)

// httpConn is one connection.
type httpConn struct {
	net.Conn
	limit *io.LimitedReader
	br    *bufio.Reader
}

// request is one request of [MS-WMSP] 2.2.2.
type request struct {
	kind, method string
	pragma       []string // a field each
	contentType  string
	body         []byte
	last         bool // nothing more is sent on its connection
}

// connect opens a connection to the origin.
func (r *httpRun) connect(ctx context.Context) error {
	r.hangUp()
	c, err := r.dial(ctx, r.o.address(r.url))
	if err != nil {
		return err
	}
	limit := &io.LimitedReader{R: c}
	r.conn = &httpConn{Conn: c, limit: limit, br: bufio.NewReaderSize(limit, 64<<10)}
	return nil
}

// do sends a request on the connection that there is, or on a new one, and returns a good answer, whose body is the
// caller's. The origin is told once who we are if it asks, and again if it only wants another nonce. [MS-WMSP] 3.1.5.3.
func (r *httpRun) do(ctx context.Context, q request) (*http.Response, error) {
	res, err := r.exchange(ctx, q)
	for tries := 0; err == nil && res.StatusCode == http.StatusUnauthorized && r.user != nil && tries < 2; tries++ {
		if r.auth != nil && !stale(res) {
			break
		}
		r.settle(res)
		if r.auth, err = newHTTPAuth(res, r.user); err != nil {
			break
		}
		r.step("origin asks for credentials")
		res, err = r.exchange(ctx, q)
	}
	if err != nil {
		return nil, fmt.Errorf("player: %s: %w", q.kind, r.cause(ctx, err))
	}
	if err := r.judge(q, res); err != nil {
		r.settle(res)
		return nil, err
	}
	return res, nil
}

// judge reads the fields of an answer, and tells whether it is a good one.
func (r *httpRun) judge(q request, res *http.Response) error {
	if to, ok := redirected(res, r.url); ok {
		return &movedError{to: to}
	}
	server := res.Header.Get("Server")
	if server != "" {
		r.report.Server = server
	}
	if res.StatusCode >= 300 {
		return fmt.Errorf("player: %s %s: %s", q.kind, r.url, res.Status)
	}
	r.readPragma(q, res)
	// [MS-WMSP] 2.2.1.5. Observed: VLC calls itself "Cougar 4.1.0.3921".
	product, version, _ := strings.Cut(strings.ReplaceAll(server, " ", "/"), "/")
	if product != "Cougar" && product != "Rex" {
		return fmt.Errorf("player: %s %s: %w: it calls itself %q", q.kind, r.url, errNotMedia, server)
	}
	if major, _, _ := strings.Cut(version, "."); product == "Cougar" {
		r.cougar, _ = strconv.Atoi(major) // what is no number is old
	}
	if list := res.Header.Values("Supported"); len(list) > 0 {
		r.switches = strings.Contains(strings.Join(list, ","), "com.microsoft.wm.sswitch")
	}
	return nil
}

// redirected is where an answer sends us. [MS-WMSP] 3.1.5.5. Departs from it: 305 is not followed, RFC 9110, section
// 15.4.6 has done away with it.
func redirected(res *http.Response, from *url.URL) (*url.URL, bool) {
	if res.StatusCode < 300 || res.StatusCode > 308 || res.StatusCode == http.StatusUseProxy || res.StatusCode == http.StatusNotModified {
		return nil, false
	}
	to, err := from.Parse(res.Header.Get("Location"))
	if err != nil || to.Host == "" || res.Header.Get("Location") == "" || schemes[to.Scheme].protocol != "http" {
		return nil, false
	}
	to.Scheme, to.User = "http", nil
	return to, true
}

// readPragma takes what the origin tells us to remember. [MS-WMSP] 3.1.5.3.
func (r *httpRun) readPragma(q request, res *http.Response) {
	tokens := pragmaTokens(res.Header.Values("Pragma"))
	if id := tokens["client-id"]; id != "" {
		if tokens["xresetstrm"] == "1" && r.clientID != "" && id != r.clientID {
			r.step("%s: the origin has begun another session, %s after %s", q.kind, id, r.clientID)
		}
		r.clientID, r.report.Session = id, id
	}
	if id := tokens["playlist-gen-id"]; id != "" {
		r.entryID = id
	}
	if ms, err := strconv.ParseUint(tokens["timeout"], 10, 32); err == nil && ms > 0 {
		r.timeout = time.Duration(ms) * time.Millisecond
	}
}

// pragmaTokens are the tokens of fields, names in lower case. [MS-WMSP] 2.2.1.4.
func pragmaTokens(fields []string) map[string]string {
	tokens := map[string]string{}
	for _, field := range fields {
		quoted := false
		for _, token := range strings.FieldsFunc(field, func(c rune) bool {
			quoted = quoted != (c == '"')
			return c == ',' && !quoted
		}) {
			name, value, _ := strings.Cut(token, "=")
			tokens[strings.ToLower(strings.TrimSpace(name))] = strings.Trim(strings.TrimSpace(value), `"`)
		}
	}
	return tokens
}

// exchange sends a request and reads the head of its answer. A connection that was kept may have ended meanwhile: then
// a new one is taken.
func (r *httpRun) exchange(ctx context.Context, q request) (*http.Response, error) {
	if r.conn != nil {
		res, err := r.conn.exchange(ctx, r.build(q))
		if err == nil || ctx.Err() != nil || errors.Is(err, errNoAnswer) {
			return res, err
		}
	}
	if err := r.connect(ctx); err != nil {
		return nil, err
	}
	return r.conn.exchange(ctx, r.build(q))
}

// build makes the request with the fields that all have. [MS-WMSP] 3.1.5.1.
func (r *httpRun) build(q request) *http.Request {
	u := *r.url
	req := &http.Request{
		Method: q.method, URL: &u, Host: u.Host, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Close: q.last,
		Header: http.Header{
			"Accept": {"*/*"}, "User-Agent": {nsPlayerHTTP}, "Supported": {httpFeatures},
			"X-Accept-Authentication": {"Digest, Basic"}, "Pragma": append([]string(nil), q.pragma...),
		},
	}
	if r.clientID != "" {
		req.Header.Add("Pragma", "client-id="+r.clientID)
	}
	req.Header.Add("Pragma", "xClientGUID={"+r.guid+"}")
	if q.method == http.MethodPost {
		req.ContentLength = int64(len(q.body))
		req.Body = io.NopCloser(bytes.NewReader(q.body))
	}
	if q.contentType != "" {
		req.Header.Set("Content-Type", q.contentType)
	}
	if r.auth != nil {
		r.auth.sign(req)
	}
	return req
}

// exchange writes a request and reads the head of its answer. It ends with ctx; what is read after it has no deadline.
func (c *httpConn) exchange(ctx context.Context, req *http.Request) (*http.Response, error) {
	stop := context.AfterFunc(ctx, func() { _ = c.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	if err := c.SetDeadline(time.Now().Add(answerTimeout)); err != nil {
		return nil, err
	}
	var b bytes.Buffer
	if err := req.Write(&b); err != nil {
		return nil, err
	}
	if _, err := c.Write(b.Bytes()); err != nil {
		return nil, err
	}
	for range maxInterim {
		c.limit.N = maxHTTPHead
		res, err := http.ReadResponse(c.br, req)
		var timeout net.Error
		if errors.As(err, &timeout) && timeout.Timeout() {
			err = errNoAnswer
		}
		if err != nil {
			return nil, noEOF(err)
		}
		c.limit.N = math.MaxInt64
		if res.StatusCode >= 200 {
			return res, c.SetDeadline(time.Time{})
		}
	}
	return nil, errors.New("too many answers of the 100 class")
}

// settle ends an answer that has been read: its connection is kept for another request if it can take one.
func (r *httpRun) settle(res *http.Response) {
	if r.conn == nil {
		return
	}
	_ = r.conn.SetReadDeadline(time.Now().Add(answerTimeout)) // fails with the read
	_, err := io.CopyN(io.Discard, res.Body, maxDrained)
	if res.Close || res.ContentLength < 0 && len(res.TransferEncoding) == 0 || !errors.Is(err, io.EOF) {
		r.hangUp()
	}
}

// cause is why something failed: what ended ctx, if that is over.
func (r *httpRun) cause(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}
