package mms

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"mediagate/internal/capture"
	"mediagate/mms/mmswire"
	"mediagate/udprelay"
)

// The sides, as udprelay names them.
const (
	sideClient = udprelay.Client
	sideOrigin = udprelay.Origin
)

// peer is one TCP connection of a session, the client's or an origin's, with the goroutine that reads it (its pump).
//
// The pump reads a message, hands it to the session's owner and waits until the owner has dealt with it: nothing
// overtakes a message, and an owner that is busy stops the reading, so that TCP slows the sender down. Data packets do
// not pass through the owner at all: the origin's pump writes them to the client itself.
type peer struct {
	side   udprelay.Side
	conn   net.Conn
	tap    *capture.Conn
	reader *mmswire.Reader
	pace   paceReader
	out    writer
	owner  *session
	done   chan struct{} // closed when the pump has returned
}

// event is what a pump tells the owner: a message read, or the error that ended the reading.
type event struct {
	peer *peer
	msg  mmswire.Raw
	sent uint64 // timeSent of its packet, milliseconds
	err  error
	done chan struct{} // the owner closes it: the pump may read on
}

func newPeer(side udprelay.Side, conn net.Conn, s *session) *peer {
	cfg := &s.proxy.cfg
	p := &peer{side: side, conn: conn, owner: s, done: make(chan struct{})}
	p.tap = s.tap.Connect(capture.Side(side), addrPortOf(conn.LocalAddr()), addrPortOf(conn.RemoteAddr()))
	p.pace = paceReader{conn: conn, tap: p.tap, limit: cfg.Timeouts.Message}
	if side == sideClient {
		p.pace.greeting = &greeting{}
	}
	p.out = writer{conn: conn, timeout: cfg.Timeouts.Write, tap: p.tap, began: time.Now()}
	p.reader = mmswire.NewReader(&p.pace, cfg.Limits)
	p.pace.inMessage = p.reader.InMessage
	// The owner may itself wait for a side that does not read when the gateway is told to end.
	context.AfterFunc(s.ctx, func() { p.out.hurry(byeTimeout) })
	return p
}

// start runs the pump; wait on p.done for its end, which closing p.conn brings about.
func (p *peer) start() { p.owner.proxy.wg.Go(p.run) }

func (p *peer) run() {
	defer close(p.done)
	defer func() {
		if v := recover(); v != nil {
			p.deliver(event{peer: p, err: &panicError{value: v, stack: debug.Stack()}})
		}
	}()
	for {
		item, err := p.reader.Read()
		p.pace.next()
		if err == nil {
			err = p.take(item)
		}
		if err != nil {
			if !errors.Is(err, errOwnerGone) {
				p.deliver(event{peer: p, err: err})
			}
			return
		}
	}
}

// errOwnerGone ends a pump whose session has ended.
var errOwnerGone = errors.New("mms: deliver message: session has ended")

// take passes an item on: Data to the other side, messages one by one to the owner ([MS-MMSP] 2.2.3: one TcpMessageHeader
// may carry several, and none).
func (p *peer) take(item mmswire.Item) error {
	switch it := item.(type) {
	case *mmswire.Data:
		return p.owner.relayData(p, it)
	case *mmswire.Packet:
		for _, m := range it.Messages {
			p.see(m, it)
			if !p.deliver(event{peer: p, msg: m, sent: it.TimeSent}) {
				return errOwnerGone
			}
		}
	}
	return nil
}

// deliver hands ev to the owner and waits until it is dealt with. It reports false when there is no owner any more.
func (p *peer) deliver(ev event) bool {
	ev.done = make(chan struct{})
	select {
	case p.owner.events <- ev:
		select {
		case <-ev.done:
			return true
		case <-p.owner.gone:
			return false
		}
	case <-p.owner.gone:
		return false
	}
}

// panicError is a panic of a session's goroutine: it ends that session, not the process.
type panicError struct {
	value any
	stack []byte
}

func (e *panicError) Error() string { return fmt.Sprintf("mms: run session: panic: %v", e.value) }

// paceReader bounds how long one message may take to arrive (Timeouts.Message), and lets a quiet connection be quiet:
// between messages only the owner's timers count.
type paceReader struct {
	conn      net.Conn
	tap       *capture.Conn
	limit     time.Duration
	inMessage func() bool // set once before use: the wire reader has begun a message
	armed     bool        // the pump's: a deadline is set
	fresh     bool        // the pump's: a message has been read since it was set
	greeting  *greeting   // the pump's; nil: an origin's
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
		n, err := r.conn.Read(b)
		r.n.Add(uint64(n))
		r.tap.Read(b[:n])
		if err := r.greeting.hear(b[:n]); err != nil {
			return 0, err
		}
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
var errStopped = errors.New("mms: read: stopped")

// stop ends the pump without closing the connection. The flag comes before the deadline: a pump that has not seen the
// flag meets the deadline.
func (p *peer) stop() {
	p.pace.stopped.Store(true)
	_ = p.conn.SetReadDeadline(time.Now()) // a closed connection has ended the pump anyway
	<-p.done
}

// writer writes each message, and each Data packet, with one system call of its own. Observed: VLC 3.0 and MPlayer 1.5
// take a message that comes in pieces, or two in one segment, for an error (players.md of the design, MMS). Its lock
// is held for one write, which is bounded by timeout.
type writer struct {
	conn    net.Conn
	timeout time.Duration
	tap     *capture.Conn
	began   time.Time
	n       atomic.Uint64
	last    atomic.Int64 // not 0: the timeout of the last words

	mu  sync.Mutex // guards what follows and the order on the wire
	seq uint16     // [MS-MMSP] 2.2.3: counts the packets of this connection, from 0
	buf []byte
	err error // the first error; everything after it fails alike
}

// errStalled is a side that took nothing for Timeouts.Write.
var errStalled = errors.New("mms: write: the other side does not read")

// message writes one message in a TcpMessageHeader of its own. A sent of 0 is replaced by our own clock.
func (w *writer) message(m mmswire.Raw, sent uint64) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if sent == 0 && w.seq != 0 {
		sent = uint64(time.Since(w.began).Milliseconds())
	}
	w.buf = mmswire.AppendPacket(w.buf[:0], w.seq, sent, m)
	w.see(m, sent)
	w.seq++
	return w.writeLocked(w.buf)
}

// data writes one Data packet as it came.
func (w *writer) data(b []byte) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.writeLocked(b)
}

// hurry bounds what is still written, also a write that waits now: the connection is about to be closed. The flag comes
// before the deadline: a write that has not seen the flag meets the deadline.
func (w *writer) hurry(d time.Duration) {
	w.last.Store(int64(d))
	_ = w.conn.SetWriteDeadline(time.Now().Add(d)) // a closed connection fails its writes anyway
}

func (w *writer) writeLocked(b []byte) error {
	if w.err != nil {
		return w.err
	}
	_ = w.conn.SetWriteDeadline(time.Now().Add(w.timeout)) // a closed connection is seen by the Write below
	if d := w.last.Load(); d != 0 {
		_ = w.conn.SetWriteDeadline(time.Now().Add(time.Duration(d)))
	}
	w.tap.Wrote(b) // before the answer to it can be there
	n, err := w.conn.Write(b)
	w.n.Add(uint64(n))
	if errors.Is(err, os.ErrDeadlineExceeded) {
		err = errStalled
	}
	w.err = err
	return err
}
