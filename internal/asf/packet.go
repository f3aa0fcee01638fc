package asf

import "encoding/binary"

// Packet is a data packet that was read. ASF specification, section 5.2.
type Packet struct {
	// SendTime and Duration are in milliseconds.
	SendTime uint32
	Duration uint16
	// Length is the packet's size without what its padding fields do not count; Padding is the padding's size.
	Length, Padding int
	// Payloads are in the packet's order. Their data point into the packet.
	Payloads []Payload

	raw     []byte
	flagsAt int // where the payload parsing information begins
	timeAt  int // where the send time is
	seq     []byte
	extents [][2]int // where each payload begins and ends; nil if there is only one, without a length
}

// Payload is one piece of a media object, or several whole ones if Compressed.
type Payload struct {
	// Stream is the stream's number.
	Stream uint8
	// KeyFrame is the key frame bit.
	KeyFrame bool
	// Compressed tells of a payload of several small objects. ASF specification, section 5.2.3.2.
	Compressed bool
	// Object is the media object's number, Offset where in it the data belong (the presentation time if Compressed).
	Object, Offset uint32
	// Size and Time are the media object's size and presentation time, if the replicated data say so, else 0.
	Size, Time uint32
	// Data are the bytes.
	Data []byte
}

// KeyFrame tells whether any payload has the key frame bit set.
func (p *Packet) KeyFrame() bool {
	for _, l := range p.Payloads {
		if l.KeyFrame {
			return true
		}
	}
	return false
}

// cursor reads little-endian fields and remembers the first fault.
type cursor struct {
	b   []byte
	at  int
	bad bool
}

func (c *cursor) take(n int) []byte {
	if c.bad || n < 0 || n > len(c.b)-c.at {
		c.bad = true
		return nil
	}
	c.at += n
	return c.b[c.at-n : c.at]
}

// width is the size of a field whose two-bit length type is t. ASF specification, section 5.2.2.
func width(t byte) int { return [4]int{0, 1, 2, 4}[t&3] }

func (c *cursor) field(t byte) uint32 { return c.number(width(t)) }

func (c *cursor) number(n int) uint32 {
	var v uint32
	for i, x := range c.take(n) {
		v |= uint32(x) << (8 * i)
	}
	return v
}

// ParsePacket reads a data packet. It copies nothing.
func ParsePacket(b []byte) (*Packet, error) {
	c := &cursor{b: b}
	p := &Packet{raw: b}
	property, flags := p.parsing(c)
	if c.bad {
		return nil, fault(c.at, "packet", "ends in its first fields")
	}
	if p.Length < c.at || p.Length > len(b) || p.Padding > p.Length-c.at {
		return nil, fault(c.at, "packet", "length %d, padding %d of %d bytes", p.Length, p.Padding, len(b))
	}
	c.b = b[:p.Length-p.Padding]
	return p, p.payloads(c, flags, property)
}

// parsing reads the error correction data and the payload parsing information. ASF specification, sections 5.2.1 and
// 5.2.2.
func (p *Packet) parsing(c *cursor) (property, flags byte) {
	flags = byte(c.number(1))
	if flags&0x80 != 0 {
		if flags&0x60 != 0 { // a length type other than 0 is reserved
			c.bad = true
		}
		c.take(int(flags & 0x0f))
		flags = byte(c.number(1))
	}
	p.flagsAt = c.at - 1
	property = byte(c.number(1))
	p.Length = len(p.raw)
	if n := c.field(flags >> 5); width(flags>>5) > 0 {
		p.Length = int(min(n, maxPacket+1))
	}
	p.seq = c.take(width(flags >> 1))
	p.Padding = int(min(c.field(flags>>3), maxPacket+1))
	p.timeAt = c.at
	p.SendTime = c.number(4)
	p.Duration = uint16(c.number(2))
	return property, flags
}

// payloads reads the payload data. ASF specification, section 5.2.3.
func (p *Packet) payloads(c *cursor, flags, property byte) error {
	count, lengthType := 1, byte(0)
	if flags&1 != 0 {
		n := byte(c.number(1))
		count, lengthType = int(n&0x3f), n>>6
		if width(lengthType) == 0 || count == 0 {
			return fault(c.at, "packet", "%d payloads with length type %d", count, lengthType)
		}
	}
	p.Payloads = make([]Payload, 0, count)
	for range count {
		at := c.at
		l := payload(c, property, lengthType)
		if c.bad {
			return fault(c.at, "payload", "ends before its end")
		}
		p.Payloads = append(p.Payloads, l)
		if lengthType != 0 {
			p.extents = append(p.extents, [2]int{at, c.at})
		}
	}
	return nil
}

// payload reads one payload; with length type 0 it takes all that is left.
func payload(c *cursor, property, lengthType byte) Payload {
	number := byte(c.number(1))
	l := Payload{Stream: number & 0x7f, KeyFrame: number&0x80 != 0}
	l.Object = c.field(property >> 4)
	l.Offset = c.field(property >> 2)
	replicated := int(min(c.field(property), maxPacket))
	if replicated == 1 { // not data, but the sign of a compressed payload
		l.Compressed = true
		c.take(1)
	} else if r := c.take(replicated); len(r) >= 8 {
		l.Size, l.Time = binary.LittleEndian.Uint32(r), binary.LittleEndian.Uint32(r[4:])
	}
	if lengthType == 0 {
		l.Data = c.take(len(c.b) - c.at)
		return l
	}
	l.Data = c.take(int(min(c.field(lengthType), maxPacket)))
	return l
}
