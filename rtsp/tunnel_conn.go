package rtsp

import (
	"bytes"
	"errors"
	"io"
	"net"
	"net/http/httputil"
	"sync"
	"time"
)

const (
	// tunnelLinger is how long the POST is read on when the player has closed the GET: its TEARDOWN may be under way.
	tunnelLinger = time.Second
	// maxGetBody is what a player may send on its GET after the head, which nobody reads.
	maxGetBody = 64 << 10
	// postBuffer is what is read of a POST at once; requests are shorter.
	postBuffer = 4 << 10
)

// tunnelConn is a GET and the POSTs that join it, as one connection: written to the GET, read from one POST after the
// other. Deadlines of either direction hold whether a POST is there or not. Close ends the GET and the POST.
type tunnelConn struct {
	net.Conn // the GET
	table    *tunnels
	key      tunnelKey
	in       net.Conn      // a pipe: what the POSTs bring comes out here
	fill     net.Conn      // and goes in here
	wake     chan struct{} // capacity 1: look for a POST
	hung     chan struct{} // closed when the player has closed the GET
	done     chan struct{} // closed by Close
	once     sync.Once
	met      bool // a POST has joined; the table's

	mu    sync.Mutex // guards what follows
	post  net.Conn   // the one that is read
	ended bool
	cause error // why nothing more can be read
}

func newTunnelConn(get net.Conn, table *tunnels, key tunnelKey) *tunnelConn {
	t := &tunnelConn{
		Conn: get, table: table, key: key,
		wake: make(chan struct{}, 1), hung: make(chan struct{}), done: make(chan struct{}),
	}
	t.in, t.fill = net.Pipe()
	return t
}

// watch waits until the player closes the GET, on which it has nothing to say.
func (t *tunnelConn) watch() {
	var buf [512]byte
	for n := 0; n < maxGetBody; {
		k, err := t.Conn.Read(buf[:])
		if err != nil {
			break
		}
		n += k
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	close(t.hung)
	t.hurryLocked()
}

// hurryLocked bounds the reading of a POST whose GET is gone.
func (t *tunnelConn) hurryLocked() {
	if t.post != nil {
		_ = t.post.SetReadDeadline(time.Now().Add(tunnelLinger)) // a closed connection is seen by the read
	}
}

// feed reads POST after POST until the player has closed the GET, or Close.
func (t *tunnelConn) feed() {
	defer t.fill.Close() // the reader sees the end by it
	for p := t.next(); p != nil; p = t.next() {
		if err := t.pour(p); err != nil {
			t.mu.Lock()
			t.cause = err
			t.mu.Unlock()
			return
		}
	}
}

// next waits for a POST; nil: there will be none.
func (t *tunnelConn) next() *postHalf {
	for {
		if p := t.table.take(t); p != nil {
			return p
		}
		select {
		case <-t.wake:
		case <-t.hung:
			return t.table.take(t)
		case <-t.done:
			return nil
		}
	}
}

// pour decodes one POST to its end. How long it said it would be does not matter (Content-Length: 32767 is what players
// write there), and each has an encoding of its own. Its error is one of what the player sent.
func (t *tunnelConn) pour(p *postHalf) error {
	defer p.conn.Close() // the player has closed it, or nothing more is read from it
	if !t.hold(p.conn) {
		return nil
	}
	src := io.MultiReader(bytes.NewReader(p.rest), p.conn)
	if p.chunked {
		src = httputil.NewChunkedReader(src)
	}
	var d unbase64
	buf := make([]byte, postBuffer)
	for {
		n, err := src.Read(buf)
		n, bad := d.decode(buf[:n])
		if n > 0 {
			if _, err := t.fill.Write(buf[:n]); err != nil {
				return nil // closed
			}
		}
		if bad != nil {
			return bad
		}
		if err != nil {
			return nil
		}
	}
}

// hold notes the POST that is read, for Close and for watch; false: closed.
func (t *tunnelConn) hold(post net.Conn) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.ended {
		return false
	}
	t.post = post
	_ = post.SetReadDeadline(time.Time{}) // whoever read the head may have left one
	select {
	case <-t.hung:
		t.hurryLocked()
	default:
	}
	return true
}

// Read reads what the POSTs bring, decoded. io.EOF: the player has closed the GET.
func (t *tunnelConn) Read(b []byte) (int, error) {
	n, err := t.in.Read(b)
	if errors.Is(err, io.EOF) {
		t.mu.Lock()
		defer t.mu.Unlock()
		if t.cause != nil {
			return n, t.cause
		}
	}
	return n, err
}

// SetReadDeadline implements net.Conn.
func (t *tunnelConn) SetReadDeadline(at time.Time) error { return t.in.SetReadDeadline(at) }

// SetDeadline implements net.Conn.
func (t *tunnelConn) SetDeadline(at time.Time) error {
	return errors.Join(t.SetReadDeadline(at), t.SetWriteDeadline(at))
}

// CloseWrite ends what the player reads, if the GET's connection can.
func (t *tunnelConn) CloseWrite() error {
	half, ok := t.Conn.(interface{ CloseWrite() error })
	if !ok {
		return errors.ErrUnsupported
	}
	return half.CloseWrite()
}

// Close implements net.Conn.
func (t *tunnelConn) Close() error {
	err := net.ErrClosed
	t.once.Do(func() {
		t.table.leave(t)
		close(t.done)
		t.mu.Lock()
		t.ended = true
		post := t.post
		t.mu.Unlock()
		_, _ = t.in.Close(), t.fill.Close() // a pipe's ends close without error
		if post != nil {
			_ = post.Close() // closed before if it had come to its end
		}
		err = t.Conn.Close()
	})
	return err
}
