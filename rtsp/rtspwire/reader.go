package rtspwire

import (
	"bytes"
	"io"
)

// Reader reads messages and interleaved frames from a stream. It keeps its own buffer and never looks further ahead
// than it must, so a message is returned as soon as its last byte arrived. After an error of the source that passes
// (a deadline), Read goes on where it stood. A Reader is not safe for use by several goroutines.
type Reader struct {
	stream
	lim     Limits
	head    head
	pending pending
	frame   Frame
	skipped uint64
	row     int   // garbage since the last message or frame
	dead    error // a Fatal error, given again at each Read
}

// NewReader returns a Reader of r. It reads nothing yet.
func NewReader(r io.Reader, lim Limits) *Reader {
	return &Reader{stream: stream{src: r}, lim: lim.withDefaults()}
}

// Read returns the next *Request, *Response or *Frame. A Frame is valid until the next Read. It returns io.EOF only
// where a message or frame could begin, else io.ErrUnexpectedEOF; a *SyntaxError or *TooLargeError for a message that
// was refused; and the errors of the source. After an error that is not Fatal the next Read goes on with the next
// message; a Fatal one stays.
func (r *Reader) Read() (Item, error) {
	for r.dead == nil {
		switch {
		case r.pending.active:
			return r.readBody()
		case r.head.kind != lineNone:
			if err := r.readHead(); err != nil {
				return nil, r.failed(err)
			}
		default:
			item, err := r.readStart()
			if item != nil || err != nil {
				return item, r.failed(err)
			}
		}
	}
	return nil, r.dead
}

// Skipped returns the number of garbage bytes skipped so far. Line ends between messages are not garbage.
func (r *Reader) Skipped() uint64 { return r.skipped }

// Rest returns a reader of all that follows the last item, for a connection that is handed on (an HTTP tunnel, whose
// Content-Length is no promise). The Reader must not be used after it.
func (r *Reader) Rest() io.Reader {
	if r.Buffered() == 0 {
		return r.src
	}
	return io.MultiReader(bytes.NewReader(bytes.Clone(r.data())), r.src)
}

// failed remembers a Fatal error.
func (r *Reader) failed(err error) error {
	switch e := err.(type) {
	case *SyntaxError:
		if e.Fatal {
			r.dead = err
		}
	case *TooLargeError:
		if e.Fatal {
			r.dead = err
		}
	}
	return err
}

// readStart goes by what the first byte says until a frame is whole or a start line has been found. It returns neither
// an item nor an error when the caller has to look again.
func (r *Reader) readStart() (Item, error) {
	if r.Buffered() == 0 {
		if err := r.fill(); err != nil {
			return nil, err
		}
	}
	switch c := r.data()[0]; {
	case c == '\r' || c == '\n':
		r.consume(1)
		return nil, nil
	case c == '$':
		return r.readFrame()
	case c == tlsHandshake && r.offset == 0:
		return nil, r.maybeTLS()
	case c <= ' ' || c >= 0x7f:
		return nil, r.garbage(1)
	}
	return nil, r.startLine()
}

// readFrame reads one interleaved frame (RFC 2326, section 10.12).
func (r *Reader) readFrame() (Item, error) {
	if err := r.need(frameHeader); err != nil {
		return nil, err
	}
	d := r.data()
	n := frameHeader + int(d[2])<<8 + int(d[3])
	if err := r.need(n); err != nil {
		return nil, err
	}
	d = r.data()
	r.frame = Frame{Channel: d[1], Payload: d[frameHeader:n:n], wire: d[:n]}
	r.consume(n)
	r.row = 0
	return &r.frame, nil
}

// tlsHandshake is the first byte of a ClientHello (RFC 8446, section 5.1); then come the versions 3.0 to 3.4.
const tlsHandshake = 0x16

// maybeTLS refuses a connection that begins with TLS: who waits for a ServerHello will never send a message.
func (r *Reader) maybeTLS() error {
	if err := r.need(3); err != nil {
		return err
	}
	if d := r.data(); d[1] == 3 && d[2] <= 4 {
		return &SyntaxError{Field: "TLS handshake", What: "this is no TLS port", Fatal: true}
	}
	return r.garbage(1)
}

// garbage skips n bytes that belong to nothing. Players do so too: what stands between frames is often the end of a
// body whose Content-Length was short.
func (r *Reader) garbage(n int) error {
	r.consume(n)
	r.skipped += uint64(n)
	if r.row += n; r.row > r.lim.Garbage {
		return &TooLargeError{What: "garbage", Limit: r.lim.Garbage, Fatal: true}
	}
	return nil
}
