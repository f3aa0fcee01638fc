package player

import (
	"errors"
	"fmt"
	"io"

	"mediagate/internal/asf"
)

// output writes an ASF file.
type output struct {
	w     io.Writer
	info  *asf.Info
	count uint64
	bad   uint64
	err   error // the first of writing; the rest is not tried
}

// newOutput writes nothing yet: of a try without media nothing must be left for the next one.
func newOutput(w io.Writer, info *asf.Info) *output { return &output{w: w, info: info} }

func (o *output) write(b []byte) {
	if o.err == nil {
		_, o.err = o.w.Write(b)
	}
}

// packet writes one packet, with the padding that it had in its file.
func (o *output) packet(b []byte) {
	p, err := asf.ParsePacket(b)
	if err != nil {
		o.bad++
		return
	}
	full := p.RestorePadding(o.info.PacketSize)
	if len(full) != o.info.PacketSize {
		o.bad++
		return
	}
	if o.count == 0 {
		o.write(o.info.SetBroadcast(true)) // the number of packets is not known yet
	}
	o.write(full)
	o.count++
}

// finish sets the header right if that can be done.
func (o *output) finish() error {
	if s, ok := o.w.(io.WriteSeeker); ok && o.err == nil && o.count > 0 {
		if _, err := s.Seek(0, io.SeekStart); err == nil { // a pipe is a WriteSeeker by its type only
			o.write(o.info.SetPackets(o.count))
			_, err = s.Seek(0, io.SeekEnd)
			o.err = errors.Join(o.err, err)
		}
	}
	if o.err != nil {
		return fmt.Errorf("player: write file: %w", o.err)
	}
	return nil
}
