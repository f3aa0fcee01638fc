package origin

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"sync"
	"time"

	"go.uber.org/zap"
)

const (
	maxHead    = 32 << 10 // bytes of a request line and its fields
	maxBody    = 64 << 10 // bytes of a request's body
	maxPending = 32       // answers that wait for the end of a chunked one
	maxLinger  = 1 << 20  // bytes of a client that are passed over before its connection is closed
	lingerTime = 2 * time.Second
)

// errWebTooLarge tells of a request over maxHead or maxBody.
var errWebTooLarge = errors.New("origin: read request: too large")

// webConn is one HTTP connection. Its owner is the goroutine of serve, which reads and answers; media are sent by a task,
// a goroutine of its session.
type webConn struct {
	web    *web
	server *Server
	tcp    *net.TCPConn
	client netip.AddrPort
	limit  *io.LimitedReader
	br     *bufio.Reader

	// The owner's alone.
	session   *webSession // the one whose media came here last
	probing   time.Time   // the Pipeline-Test timer of [MS-WMSP] 3.2.2; zero: not running
	probed    bool        // Pipeline-Test-Started
	challenge string      // of connection-bound credentials
	proven    bool

	writing sync.Mutex // guards what follows and writes; held over one write, which has a deadline
	broken  bool
	chunked bool // an answer is being sent in chunks
	pending [][]byte
}

func newWebConn(w *web, tcp *net.TCPConn) *webConn {
	a := tcp.RemoteAddr().(*net.TCPAddr).AddrPort()
	c := &webConn{
		web: w, server: w.server, tcp: tcp, client: netip.AddrPortFrom(a.Addr().Unmap(), a.Port()),
		limit: &io.LimitedReader{R: tcp},
	}
	c.br = bufio.NewReaderSize(c.limit, 4096)
	return c
}

// serve reads and answers until the connection ends. [MS-WMSP] 3.2.7.1: what was sent into it ends with it.
func (c *webConn) serve() {
	defer c.web.forget(c)
	defer c.leave()
	defer c.close()
	wait := c.web.patience
	for {
		v, err := c.next(wait)
		if err != nil {
			c.server.log.Debug("http connection ended", zap.Stringer("client", c.client), zap.Error(err))
			if v != nil {
				c.linger()
			}
			return
		}
		if goOn := v.handle(); !goOn {
			c.linger()
			return
		}
		wait = c.server.cfg.Timeout
	}
}

// next waits for the first byte of a request, then reads all of it. With an error there is a visit if it was answered.
func (c *webConn) next(wait time.Duration) (*visit, error) {
	c.limit.N = maxHead
	if err := c.await(wait); err != nil {
		return nil, err
	}
	if err := c.tcp.SetReadDeadline(time.Now().Add(c.web.patience)); err != nil {
		return nil, err
	}
	req, err := http.ReadRequest(c.br)
	v := &visit{conn: c, web: c.web, req: req}
	switch {
	case c.limit.N == 0 && err != nil:
		v.refuse(http.StatusRequestHeaderFieldsTooLarge)
		return v, errWebTooLarge
	case errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) || errors.Is(err, os.ErrDeadlineExceeded):
		return nil, err
	case err != nil:
		v.refuse(http.StatusBadRequest)
		return v, fmt.Errorf("origin: read request: %w", err)
	}
	if req.Header.Get("Expect") == "100-continue" {
		if err := c.answer([]byte("HTTP/1.1 100 Continue\r\n\r\n")); err != nil {
			return nil, err
		}
	}
	c.limit.N = maxBody + maxHead
	v.body, err = io.ReadAll(io.LimitReader(req.Body, maxBody+1))
	if len(v.body) > maxBody {
		v.refuse(http.StatusRequestEntityTooLarge)
		return v, errWebTooLarge
	}
	if err != nil {
		v.refuse(http.StatusBadRequest)
		return v, fmt.Errorf("origin: read body: %w", err)
	}
	return v, nil
}

// await waits for the first byte of the next request: on and on while media are being sent into the connection, and
// over the end of a pipeline test. [MS-WMSP] 3.2.6.1.
func (c *webConn) await(wait time.Duration) error {
	for {
		until := time.Now().Add(wait)
		if !c.probing.IsZero() {
			until = c.probing
		}
		if err := c.tcp.SetReadDeadline(until); err != nil {
			return err
		}
		_, err := c.br.Peek(1)
		switch {
		case err == nil:
			return nil
		case !errors.Is(err, os.ErrDeadlineExceeded):
			return err
		case !c.probing.IsZero():
			c.probing = time.Time{}
			if err := c.finish(); err != nil {
				return err
			}
		case c.session == nil || !c.session.sendsTo(c):
			return err
		}
	}
}

// answer writes an answer, or keeps it until the chunked one that is being sent has ended. [MS-WMSP] 3.2.5.8 and 3.2.5.11.
func (c *webConn) answer(b []byte) error {
	c.writing.Lock()
	defer c.writing.Unlock()
	if !c.chunked {
		return c.writeLocked(b)
	}
	if len(c.pending) == maxPending {
		c.broken = true
		c.close()
		return net.ErrClosed
	}
	c.pending = append(c.pending, b)
	return nil
}

// begin writes the head of an answer without end, which is sent in chunks or until the connection is closed.
func (c *webConn) begin(head []byte, chunked bool) error {
	c.writing.Lock()
	defer c.writing.Unlock()
	c.chunked = chunked
	return c.writeLocked(head)
}

func (c *webConn) inChunks() bool {
	c.writing.Lock()
	defer c.writing.Unlock()
	return c.chunked
}

// media writes a piece of what begin has begun, in one write.
func (c *webConn) media(b []byte) error {
	c.writing.Lock()
	defer c.writing.Unlock()
	if c.chunked {
		b = append(append(fmt.Appendf(make([]byte, 0, len(b)+16), "%x\r\n", len(b)), b...), '\r', '\n')
	}
	return c.writeLocked(b)
}

// finish ends a chunked answer, if one is being sent, and writes those that have waited for that.
func (c *webConn) finish() error {
	c.writing.Lock()
	defer c.writing.Unlock()
	if !c.chunked {
		return nil
	}
	c.chunked = false
	err := c.writeLocked([]byte("0\r\n\r\n"))
	for _, b := range c.pending {
		err = errors.Join(err, c.writeLocked(b))
	}
	c.pending = nil
	return err
}

// writeLocked writes; after a fault the connection is closed.
func (c *webConn) writeLocked(b []byte) error {
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

// hangUp tells the client that nothing more will come, and has the owner wait no longer than a little for its end.
func (c *webConn) hangUp() {
	_ = c.tcp.CloseWrite() // a connection that has ended already
	_ = c.tcp.SetReadDeadline(time.Now().Add(lingerTime))
}

// linger lets the client read what was written: closing with unread bytes would reset the connection.
func (c *webConn) linger() {
	c.hangUp()
	_, _ = io.Copy(io.Discard, io.LimitReader(c.tcp, maxLinger)) // until the client has closed too, or the time is up
}

// drain passes over what a client sends while an answer without chunks is being sent, until one of the two ends. Whoever
// calls it has seen to it that there is no read deadline.
func (c *webConn) drain() { _, _ = io.Copy(io.Discard, c.tcp) }

// leave ends what is being sent into the connection.
func (c *webConn) leave() {
	if c.session != nil && c.session.sendsTo(c) {
		c.session.halt(nil)
	}
}

// close ends the connection. The error is of a socket that nobody will use again.
func (c *webConn) close() { _ = c.tcp.Close() }
