package mmswire

import (
	"encoding/binary"
	"slices"
)

const (
	headerSize = 32         // bytes of a TcpMessageHeader before its messages ([MS-MMSP] 2.2.3)
	afterSeal  = 16         // bytes before those that messageLength counts
	sessionID  = 0xb00bface // 2953575118
	seal       = 0x20534d4d // "MMS "
	messageMin = 8          // chunkLen and MID
)

// Item is what a Reader returns: *Packet or *Data.
type Item interface{ item() }

// Packet is a TcpMessageHeader with its messages ([MS-MMSP] 2.2.3). It owns its memory.
type Packet struct {
	Seq      uint16
	TimeSent uint64 // milliseconds, or anything
	Messages []Raw
}

func (*Packet) item() {}

// AppendPacket writes a packet to the end of b. A body that is no multiple of 8 bytes is padded. One packet should have
// one message ([MS-MMSP] 3.1.5.1): players look no further.
//
// Departs from [MS-MMSP] 2.2.3: chunkCount is messageLength in chunks, not the size of the packet. So say VLC, FFmpeg,
// MPlayer and libmms, who learned it from Microsoft's servers; a Reader does not look at it.
func AppendPacket(b []byte, seq uint16, timeSent uint64, messages ...Raw) []byte {
	length := headerSize - afterSeal
	for _, m := range messages {
		length += messageMin + len(m.Body) + padding(len(m.Body))
	}
	le := binary.LittleEndian
	b = slices.Grow(b, afterSeal+length)
	b = append(b, 1, 0, 0, 0)
	b = le.AppendUint32(b, sessionID)
	b = le.AppendUint32(b, uint32(length))
	b = le.AppendUint32(b, seal)
	b = le.AppendUint32(b, uint32(length/8))
	b = le.AppendUint16(b, seq)
	b = le.AppendUint16(b, 0)
	b = le.AppendUint64(b, timeSent)
	for _, m := range messages {
		pad := padding(len(m.Body))
		b = le.AppendUint32(b, uint32((messageMin+len(m.Body)+pad)/8))
		b = le.AppendUint32(b, uint32(m.MID))
		b = append(b, m.Body...)
		b = append(b, make([]byte, pad)...)
	}
	return b
}

// packetLength reads how long a packet is, from its first 16 bytes.
func packetLength(d []byte) (int64, string) {
	le := binary.LittleEndian
	length := int64(le.Uint32(d[8:]))
	switch {
	case d[0] != 1 || d[1] != 0 || d[2] != 0:
		return 0, "not version 1.0.0 of the header"
	case le.Uint32(d[12:]) != seal:
		return 0, "the seal is not \"MMS \""
	case length < headerSize-afterSeal:
		return 0, "messageLength is shorter than the header"
	case length%8 != 0:
		return 0, "messageLength is no multiple of 8"
	}
	return afterSeal + length, ""
}

// parsePacket reads a whole packet. On a fault it returns what is wrong and where.
func parsePacket(d []byte) (*Packet, int, string) {
	le := binary.LittleEndian
	p := &Packet{Seq: le.Uint16(d[20:]), TimeSent: le.Uint64(d[24:])}
	body := slices.Clone(d[headerSize:])
	for at := headerSize; len(body) > 0; {
		n := 8 * int64(le.Uint32(body))
		if n < messageMin || n > int64(len(body)) {
			return nil, at, "chunkLen does not fit into messageLength"
		}
		p.Messages = append(p.Messages, Raw{MID: MID(le.Uint32(body[4:])), Body: body[messageMin:n:n]})
		body = body[n:]
		at += int(n)
	}
	return p, 0, ""
}
