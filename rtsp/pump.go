package rtsp

import (
	"errors"
	"fmt"
	"net"
	"os"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"mediagate/internal/capture"
	"mediagate/rtsp/rtspwire"
	"mediagate/udprelay"
)

// peer is one TCP connection of a session, the client's or the origin's, with the goroutine that reads it (its pump).
//
// The pump reads a message, hands it to the session's owner and waits until the owner has dealt with it: nothing
// overtakes a message, and an owner that is busy stops the reading, so that TCP slows the sender down. Interleaved
// frames do not pass through the owner at all: the pump writes them to the other side itself.
type peer struct {
	side   udprelay.Side
	conn   net.Conn
	tap    *capture.Conn
	reader *rtspwire.Reader
	pace   paceReader
	out    writer
	batch  batch // the pump's
	// owner is the session that hears of this peer's messages. It changes once at the most, when a player comes back on a
	// new connection and the session that it left takes the connection over.
	owner atomic.Pointer[session]
	done  chan struct{} // closed when the pump has returned

	http    bool // it was said to be a tunnel's; set before start
	strikes int  // malformed messages it sent; its owner's
}

// event is what a pump tells the owner: an item read, or the error that ended (or, not fatal, disturbed) the reading.
type event struct {
	peer   *peer
	item   rtspwire.Item
	tunnel *tunnelRequest // the connection begins with it
	err    error
	done   chan struct{} // the owner closes it: the pump may read on
}

func newPeer(side udprelay.Side, conn net.Conn, s *session) *peer {
	cfg := &s.proxy.cfg
	p := &peer{side: side, conn: conn, done: make(chan struct{})}
	p.tap = s.tap.Connect(capture.Side(side), addrPortOf(conn.LocalAddr()), addrPortOf(conn.RemoteAddr()))
	p.pace = paceReader{conn: conn, tap: p.tap, limit: cfg.Timeouts.Message}
	p.out = writer{conn: conn, timeout: cfg.Timeouts.Write, tap: p.tap}
	p.reader = rtspwire.NewReader(&p.pace, cfg.Limits)
	p.pace.inMessage = p.reader.InMessage
	return p
}

// start runs the pump; wait on p.done for its end, which closing p.conn brings about.
func (p *peer) start(s *session) {
	p.owner.Store(s)
	s.proxy.wg.Go(p.run)
}

func (p *peer) run() {
	defer close(p.done)
	defer func() {
		if v := recover(); v != nil {
			p.deliver(event{peer: p, err: &panicError{value: v, stack: debug.Stack()}})
		}
	}()
	if p.side == sideClient && !p.meet() {
		return
	}
	for {
		item, err := p.reader.Read()
		err = withoutText(err)
		p.pace.next()
		if frame, ok := item.(*rtspwire.Frame); ok && err == nil {
			if err := p.relay(frame); err != nil {
				p.deliver(event{peer: p, err: err})
				return
			}
			continue
		}
		p.see(item)
		if !p.deliver(event{peer: p, item: item, err: err}) || (err != nil && isFatal(err)) {
			return
		}
	}
}

// relay passes a frame on, now or together with the next, which is there already.
func (p *peer) relay(f *rtspwire.Frame) error {
	owner := p.owner.Load()
	if err := owner.relayFrame(p, f); err != nil {
		return err
	}
	if p.reader.FrameReady() {
		return nil
	}
	return owner.pass(p)
}

// deliver hands ev to the owner and waits until it is dealt with. It reports false when there is no owner any more. When
// a session hands the connection over it ends, and the next owner is asked.
func (p *peer) deliver(ev event) bool {
	ev.done = make(chan struct{})
	for {
		owner := p.owner.Load()
		select {
		case owner.events <- ev:
			select {
			case <-ev.done:
				return true
			case <-owner.gone:
				return p.owner.Load() != owner
			}
		case <-owner.gone:
			if p.owner.Load() == owner {
				return false
			}
		}
	}
}

// isFatal says that nothing more can be read after err.
func isFatal(err error) bool {
	var syntax *rtspwire.SyntaxError
	if errors.As(err, &syntax) {
		return syntax.Fatal
	}
	var large *rtspwire.TooLargeError
	if errors.As(err, &large) {
		return large.Fatal
	}
	return true
}

// panicError is a panic of a session's goroutine: it ends that session, not the process.
type panicError struct {
	value any
	stack []byte
}

