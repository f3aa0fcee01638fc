package player

// depayloader puts ASF packets together. [MS-RTSP] 2.2.1.
type depayloader struct {
	part []byte // of a packet in fragments
	lost bool   // a fragment is missing: wait for the next packet
}

// format is one payload format header. [MS-RTSP] 2.2.1.3.
type format struct {
	whole bool // L: the number is a length, else an offset
	size  int  // of the header
	value int
}

func parseFormat(b []byte) (f format, ok bool) {
	if len(b) < 4 {
		return f, false
	}
	f = format{whole: b[0]&0x40 != 0, size: 4, value: int(b[1])<<16 | int(b[2])<<8 | int(b[3])}
	for _, bit := range []byte{0x20, 0x10, 0x08} { // R, D and I are four bytes each
		if b[0]&bit != 0 {
			f.size += 4
		}
	}
	return f, f.size <= len(b)
}

// gap tells that packets before the next one were lost.
func (d *depayloader) gap() { d.part, d.lost = nil, true }

// push takes the payload of an RTP packet, in order, and returns the packets that are whole now.
func (d *depayloader) push(payload []byte, marker bool) [][]byte {
	f, ok := parseFormat(payload)
	if !ok {
		return nil
	}
	if f.whole {
		d.part, d.lost = nil, false
		return split(payload)
	}
	if f.value == 0 {
		d.part, d.lost = []byte{}, false
	}
	if d.lost || f.value != len(d.part) {
		d.gap()
		return nil
	}
	d.part = append(d.part, payload[f.size:]...)
	if !marker {
		return nil
	}
	p := d.part
	d.gap()
	return [][]byte{p}
}

// split takes whole packets apart. Windows Media Services, and FFmpeg after them, count the payload format header into
// Length; [MS-RTSP] 2.2.1.3 does not. The way that comes out even is taken.
func split(payload []byte) [][]byte {
	for _, counted := range []bool{true, false} {
		if packets, ok := splitBy(payload, counted); ok {
			return packets
		}
	}
	f, _ := parseFormat(payload)
	return [][]byte{payload[f.size:]}
}

func splitBy(b []byte, counted bool) (packets [][]byte, even bool) {
	for len(b) > 0 {
		f, ok := parseFormat(b)
		end := f.size + f.value
		if counted {
			end = f.value
		}
		if !ok || !f.whole || end <= f.size || end > len(b) {
			return nil, false
		}
		packets = append(packets, b[f.size:end])
		b = b[end:]
	}
	return packets, true
}
