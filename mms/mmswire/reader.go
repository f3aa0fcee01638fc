package mmswire

import (
	"encoding/binary"
	"io"
)

// DefaultMessage is the limit that a Reader applies where Limits say nothing, in bytes.
const DefaultMessage = 64 << 10

// Limits bound what one packet may make a Reader hold. Data packets are bounded by the 16 bits of their PacketSize.
type Limits struct {
	Message int // bytes of one packet with a TcpMessageHeader, header included; 0 or less: DefaultMessage
}

// Reader reads packets from one direction of a connection. It keeps its own buffer and never waits for more than the
// packet needs. After an error of the source that passes (a deadline), Read goes on where it stood. A Reader is not
// safe for use by several goroutines.
type Reader struct {
	stream
	limit int
	data  Data
	dead  error // given again at each Read
}

// NewReader returns a Reader of r. It reads nothing yet.
func NewReader(r io.Reader, lim Limits) *Reader {
	if lim.Message <= 0 {
		lim.Message = DefaultMessage
	}
	return &Reader{stream: stream{src: r}, limit: lim.Message}
}

// Read returns the next *Packet or *Data. A Data belongs to the Reader and is valid until the next Read: it costs no
// allocation. Read returns io.EOF only where a packet could begin, else io.ErrUnexpectedEOF; a *SyntaxError or a
// *TooLargeError, after which nothing can be found again; and the errors of the source.
func (r *Reader) Read() (Item, error) {
	if r.dead != nil {
		return nil, r.dead
	}
	if r.buffered() == 0 {
		if err := r.fill(); err != nil {
			return nil, err
		}
	}
	if err := r.need(DataHeaderSize); err != nil {
		return nil, err
	}
	// [MS-MMSP] 3.1.5.2: what has the sessionId at its place is a TcpMessageHeader, all else is a Data packet.
	if binary.LittleEndian.Uint32(r.rest()[4:]) == sessionID {
		return r.readPacket()
	}
	return r.readData()
}

// InMessage reports whether bytes of an item have come that is not whole yet. A caller that bounds how long one item may
// take starts its clock by it; a connection that is quiet between items may stay so.
func (r *Reader) InMessage() bool { return r.buffered() > 0 }

func (r *Reader) readData() (Item, error) {
	n := int(binary.LittleEndian.Uint16(r.rest()[6:]))
	if n < DataHeaderSize {
		return nil, r.failed(&SyntaxError{Object: "data packet", Offset: r.offset, What: "PacketSize is less than its header"})
	}
	if err := r.need(n); err != nil {
		return nil, err
	}
	r.data = parseData(r.rest()[:n])
	r.consume(n)
	return &r.data, nil
}

func (r *Reader) readPacket() (Item, error) {
	if err := r.need(afterSeal); err != nil {
		return nil, err
	}
	n, fault := packetLength(r.rest())
	if fault != "" {
		return nil, r.failed(&SyntaxError{Object: "packet", Offset: r.offset, What: fault})
	}
	if n > int64(r.limit) {
		return nil, r.failed(&TooLargeError{Offset: r.offset, Size: n, Limit: r.limit})
	}
	if err := r.need(int(n)); err != nil {
		return nil, err
	}
	p, at, fault := parsePacket(r.rest()[:n])
	if fault != "" {
		return nil, r.failed(&SyntaxError{Object: "packet", Offset: r.offset + int64(at), What: fault})
	}
	r.consume(int(n))
	return p, nil
}

// failed remembers an error of the bytes: where the next packet begins is unknown.
func (r *Reader) failed(err error) error {
	r.dead = err
	return err
}
