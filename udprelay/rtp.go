package udprelay

import "encoding/binary"

const rtpHeader = 12 // RFC 3550, section 5.1, without contributing sources

// mayBeRTP is the weak check for the media direction, whose sender is known by address and port: version 2 and room
// for the header. It does not look at the padding count, which SRTP encrypts (RFC 3711, section 3.1).
func mayBeRTP(b []byte) bool {
	return len(b) >= rtpHeader && b[0]>>6 == 2
}

// rtpBody is where the payload begins and ends; ok is false if the header does not fit the packet.
//
// RFC 3550, A.1: the count of contributing sources, the extension's and the padding's length are consistent with the
// packet's.
func rtpBody(b []byte) (from, to int, ok bool) {
	if !mayBeRTP(b) {
		return 0, 0, false
	}
	from, to = rtpHeader+4*int(b[0]&0x0f), len(b)
	if b[0]&0x10 != 0 {
		if to < from+4 {
			return 0, 0, false
		}
		from += 4 + 4*int(binary.BigEndian.Uint16(b[from+2:]))
	}
	if b[0]&0x20 != 0 {
		if b[to-1] == 0 {
			return 0, 0, false
		}
		to -= int(b[to-1])
	}
	return from, to, from <= to
}

func rtpSSRC(b []byte) uint32     { return binary.BigEndian.Uint32(b[8:]) }
func rtpSequence(b []byte) uint16 { return binary.BigEndian.Uint16(b[2:]) }

// probation tells RTP from noise in the direction that carries no media.
//
// What comes that way to the RTP port opens a hole in a NAT. ffmpeg sends one bare header: that is passed on, as the
// origin may wait for it. Observed: GStreamer 1.22 sends five datagrams of 200 random bytes, one in ten of which has a
// consistent header. So a packet with a payload has to show what RFC 3550, A.1 asks of a new source (MIN_SEQUENTIAL =
// 2): a second one of the same SSRC with the next sequence number. A true back channel loses its first packet.
type probation struct {
	ssrc uint32
	next uint16
	on   bool // ssrc and next are set
	sure bool // ssrc has passed
}

// admit is called by the one goroutine that reads the RTP socket of that side.
func (p *probation) admit(b []byte) bool {
	from, to, ok := rtpBody(b)
	if !ok {
		return false
	}
	if from == len(b) && from == to {
		return true
	}
	ssrc, seq := rtpSSRC(b), rtpSequence(b)
	if p.on && p.sure && ssrc == p.ssrc {
		return true
	}
	p.sure = p.on && ssrc == p.ssrc && seq == p.next
	p.on, p.ssrc, p.next = true, ssrc, seq+1
	return p.sure
}
