package asf

import "encoding/binary"

// StripPadding returns the packet without its padding, as a copy if anything had to change. Its length is then written
// into the packet: a reader that knows only the file's packet size would take the padding's absence for lost data.
// [MS-RTSP] 2.2.1.4: the padding should be removed, and the Padding Length field then say that there is none.
// Observed: FFmpeg skips padding twice over RTSP and takes a packet without an explicit length for a whole one.
func (p *Packet) StripPadding() []byte {
	end := p.Length - p.Padding
	if p.Padding == 0 && p.Length == len(p.raw) {
		return p.raw
	}
	b := p.rebuild(2, 0, end)
	binary.LittleEndian.PutUint16(b[p.flagsAt+2:], uint16(len(b)))
	return b
}

// RestorePadding returns the packet filled up with padding to size bytes, as packets of a file are. A packet that is
// not shorter is returned as it is.
func (p *Packet) RestorePadding(size int) []byte {
	if p.Length == size && len(p.raw) == size {
		return p.raw
	}
	end := p.Length - p.Padding
	switch missing := size - len(p.rebuild(0, 0, end)); {
	case missing == 0:
		return p.rebuild(0, 0, end)
	case missing < 0:
		return p.raw
	case missing == 1: // room for the field alone
		return p.rebuild(0, 1, end)
	default:
		b := p.rebuild(0, 2, end)
		binary.LittleEndian.PutUint16(b[p.flagsAt+2+len(p.seq):], uint16(size-len(b)))
		return append(b, make([]byte, size-len(b))...)
	}
}

// rebuild copies the packet up to end, with a packet length and a padding length field of the given length types, both
// 0.
func (p *Packet) rebuild(lengthType, paddingType byte, end int) []byte {
	b := make([]byte, 0, end+4)
	b = append(b, p.raw[:p.flagsAt]...)
	b = append(b, p.raw[p.flagsAt]&^0x78|lengthType<<5|paddingType<<3, p.raw[p.flagsAt+1])
	b = append(b, make([]byte, width(lengthType))...)
	b = append(b, p.seq...)
	b = append(b, make([]byte, width(paddingType))...)
	return append(b, p.raw[p.timeAt:end]...)
}
