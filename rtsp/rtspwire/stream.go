package rtspwire

import "io"

const (
	bufferMin  = 4 << 10   // what a quiet connection holds
	bufferBusy = 32 << 10  // what a connection gets whose reads come full: fewer reads, and writes, for interleaved media
	bufferKeep = 128 << 10 // a larger one was needed for a large head and is given back
	emptyReads = 100       // reads without bytes and without error before the source is given up
)

// stream is a source and the bytes received from it that are not consumed yet: buf[pos:end].
type stream struct {
	src      io.Reader
	buf      []byte
	pos, end int
	offset   int64 // bytes consumed so far
	full     bool  // the last read filled the buffer
	late     error // came together with bytes, not reported yet
}

// Buffered returns the number of bytes that were received and are not read yet.
func (s *stream) Buffered() int { return s.end - s.pos }

func (s *stream) data() []byte { return s.buf[s.pos:s.end] }

func (s *stream) consume(n int) {
	s.pos += n
	s.offset += int64(n)
}

// need waits until n bytes are there. Its io.EOF is unexpected.
func (s *stream) need(n int) error {
	for s.Buffered() < n {
		if err := s.fill(); err != nil {
			return unexpected(err)
		}
	}
	return nil
}

// fill waits for at least one byte more. The buffer doubles only when it is full of bytes that did arrive.
func (s *stream) fill() error {
	if err := s.late; err != nil {
		s.late = nil
		return err
	}
	s.makeRoom()
	for range emptyReads {
		n, err := s.src.Read(s.buf[s.end:])
		if n > 0 {
			s.full = n == len(s.buf)-s.end
			s.end += n
			s.late = err
			return nil
		}
		if err != nil {
			return err
		}
	}
	return io.ErrNoProgress
}

// makeRoom moves what is there to the front, which is at most the beginning of one item and so little: a read into what
// is left behind it would be short.
func (s *stream) makeRoom() {
	used := s.Buffered()
	size := len(s.buf)
	switch {
	case used == 0 && (size == 0 || size > bufferKeep):
		size = bufferMin
	case s.full && s.end == len(s.buf) && size < bufferBusy:
		size *= 2
	case used > size/2 && s.end == size:
		size *= 2
	case used > 0 && s.pos == 0 && s.end < size:
		return
	}
	if size == len(s.buf) {
		copy(s.buf, s.data())
	} else {
		b := make([]byte, size)
		copy(b, s.data())
		s.buf = b
	}
	s.pos, s.end = 0, used
}

// unexpected is err where the stream may not end.
func unexpected(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}
