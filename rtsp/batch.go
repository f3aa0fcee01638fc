package rtsp

import (
	"errors"

	"mediagate/rtsp/rtspwire"
)

// framesAtOnce bounds how many frames one write takes.
const framesAtOnce = 64

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

// pass writes the frames that wait on p, in one write.
func (s *session) pass(p *peer) error {
	b := &p.batch
	if len(b.list) == 0 {
		return nil
	}
	to, list := b.to, b.list
	err := to.out.frames(b.wire)
	b.to, b.wire, b.list = nil, nil, b.list[:0]
	if err != nil {
		if errors.Is(err, errStalled) {
			return &writeError{side: to.side, err: err}
		}
		s.unwritten.Add(uint64(len(list))) // the connection is broken: its own pump tells, after what the other side said last (a TEARDOWN)
		return nil
	}
	for _, c := range list {
		c.route.packets.Add(1)
		c.route.bytes.Add(uint64(c.size))
	}
	return nil
}
