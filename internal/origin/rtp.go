package origin

import (
	"encoding/binary"

	"mediagate/internal/asf"
)

const (
	maxRTP       = 1472 // what one Ethernet frame takes of UDP over IPv4
	rtpHeader    = 12
	payloadASF   = 96
	payloadRTX   = 97
	formatKey    = 0x80 // S, L and I of [MS-RTSP] 2.2.1.3
	formatLength = 0x40
	formatPlace  = 0x08
)

// appendRTP writes the fixed header of RFC 3550, section 5.1.
func appendRTP(b []byte, marker bool, payloadType byte, seq uint16, timestamp, ssrc uint32) []byte {
	if marker {
		payloadType |= 0x80
	}
	b = append(b, 0x80, payloadType)
	b = binary.BigEndian.AppendUint16(b, seq)
	b = binary.BigEndian.AppendUint32(b, timestamp)
	return binary.BigEndian.AppendUint32(b, ssrc)
}

// flow numbers the packets of one RTP flow.
type flow struct {
	ssrc uint32
	seq  uint16 // of the next packet
	// place adds the LocationId. [MS-RTSP] 2.2.6.10.3.
	place bool
}

// packets makes RTP packets of an ASF packet: one where it fits, else fragments. [MS-RTSP] 2.2.1.
func (f *flow) packets(p *asf.Packet, index int) [][]byte {
	data := p.StripPadding()
	format := byte(0)
	if p.KeyFrame() {
		format = formatKey
	}
	head := 4
	if f.place {
		head = 8
	}
	if rtpHeader+head+len(data) <= maxRTP {
		// Departs from [MS-RTSP] 2.2.1.3: Length counts the payload format header in, because FFmpeg reads it so;
		// others take what the RTP packet has.
		return [][]byte{f.packet(p.SendTime, format|formatLength, head+len(data), index, true, data)}
	}
	var out [][]byte
	for at := 0; at < len(data); {
		n := min(len(data)-at, maxRTP-rtpHeader-head)
		out = append(out, f.packet(p.SendTime, format, at, index, at+n == len(data), data[at:at+n]))
		at += n
	}
	return out
}

func (f *flow) packet(timestamp uint32, format byte, place, index int, last bool, data []byte) []byte {
	b := appendRTP(make([]byte, 0, maxRTP), last, payloadASF, f.seq, timestamp, f.ssrc)
	f.seq++
	if f.place && last { // [MS-RTSP] 3.2.4.3: in packets whose M is set
		b = append(b, format|formatPlace, byte(place>>16), byte(place>>8), byte(place))
		b = binary.BigEndian.AppendUint32(b, uint32(index))
	} else {
		b = append(b, format, byte(place>>16), byte(place>>8), byte(place))
	}
	return append(b, data...)
}

// resendTime is how much media, in milliseconds, is kept to be sent again. [MS-RTSP] 3.2.4.3: 10 seconds.
const resendTime = 10_000

// resendQueue keeps what was sent.
type resendQueue struct {
	packets [][]byte // oldest first
}

func (q *resendQueue) add(packet []byte) {
	q.packets = append(q.packets, packet)
	now := binary.BigEndian.Uint32(packet[4:])
	n := 0
	for n < len(q.packets) && int32(now-binary.BigEndian.Uint32(q.packets[n][4:])) > resendTime {
		n++
	}
	q.packets = q.packets[n:]
}

// find is the newest packet with that sequence number, or nil.
func (q *resendQueue) find(seq uint16) []byte {
	for i := len(q.packets) - 1; i >= 0; i-- {
		if binary.BigEndian.Uint16(q.packets[i][2:]) == seq {
			return q.packets[i]
		}
	}
	return nil
}
