package origin

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/bluenviron/gortsplib/v4/pkg/base"
	"go.uber.org/zap"
)

// writeTimeout is how long a client may take nothing of what is sent to it.
const writeTimeout = 10 * time.Second

// maxLine is the longest request line.
const maxLine = 8192

// errVersion tells of a message that is not RTSP/1.0.
var errVersion = errors.New("origin: read request: not RTSP/1.0")

// conn is one RTSP connection.
type conn struct {
	server *Server
	tcp    *net.TCPConn
	client netip.AddrPort
	local  netip.Addr
	br     *bufio.Reader

	mu     sync.Mutex // guards writing and what follows
	cseq   int        // of our own requests
	asked  map[string]string
	broken bool
}

func newConn(s *Server, tcp *net.TCPConn) *conn {
	a := tcp.RemoteAddr().(*net.TCPAddr).AddrPort()
	return &conn{
		server: s, tcp: tcp, client: netip.AddrPortFrom(a.Addr().Unmap(), a.Port()),
		local: tcp.LocalAddr().(*net.TCPAddr).AddrPort().Addr().Unmap(),
		br:    bufio.NewReaderSize(tcp, maxLine), asked: map[string]string{},
	}
}

// serve reads until the connection ends. Its sessions over UDP live on until they time out.
func (c *conn) serve() {
	defer c.server.forget(c)
	defer c.close()
	for {
		if err := c.next(); err != nil {
			c.server.log.Debug("connection ended", zap.Stringer("client", c.client), zap.Error(err))
			return
		}
	}
}

// next reads and handles one message or frame.
func (c *conn) next() error {
	b, err := c.br.Peek(1)
	if err != nil {
		return err
	}
	switch {
	case b[0] == base.InterleavedFrameMagicByte:
		var f base.InterleavedFrame // RTCP of a client: there is no resending over TCP
		return f.Unmarshal(c.br)
	case b[0] == '\r' || b[0] == '\n':
		_, err = c.br.Discard(1)
		return err
	}
	line, err := c.peekLine()
	if err != nil {
		return err
	}
	if strings.HasPrefix(line, "RTSP/") {
		return c.response()
	}
	return c.request(line)
}

// peekLine is the line that comes next, still to be read.
func (c *conn) peekLine() (string, error) {
	for n := 1; n <= maxLine; n = c.br.Buffered() + 1 {
		if _, err := c.br.Peek(n); err != nil {
			return "", err
		}
		b, _ := c.br.Peek(c.br.Buffered()) // it is there
		if end := bytes.IndexByte(b, '\n'); end >= 0 {
			return strings.TrimRight(string(b[:end]), "\r"), nil
		}
		if len(b) == maxLine {
			break
		}
	}
	return "", fmt.Errorf("origin: read request: line of more than %d bytes", maxLine)
}

// request reads and answers one request. After one that cannot be read the connection ends.
func (c *conn) request(line string) error {
	var req base.Request
	words := strings.Fields(line)
	if len(words) != 3 || !strings.HasPrefix(words[2], "RTSP/") {
		return c.refuse(&req, base.StatusBadRequest, fmt.Errorf("origin: read request: %q", line))
	}
	if err := req.Unmarshal(c.br); err != nil {
		if words[2] != "RTSP/1.0" {
			return c.refuse(&req, base.StatusRTSPVersionNotSupported, errVersion)
		}
		return c.refuse(&req, base.StatusBadRequest, err)
	}
	if err := c.skipBody(req.Header["Content-Length"]); err != nil {
		return c.refuse(&req, base.StatusBadRequest, err)
	}
	entry := requestOf(c.client, string(req.Method), words[1], req.Header, req.Body)
	res, after := c.handle(&req, words[1])
	entry.Status = int(res.StatusCode)
	c.server.seen.request(entry)
	if err := c.respond(&req, res); err != nil {
		return err
	}
	if after != nil {
		return after()
	}
	return nil
}

// refuse answers what could not be read, and returns why.
func (c *conn) refuse(req *base.Request, code base.StatusCode, why error) error {
	return errors.Join(why, c.respond(req, &base.Response{StatusCode: code}))
}

