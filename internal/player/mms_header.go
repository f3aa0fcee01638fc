package player

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"mediagate/internal/asf"
	"mediagate/mms/mmswire"
)

const (
	// headerRetries is how often the header is asked for again. [MS-MMSP] 3.1.6.1.
	headerRetries = 4
	// maxHeader is the size of the greatest header that is put together, in bytes, maxHeaderParts its packets.
	maxHeader      = 1 << 20
	maxHeaderParts = 1 << 14
)

var (
	// errHeaderTimer tells that the header did not come in time.
	errHeaderTimer = errors.New("player: read header: it did not come in time")
	errHeaderSize  = fmt.Errorf("player: read header: more than %d bytes or %d packets", maxHeader, maxHeaderParts)
)

// mmsHeader is an ASF header that is being put together. [MS-MMSP] 3.1.5.12.
type mmsHeader struct {
	incarnations []uint8 // of all times that it was asked for: they bring the same
	parts        map[uint32][]byte
	size         int
	last         uint32 // number of the last part, if hasLast
	hasLast      bool
	err          error
}

func newMMSHeader(incarnations ...uint8) *mmsHeader {
	return &mmsHeader{incarnations: incarnations, parts: map[uint32][]byte{}}
}

// current is the incarnation that was asked for last.
func (h *mmsHeader) current() uint8 {
	if len(h.incarnations) == 0 {
		return 0
	}
	return h.incarnations[len(h.incarnations)-1]
}

// whole tells whether every part is there.
func (h *mmsHeader) whole() bool { return h.hasLast && len(h.parts) == int(h.last)+1 }

// add takes a part. AFFlags 8 marks the last one; 4 tells that there are several.
func (h *mmsHeader) add(d *mmswire.Data) {
	switch {
	case h.parts[d.LocationID] != nil || h.hasLast && d.LocationID > h.last:
		return
	case d.LocationID >= maxHeaderParts || h.size+len(d.Payload) > maxHeader:
		h.err = errHeaderSize
		return
	}
	if d.AFFlags&8 != 0 {
		h.last, h.hasLast = d.LocationID, true
		for n := range h.parts {
			if n > h.last {
				h.err = fmt.Errorf("player: read header: part %d after the last, %d", n, h.last)
			}
		}
	}
	h.parts[d.LocationID] = append([]byte{}, d.Payload...) // never nil
	h.size += len(d.Payload)
}

// bytes are the whole header.
func (h *mmsHeader) bytes() []byte {
	var b bytes.Buffer
	for n := range h.last + 1 {
		b.Write(h.parts[n])
	}
	return b.Bytes()
}

// readHeader asks for the header of the file; over UDP again, if some of it does not come. [MS-MMSP] 3.1.5.9.1 and
// 3.1.6.1.
func (r *mmsRun) readHeader(ctx context.Context) error {
	r.header = newMMSHeader()
	for try := 0; ; try++ {
		if err := r.sendReadBlock(); err != nil {
			return err
		}
		err := r.awaitHeader(ctx, r.headerTime())
		switch {
		case err == nil:
			return r.describe()
		case !errors.Is(err, errHeaderTimer):
			return err
		case r.transport != "udp":
			return err
		case try == headerRetries:
			r.step("no whole header came, asked %d times", try+1)
			return ErrNoMedia
		}
		r.step("header incomplete, asking again")
		if err := r.send(&mmswire.CancelReadBlock{PlayIncarnation: uint32(r.header.current())}); err != nil {
			return err
		}
	}
}

// sendReadBlock asks for the header. [MS-MMSP] 2.2.4.23.
func (r *mmsRun) sendReadBlock() error {
	n := r.headerIncarnation
	if r.headerIncarnation++; r.headerIncarnation > 8 {
		r.headerIncarnation = 1
	}
	r.header.incarnations = append(r.header.incarnations, uint8(n))
	return r.send(&mmswire.ReadBlock{
		OpenFileID: r.file.OpenFileID, Length: 0x8000, Flags: 0xffffffff, TDeadline: 3600, PlayIncarnation: n,
	})
}

// headerTime is the time-out of the Header timer: 1 s and the time that the header should take, within the 30 s of
// [MS-MMSP] 3.1.2. TCP has no such timer and may take as long as an answer.
func (r *mmsRun) headerTime() time.Duration {
	if r.transport != "udp" {
		return answerTimeout
	}
	size, rate := r.file.FileHeaderSize, r.file.FileBitRate
	if r.change != nil {
		size, rate = r.change.HeaderSize, r.change.BitRate
	}
	transfer := time.Duration(size) * 8 * time.Second / time.Duration(max(rate, 1))
	return min(time.Second+transfer, 30*time.Second)
}

// awaitHeader waits until the header is whole.
func (r *mmsRun) awaitHeader(ctx context.Context, patience time.Duration) error {
	timer := time.NewTimer(patience)
	defer timer.Stop()
	for !r.header.whole() {
		select {
		case <-ctx.Done():
			return fmt.Errorf("player: read header: %w", context.Cause(ctx))
		case <-timer.C:
			return errHeaderTimer
		case e := <-r.events:
			if err := errors.Join(r.handle(e), r.header.err); err != nil {
				return err
			}
			if r.broken {
				return fmt.Errorf("player: read header: %w", e.err)
			}
		}
	}
	return nil
}

// describe reads the header that has come.
func (r *mmsRun) describe() error {
	info, err := asf.ParseHeader(r.header.bytes())
	if err != nil {
		return fmt.Errorf("player: read header: %w", err)
	}
	r.info, r.report.Streams = info, len(info.Streams)
	switch {
	case r.change == nil:
		r.packets = r.file.FilePacketCount
	case info.Broadcast:
		r.packets = 0
	default:
		r.packets = info.PacketCount
	}
	if r.out == nil && r.o.Output != nil {
		r.out = newOutput(r.o.Output, info)
	}
	r.step("got the header: %d bytes in %d packets, %d streams", r.header.size, len(r.header.parts), len(info.Streams))
	return nil
}
