package decode

import (
	"bufio"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"time"
)

// ErrFormat is an input that is no capture file, or of a kind that is not read.
var ErrFormat = errors.New("decode: read file: not a pcap or pcapng capture, nor a trace of mediagate")

// kindTrace is the kind of a file that has no media.
const kindTrace = "trace"

// packet is one captured packet. Its data is valid until the next one is read.
type packet struct {
	at    time.Time
	iface int // index in File.Interfaces
	link  uint32
	data  []byte
	full  int // bytes that the packet had on the wire
}

// source gives the packets of a file. At its end it returns io.EOF, where the file is cut off or damaged a *cutError.
type source interface {
	next() (packet, error)
	interfaces() []Interface
}

// cutError says why a capture was not read to its end.
type cutError struct{ what string }

func (e *cutError) Error() string { return "decode: read file: " + e.what }

func cutf(format string, args ...any) error { return &cutError{fmt.Sprintf(format, args...)} }

// open looks at the first bytes of a file. One that gzip has packed is unpacked as it is read.
func open(r io.Reader, lim Limits) (source, string, error) {
	b := bufio.NewReaderSize(r, 64<<10)
	if head, _ := b.Peek(2); len(head) == 2 && head[0] == 0x1f && head[1] == 0x8b {
		z, err := gzip.NewReader(b)
		if err != nil {
			return nil, "", fmt.Errorf("decode: unpack file: %w", err)
		}
		b = bufio.NewReaderSize(z, 64<<10)
	}
	head, err := b.Peek(4)
	if err != nil {
		if errors.Is(err, io.EOF) {
			return nil, "", fmt.Errorf("%w: %d bytes long", ErrFormat, len(head))
		}
		return nil, "", fmt.Errorf("decode: read file: %w", err)
	}
	if head, _ := b.Peek(len(traceMagic)); isTrace(head) {
		s, err := newTrace(b)
		return s, kindTrace, err
	}
	if binary.BigEndian.Uint32(head) == blockSection {
		s, err := newPcapng(b, lim)
		return s, "pcapng", err
	}
	s, err := newPcap(b, lim)
	return s, "pcap", err
}

// filler reads pieces of a file into one buffer that grows with what has come, not with what a length says.
type filler struct {
	r *bufio.Reader
	b []byte
}

// take reads n bytes. They are valid until the next call.
func (f *filler) take(n int) ([]byte, error) {
	const step = 64 << 10
	for have := 0; have < n; {
		piece := min(step, n-have)
		if have+piece > len(f.b) {
			f.b = append(f.b[:have], make([]byte, max(piece, have))...)
		}
		m, err := io.ReadFull(f.r, f.b[have:have+piece])
		have += m
		if err != nil {
			return f.b[:have], endOf(err)
		}
	}
	return f.b[:n], nil
}

// skip passes over n bytes.
func (f *filler) skip(n int64) error {
	_, err := io.CopyN(io.Discard, f.r, n)
	return endOf(err)
}

// endOf makes one error of those that say that a file ends too early.
func endOf(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// stamp is the time of so many seconds and nanoseconds since 1970. One that no calendar has (a year of five digits) is
// held at the last that it has.
func stamp(seconds, nanos uint64) time.Time {
	const last = 253402300799 // 9999-12-31T23:59:59Z
	return time.Unix(int64(min(seconds, last)), int64(min(nanos, 999_999_999))).UTC()
}