// skipBody passes over the body of a request with two lengths, which gortsplib takes for one without a body. Observed:
// GStreamer sends the end of stream back with our length and its own, which is the greater and true.
func (c *conn) skipBody(lengths base.HeaderValue) error {
	if len(lengths) < 2 {
		return nil
	}
	size := 0
	for _, v := range lengths {
		n, err := strconv.ParseUint(v, 10, 12)
		if err != nil {
			return fmt.Errorf("origin: read request: content length %q", v)
		}
		size = max(size, int(n))
	}
	_, err := c.br.Discard(size)
	return err
}

// response takes a client's answer to a request of ours.
func (c *conn) response() error {
	var res base.Response
	if err := res.Unmarshal(c.br); err != nil {
		return err
	}
	entry := requestOf(c.client, "", "", res.Header, res.Body)
	entry.Status = int(res.StatusCode)
	c.server.seen.request(entry)
	c.mu.Lock()
	what, known := c.asked[first(res.Header, "CSeq")]
	if !known && len(c.asked) == 1 { // Observed: FFmpeg's 501 has no CSeq
		for _, what = range c.asked {
		}
	}
	c.mu.Unlock()
	if what == lastEnd && res.StatusCode >= 400 {
		// Departs from [MS-RTSP] 3.2.5.13: the status should be ignored. But a client that does not know the end of
		// a stream waits for ever (FFmpeg), or until its session times out.
		return fmt.Errorf("origin: end of stream: client answered %d", res.StatusCode)
	}
	return nil
}

// respond writes a response. [MS-RTSP] 3.2.5.2.
func (c *conn) respond(req *base.Request, res *base.Response) error {
	if res.Header == nil {
		res.Header = base.Header{}
	}
	if v := first(req.Header, "CSeq"); v != "" {
		res.Header["CSeq"] = base.HeaderValue{v}
	}
	res.Header["Server"] = base.HeaderValue{serverName}
	res.Header["Date"] = base.HeaderValue{time.Now().UTC().Format("Mon, 02 Jan 2006 15:04:05 GMT")}
	if first(req.Header, "Supported") != "" {
		res.Header["Supported"] = base.HeaderValue{supported}
	}
	b, err := res.Marshal()
	if err != nil {
		return err
	}
	return c.write(b)
}

// ask sends a request of ours; what tells its answer apart from others'.
func (c *conn) ask(method base.Method, rawURL, what string, h base.Header, body []byte) error {
	c.mu.Lock()
	c.cseq++
	h["CSeq"] = base.HeaderValue{strconv.Itoa(c.cseq)}
	c.asked[strconv.Itoa(c.cseq)] = what
	c.mu.Unlock()
	h["User-Agent"] = base.HeaderValue{serverName}
	h["Content-Length"] = base.HeaderValue{strconv.Itoa(len(body))}
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s %s RTSP/1.0\r\n", method, rawURL)
	for name, values := range h {
		for _, v := range values {
			fmt.Fprintf(&b, "%s: %s\r\n", name, v)
		}
	}
	b.WriteString("\r\n")
	b.Write(body)
	return c.write(b.Bytes())
}

// frame sends an interleaved frame. RFC 2326, section 10.12.
func (c *conn) frame(channel uint8, packet []byte) error {
	f := base.InterleavedFrame{Channel: int(channel), Payload: packet}
	b, err := f.Marshal()
	if err != nil {
		return err
	}
	return c.write(b)
}

// write writes whole messages, one at a time; after a fault the connection is closed.
func (c *conn) write(b []byte) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.broken {
		return net.ErrClosed
	}
	err := c.tcp.SetWriteDeadline(time.Now().Add(writeTimeout))
	if err == nil {
		_, err = c.tcp.Write(b)
	}
	if err != nil {
		c.broken = true
		c.close()
	}
	return err
}

// close ends the connection. The error is of a socket that nobody will use again.
func (c *conn) close() { _ = c.tcp.Close() }
