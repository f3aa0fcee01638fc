package rtspwire

import "io"

// Reader reads messages and interleaved frames from a stream.
type Reader struct {
	src io.Reader
	lim Limits
}

// NewReader returns a Reader of r.
func NewReader(r io.Reader, lim Limits) *Reader { return &Reader{src: r, lim: lim.withDefaults()} }

// Read returns the next item. It returns io.EOF only where a message or frame could begin, else io.ErrUnexpectedEOF.
// After an error that is not Fatal the next Read goes on with the next message.
func (r *Reader) Read() (Item, error) { return nil, io.EOF }

// Skipped returns the number of garbage bytes skipped so far.
func (r *Reader) Skipped() uint64 { return 0 }

// Buffered returns the number of bytes that were received and are not read yet.
func (r *Reader) Buffered() int { return 0 }

// Rest returns a reader of all that follows the last item, for a connection that is handed on (an HTTP tunnel). The
// Reader must not be used after it.
func (r *Reader) Rest() io.Reader { return r.src }
