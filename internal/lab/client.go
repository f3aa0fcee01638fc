package lab

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/netip"
	"net/textproto"
	"strconv"
	"strings"
	"testing"
	"time"
)

// replyLimit bounds how long a Client waits if it is not told otherwise.
const replyLimit = 20 * time.Second

// Client is a hand-driven RTSP client for conversations that no player has. It
// writes what it is told to, byte for byte.
type Client struct {
	net.Conn
	Patience time.Duration // for one reply or frame; Dial sets 20 s

	t    testing.TB
	r    *bufio.Reader
	cseq int
}

// Reply is an RTSP response as it came.
type Reply struct {
	Status int
	Header textproto.MIMEHeader
	Body   []byte
}

// Session is the session id of the reply, without parameters.
func (r Reply) Session() string {
	id, _, _ := strings.Cut(r.Header.Get("Session"), ";")
	return id
}

// Dial connects a client until the end of the test.
func Dial(t testing.TB, at netip.AddrPort) *Client {
	t.Helper()
	conn, err := net.DialTimeout("tcp", at.String(), 5*time.Second)
	if err != nil {
		t.Fatalf("lab: dial %s: %v", at, err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return &Client{Conn: conn, Patience: replyLimit, t: t, r: bufio.NewReader(conn)}
}

// WriteText sends text as it is; lines must bring their "\r\n".
func (c *Client) WriteText(text string) {
	c.t.Helper()
	if _, err := io.WriteString(c.Conn, text); err != nil {
		c.t.Fatalf("lab: write %q: %v", text, err)
	}
}

// Do sends a request with the next CSeq and the fields ("Name: value") and
// waits for its reply; interleaved frames before it are thrown away.
func (c *Client) Do(method, url string, fields ...string) Reply {
	c.t.Helper()
	r, err := c.Try(method, url, fields...)
	if err != nil {
		c.t.Fatalf("lab: reply to %s: %v", method, err)
	}
	return r
}

// Try is Do with the error given back; empty fields are left out.
func (c *Client) Try(method, url string, fields ...string) (Reply, error) {
	c.cseq++
	text := fmt.Sprintf("%s %s RTSP/1.0\r\nCSeq: %d\r\n", method, url, c.cseq)
	for _, f := range fields {
		if f != "" {
			text += f + "\r\n"
		}
	}
	if _, err := io.WriteString(c.Conn, text+"\r\n"); err != nil {
		return Reply{}, err
	}
	return c.ReadReply()
}

// ReadReply reads the next response within Patience, throwing frames away.
func (c *Client) ReadReply() (Reply, error) {
	if err := c.SetReadDeadline(time.Now().Add(c.Patience)); err != nil {
		return Reply{}, err
	}
	for {
		first, err := c.r.Peek(1)
		if err != nil {
			return Reply{}, err
		}
		if first[0] != '$' {
			break
		}
		if _, err := readFrame(c.r); err != nil {
			return Reply{}, err
		}
	}
	return readReply(c.r)
}

// ReadFrame reads the next interleaved frame within Patience; replies before it
// are thrown away.
func (c *Client) ReadFrame() (payload []byte, err error) {
	if err := c.SetReadDeadline(time.Now().Add(c.Patience)); err != nil {
		return nil, err
	}
	for {
		first, err := c.r.Peek(1)
		if err != nil {
			return nil, err
		}
		if first[0] == '$' {
			return readFrame(c.r)
		}
		if _, err := readReply(c.r); err != nil {
			return nil, err
		}
	}
}

// WaitClose reads until the other side closes and says how long that took; it
// fails the test if it is still open after within.
func (c *Client) WaitClose(within time.Duration) time.Duration {
	c.t.Helper()
	start := time.Now()
	if err := c.SetReadDeadline(start.Add(within)); err != nil {
		c.t.Fatalf("lab: set deadline: %v", err)
	}
	_, err := io.Copy(io.Discard, c.r)
	if e, ok := err.(net.Error); ok && e.Timeout() {
		c.t.Fatalf("lab: the connection is still open after %v", within)
	}
	return time.Since(start)
}

// readReply reads one response with its body.
func readReply(r *bufio.Reader) (Reply, error) {
	tr := textproto.NewReader(r)
	line, err := tr.ReadLine()
	if err != nil {
		return Reply{}, err
	}
	f := strings.SplitN(line, " ", 3)
	if len(f) < 2 || !strings.HasPrefix(f[0], "RTSP/") {
		return Reply{}, fmt.Errorf("no status line: %q", line)
	}
	status, err := strconv.Atoi(f[1])
	if err != nil {
		return Reply{}, fmt.Errorf("no status line: %q", line)
	}
	header, err := tr.ReadMIMEHeader()
	if err != nil {
		return Reply{}, err
	}
	body, err := readBody(r, header)
	return Reply{Status: status, Header: header, Body: body}, err
}

// readBody reads as many bytes as Content-Length says, at most 1 MiB.
func readBody(r *bufio.Reader, header textproto.MIMEHeader) ([]byte, error) {
	text := header.Get("Content-Length")
	if text == "" {
		return nil, nil
	}
	n, err := strconv.ParseUint(text, 10, 20)
	if err != nil {
		return nil, err
	}
	body := make([]byte, n)
	_, err = io.ReadFull(r, body)
	return body, err
}

// readFrame reads an interleaved frame (RFC 2326, section 10.12) whose '$' is
// next, and gives its payload.
func readFrame(r *bufio.Reader) ([]byte, error) {
	var head [4]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return nil, err
	}
	payload := make([]byte, int(head[2])<<8|int(head[3]))
	_, err := io.ReadFull(r, payload)
	return payload, err
}
