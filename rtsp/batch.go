package rtsp

import (
	"errors"
	"time"

	"mediagate/rtsp/rtspwire"
)

// framesAtOnce bounds how many frames one write takes.
const framesAtOnce = 64

// frameHeader is what a frame has before its payload.
const frameHeader = 4

// batch are frames that came together and go on together: as they lie in the buffer that they were read to, with the
// other side's channel numbers, so that a payload is never copied and frames cost a system call together. Nothing is
// waited for: what is in the buffer goes on before more is read. It belongs to the pump that reads.
type batch struct {
	to   *peer
	wire []byte
	list []cargo // its memory is kept, a session over UDP has none
}

// cargo is a frame of a batch.
type cargo struct {
	route *route
	size  int // of its payload
}

// add takes a frame, if it follows the others in the same buffer and goes the same way. It reports false if it does not,
// or if there is no room: then the batch has to leave first.
func (b *batch) add(r *route, f *rtspwire.Frame) bool {
	switch {
	case len(b.list) == 0:
		b.to, b.wire = r.to, f.Readdress(r.channel)
	case len(b.list) == framesAtOnce || b.to != r.to:
		return false
	default:
		joined, ok := f.ReaddressAfter(b.wire, r.channel)
		if !ok {
			return false
		}
		b.wire = joined
	}
	b.list = append(b.list, cargo{route: r, size: len(f.Payload)})
	return true
}

// pass writes the frames that wait on p, in one write if the other side takes them.
func (s *session) pass(p *peer) error {
	b := &p.batch
	if len(b.list) == 0 {
		return nil
	}
	to, wire, list := b.to, b.wire, b.list
	b.to, b.wire, b.list = nil, nil, b.list[:0]
	var err error
	for told := false; len(wire) > 0 && err == nil; told = true {
		var n int
		n, err = to.out.frames(wire, told)
		wire, list = wire[n:], taken(list, n)
		if len(wire) > 0 && err == nil {
			s.lastFrame.Store(time.Now().UnixNano()) // slow is no silence
		}
	}
	switch {
	case err == nil:
		return nil
	case errors.Is(err, errStalled):
		return &writeError{side: to.side, err: err}
	}
	s.unwritten.Add(uint64(len(list))) // the connection is broken: its own pump tells, after what the other side said last (a TEARDOWN)
	return nil
}

// taken counts the frames that n bytes are of, and returns those that are left.
func taken(list []cargo, n int) []cargo {
	for len(list) > 0 && n >= frameHeader+list[0].size {
		c := list[0]
		c.route.packets.Add(1)
		c.route.bytes.Add(uint64(c.size))
		n -= frameHeader + c.size
		list = list[1:]
	}
	return list
}

// frames writes whole interleaved frames (RFC 2326, section 10.12). Who is slow and takes one of them in the time of a write is not
// stalled: then n, where a frame ends, is less than all, and messages may go before the rest.
func (w *writer) frames(wire []byte, told bool) (n int, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	n, err = w.writeLocked(wire, told)
	begin, end := around(wire, n)
	if begin == 0 || !errors.Is(err, errStalled) || w.last.Load() != 0 {
		return n, err
	}
	w.err = nil
	if n == begin {
		return n, nil
	}
	more, err := w.writeLocked(wire[n:end], true)
	return n + more, err
}

// around is where the frame begins that a write ended in after n bytes, and where it ends.
func around(wire []byte, n int) (begin, end int) {
	for end < len(wire) && end <= n {
		begin, end = end, end+frameHeader+int(wire[end+2])<<8+int(wire[end+3])
	}
	return begin, end
}
