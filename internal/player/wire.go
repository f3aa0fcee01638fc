package player

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/bluenviron/gortsplib/v4/pkg/auth"
	"github.com/bluenviron/gortsplib/v4/pkg/base"
)

// event is what a reader has read: one of the fields up to err is set, or packet.
type event struct {
	response *base.Response
	request  *base.Request
	err      error

	packet  []byte // RTP, or RTCP if control
	control bool
	channel int            // of an interleaved packet
	from    netip.AddrPort // of a packet over UDP
	pair    *pair
	at      time.Time
}

// offer hands an event to the owner; false means that the run is over.
func (r *run) offer(e event) bool {
	select {
	case r.events <- e:
		return true
	case <-r.done:
		return false
	}
}

// readTCP reads messages and frames until the connection ends.
func (r *run) readTCP(tcp net.Conn) {
	br := bufio.NewReaderSize(tcp, 64<<10)
	for {
		e := readItem(br)
		e.at = time.Now()
		if !r.offer(e) || e.err != nil {
			return
		}
	}
}

func readItem(br *bufio.Reader) (e event) {
	b, err := br.Peek(4)
	switch {
	case err != nil:
		e.err = err
	case b[0] == base.InterleavedFrameMagicByte:
		var f base.InterleavedFrame
		e.err = f.Unmarshal(br)
		e.packet, e.channel = f.Payload, f.Channel
	case string(b) == "RTSP":
		e.response = &base.Response{}
		e.err = e.response.Unmarshal(br)
	default:
		e.request = &base.Request{}
		e.err = e.request.Unmarshal(br)
	}
	return e
}

// do sends a request and waits for its answer; what else comes is handled meanwhile. Answers of 300 and more are
// errors, but 401 is answered once.
func (r *run) do(ctx context.Context, method base.Method, rawURL string, h base.Header, body []byte) (*base.Response, error) {
	res, err := r.exchange(ctx, method, rawURL, h, body)
	if err == nil && res.StatusCode == base.StatusUnauthorized && r.user != nil && r.digest == nil {
		password, _ := r.user.Password()
		r.digest = &auth.Sender{WWWAuth: res.Header["WWW-Authenticate"], User: r.user.Username(), Pass: password}
		if err = r.digest.Initialize(); err != nil {
			return nil, fmt.Errorf("player: %s: %w", strings.ToLower(string(method)), err)
		}
		r.step("origin asks for credentials")
		res, err = r.exchange(ctx, method, rawURL, h, body)
	}
	if err != nil {
		return nil, fmt.Errorf("player: %s: %w", strings.ToLower(string(method)), err)
	}
	if v := first(res.Header, "Server"); v != "" {
		r.report.Server = v
	}
	r.readSession(res)
	if res.StatusCode >= 300 {
		return res, fmt.Errorf("player: %s %s: %d %s", strings.ToLower(string(method)), rawURL, res.StatusCode, res.StatusMessage)
	}
	return res, nil
}

// readSession takes the session's id and timeout. RFC 2326, section 12.37.
func (r *run) readSession(res *base.Response) {
	parts := strings.Split(first(res.Header, "Session"), ";")
	if id := strings.TrimSpace(parts[0]); id != "" {
		r.session, r.report.Session = id, id
	}
	for _, p := range parts[1:] {
		if v, ok := strings.CutPrefix(strings.TrimSpace(p), "timeout="); ok {
			if n, err := strconv.Atoi(v); err == nil && n > 0 {
				r.timeout = time.Duration(n) * time.Second
			}
		}
	}
}

// exchange is one request and its answer.
func (r *run) exchange(ctx context.Context, method base.Method, rawURL string, h base.Header, body []byte) (*base.Response, error) {
	cseq, err := r.send(method, rawURL, h, body)
	if err != nil {
		return nil, err
	}
	timer := time.NewTimer(answerTimeout)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		case <-timer.C:
			return nil, errors.New("no answer in time")
		case e := <-r.events:
			if e.response != nil && e.err == nil && first(e.response.Header, "CSeq") == cseq {
				return e.response, nil
			}
			if err := r.handle(e); err != nil {
				return nil, err
			}
		}
	}
}

// send writes a request with the fields that all have. [MS-RTSP] 3.1.5.1.
func (r *run) send(method base.Method, rawURL string, h base.Header, body []byte) (cseq string, err error) {
	u, err := base.ParseURL(rawURL)
	if err != nil {
		return "", err
	}
	req := &base.Request{Method: method, URL: u, Header: base.Header{}, Body: body}
	for name, v := range h {
		req.Header[name] = v
	}
	r.cseq++
	cseq = strconv.Itoa(r.cseq)
	req.Header["CSeq"] = base.HeaderValue{cseq}
	req.Header["User-Agent"] = base.HeaderValue{r.agent}
	req.Header["Accept-Charset"] = base.HeaderValue{"UTF-8, *;q=0.1"}
	req.Header["X-Accept-Authentication"] = base.HeaderValue{"Digest, Basic"}
	if r.session != "" {
		req.Header["Session"] = base.HeaderValue{r.session}
	}
	if r.entry != "" && (method == base.Describe || method == base.Setup || method == base.Teardown || method == base.SetParameter) {
		req.Header["X-Playlist-Gen-Id"] = base.HeaderValue{r.entry}
	}
	if method == base.Describe || method == base.Setup || method == base.Play {
		req.Header["Supported"] = base.HeaderValue{supported}
	}
	if r.digest != nil {
		r.digest.AddAuthorization(req)
	}
	b, err := req.Marshal()
	if err != nil {
		return "", err
	}
	r.lastSent = time.Now()
	return cseq, r.write(b)
}

func (r *run) write(b []byte) error {
	if err := r.tcp.SetWriteDeadline(time.Now().Add(answerTimeout)); err != nil {
		return err
	}
	_, err := io.Copy(r.tcp, bytes.NewReader(b))
	return err
}

// respond answers a request of the origin.
func (r *run) respond(req *base.Request, code base.StatusCode) error {
	res := base.Response{StatusCode: code, Header: base.Header{"CSeq": req.Header["CSeq"]}}
	if r.session != "" {
		res.Header["Session"] = base.HeaderValue{r.session}
	}
	b, err := res.Marshal()
	if err != nil {
		return err
	}
	return r.write(b)
}

// first is the first value of a field, or empty.
func first(h base.Header, name string) string {
	if v := h[name]; len(v) > 0 {
		return v[0]
	}
	return ""
}