func (e *panicError) Error() string { return fmt.Sprintf("rtsp: run session: panic: %v", e.value) }

// paceReader bounds how long one message may take to arrive (Timeouts.Message), and lets a quiet connection be quiet:
// between messages only the owner's timers count.
type paceReader struct {
	conn      net.Conn
	tap       *capture.Conn
	limit     time.Duration
	inMessage func() bool // set once before use: the wire reader has begun a message
	armed     bool        // the pump's: a deadline is set
	fresh     bool        // the pump's: a message has been read since it was set
	ahead     []byte      // the pump's: read before the wire reader's time
	stopped   atomic.Bool
	n         atomic.Uint64
}

// Read implements io.Reader for the wire reader.
func (r *paceReader) Read(b []byte) (int, error) {
	for {
		if partial := r.inMessage(); partial != r.armed || (partial && r.fresh) {
			deadline := time.Time{}
			if partial {
				deadline = time.Now().Add(r.limit)
			}
			_ = r.conn.SetReadDeadline(deadline) // a closed connection is seen by the Read below
			r.armed, r.fresh = partial, false
		}
		if r.stopped.Load() {
			return 0, errStopped
		}
		if len(r.ahead) > 0 {
			n := copy(b, r.ahead)
			r.ahead = r.ahead[n:]
			r.n.Add(uint64(n))
			r.tap.Read(b[:n])
			return n, nil
		}
		n, err := r.conn.Read(b)
		r.n.Add(uint64(n))
		r.tap.Read(b[:n])
		if n == 0 && errors.Is(err, os.ErrDeadlineExceeded) && r.armed && !r.inMessage() {
			continue // the deadline was left from the message before
		}
		return n, err
	}
}

// next says that a message has been read: the one that follows has a time of its own, also when its first bytes came
// with the last of this one.
func (r *paceReader) next() { r.fresh = true }

// errStopped is what the pump reads after stop.
var errStopped = errors.New("rtsp: read: stopped")

// stop ends the pump without closing the connection. The flag comes before the deadline: a pump that has not seen the
// flag meets the deadline.
func (p *peer) stop() {
	p.pace.stopped.Store(true)
	_ = p.conn.SetReadDeadline(time.Now()) // a closed connection has ended the pump anyway
	<-p.done
}

// writer writes whole messages, one system call each, as players want a message in one piece (players.md), and whole
// frames, those that came together in one call. Its lock is held for one write, which is bounded by timeout: a frame is
// not cut by a message.
type writer struct {
	conn    net.Conn
	timeout time.Duration
	tap     *capture.Conn
	n       atomic.Uint64
	last    atomic.Int64 // not 0: the timeout of the last words

	mu  sync.Mutex // guards buf and the order on the wire
	buf []byte
	err error // the first error; everything after it fails alike
}

// errStalled is a side that took nothing for Timeouts.Write.
var errStalled = errors.New("rtsp: write: the other side does not read")

// keepBuffer is the largest write buffer that is kept between writes.
const keepBuffer = 128 << 10

// message writes what appendTo appends.
func (w *writer) message(appendTo func([]byte) []byte) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.buf = appendTo(w.buf[:0])
	w.tap.Sent(w.buf)
	_, err := w.writeLocked(w.buf, false)
	if cap(w.buf) > keepBuffer {
		w.buf = nil
	}
	return err
}

// hurry bounds what is still written, also a write that waits now: the connection is about to be closed. The flag comes
// before the deadline: a write that has not seen the flag meets the deadline.
func (w *writer) hurry(d time.Duration) {
	w.last.Store(int64(d))
	_ = w.conn.SetWriteDeadline(time.Now().Add(d)) // a closed connection fails its writes anyway
}

// writeLocked writes b; told says that the tap has heard of it.
func (w *writer) writeLocked(b []byte, told bool) (n int, err error) {
	if w.err != nil {
		return 0, w.err
	}
	_ = w.conn.SetWriteDeadline(time.Now().Add(w.timeout)) // a closed connection is seen by the Write below
	if d := w.last.Load(); d != 0 {
		_ = w.conn.SetWriteDeadline(time.Now().Add(time.Duration(d)))
	}
	if !told {
		w.tap.Wrote(b) // before the answer to it can be there
	}
	n, err = w.conn.Write(b)
	w.n.Add(uint64(n))
	if errors.Is(err, os.ErrDeadlineExceeded) {
		err = errStalled
	}
	w.err = err
	return n, err
}
