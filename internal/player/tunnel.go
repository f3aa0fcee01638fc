package player

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"sync"
	"time"
)

const (
	// tunnelType is the media type of both directions. Apple, "Tunnelling RTSP and RTP through HTTP" (QuickTime, dispatch
	// 28), as all of this file.
	tunnelType = "application/x-rtsp-tunnelled"
	// postLength is how much a POST promises to send, in bytes; then comes another one.
	postLength = 32767
)

// tunnel is RTSP in HTTP as one connection: what is read comes as the endless answer to a GET, what is written goes as
// base64 in the endless body of a POST, on a connection of its own. Both carry the same cookie.
type tunnel struct {
	net.Conn           // of the GET
	br       io.Reader // what follows the head of its answer
	open     func() (net.Conn, error)

	mu       sync.Mutex // guards what follows; a write holds it, which has a deadline
	post     net.Conn
	left     int // of postLength, of the POST that is open
	deadline time.Time
	closed   bool
}

// openTunnel asks for a tunnel to the path of an RTSP URL. Its port is that of HTTP, if the URL has none.
func (p *attempt) openTunnel(ctx context.Context, u *url.URL) (net.Conn, error) {
	web := *u
	web.Scheme = "http"
	host := p.o.address(&web)
	var secret [16]byte
	_, _ = rand.Read(secret[:]) // never fails
	head := func(method string, fields ...string) []byte {
		return tunnelHead(method, &web, base64.RawURLEncoding.EncodeToString(secret[:]), fields...)
	}
	get, err := p.dial(ctx, host)
	if err != nil {
		return nil, err
	}
	t := &tunnel{Conn: get}
	t.open = func() (net.Conn, error) {
		post, err := p.dial(ctx, host)
		if err != nil {
			return nil, err
		}
		err = post.SetWriteDeadline(time.Now().Add(answerTimeout))
		if err == nil {
			_, err = post.Write(head("POST", "Content-Type: "+tunnelType, "Content-Length: "+strconv.Itoa(postLength),
				"Expires: Sun, 9 Jan 1972 00:00:00 GMT"))
		}
		if err != nil {
			return nil, errors.Join(err, post.Close())
		}
		return post, nil
	}
	if err := t.begin(ctx, head("GET", "Accept: "+tunnelType)); err != nil {
		return nil, errors.Join(fmt.Errorf("player: open tunnel: %w", err), t.Close())
	}
	p.step("tunnel open")
	return t, nil
}

// tunnelHead is a request without its body.
func tunnelHead(method string, u *url.URL, cookie string, fields ...string) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s %s HTTP/1.0\r\nHost: %s\r\nUser-Agent: %s\r\nx-sessioncookie: %s\r\n", method, u.RequestURI(), u.Host,
		nsPlayerHTTP, cookie)
	for _, f := range append(fields, "Pragma: no-cache", "Cache-Control: no-cache") {
		b.WriteString(f + "\r\n")
	}
	b.WriteString("\r\n")
	return b.Bytes()
}

// begin sends the GET, waits for the head of its answer, and sends the first POST.
func (t *tunnel) begin(ctx context.Context, head []byte) error {
	defer context.AfterFunc(ctx, func() { _ = t.Conn.SetDeadline(time.Unix(1, 0)) })()
	if err := t.Conn.SetDeadline(time.Now().Add(answerTimeout)); err != nil {
		return err
	}
	if _, err := t.Conn.Write(head); err != nil {
		return err
	}
	limit := &io.LimitedReader{R: t.Conn, N: maxHTTPHead}
	br := bufio.NewReader(limit)
	res, err := http.ReadResponse(br, &http.Request{Method: "GET"})
	if err != nil {
		return noEOF(err)
	}
	if res.StatusCode != http.StatusOK {
		return errors.New(res.Status)
	}
	limit.N = math.MaxInt64
	t.br = br // whatever the answer says of its length: it has none
	if len(res.TransferEncoding) > 0 {
		t.br = res.Body
	}
	if t.post, err = t.open(); err != nil {
		return err
	}
	t.left = postLength
	return t.Conn.SetDeadline(time.Time{})
}

// Read reads what the origin says.
func (t *tunnel) Read(b []byte) (int, error) { return t.br.Read(b) }

// Write says something to the origin, base64 of its own with its padding. What no longer fits into the POST that is open
// goes into another one.
func (t *tunnel) Write(b []byte) (int, error) {
	const piece = postLength / 4 * 3
	t.mu.Lock()
	defer t.mu.Unlock()
	for done := 0; ; {
		part := b[done:min(len(b), done+piece)]
		text := base64.StdEncoding.EncodeToString(part)
		if err := t.room(len(text)); err != nil {
			return done, err
		}
		if _, err := io.WriteString(t.post, text); err != nil {
			return done, err
		}
		t.left -= len(text)
		if done += len(part); done == len(b) {
			return done, nil
		}
	}
}

// room sees to it that n more bytes fit into the POST, with mu held.
func (t *tunnel) room(n int) error {
	if t.closed {
		return net.ErrClosed
	}
	if n > t.left {
		_ = t.post.Close() // all of it has been written
		post, err := t.open()
		if err != nil {
			return err
		}
		t.post, t.left = post, postLength
	}
	return t.post.SetWriteDeadline(t.deadline)
}

// SetReadDeadline is that of the GET.
func (t *tunnel) SetReadDeadline(at time.Time) error { return t.Conn.SetReadDeadline(at) }

// SetWriteDeadline is that of the POST.
func (t *tunnel) SetWriteDeadline(at time.Time) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.deadline = at
	return nil
}

// SetDeadline is both.
func (t *tunnel) SetDeadline(at time.Time) error {
	return errors.Join(t.SetReadDeadline(at), t.SetWriteDeadline(at))
}

// Close closes both connections.
func (t *tunnel) Close() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.closed = true
	var err error
	if t.post != nil {
		err = t.post.Close()
		t.post = nil
	}
	return errors.Join(err, t.Conn.Close())
}
