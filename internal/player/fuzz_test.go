package player

import (
	"testing"
	"time"
)

// FuzzPackets feeds RTP packets cut from any bytes; nothing may panic and no packet may be counted twice.
func FuzzPackets(f *testing.F) {
	f.Add([]byte{0x80, 0x60, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1, 0x40, 0, 0, 5, 'x', 0x80, 0x60, 0, 3, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 'x'}, uint8(17))
	f.Fuzz(func(t *testing.T, b []byte, size uint8) {
		d := &depayloader{lost: true}
		got := 0
		fl := newFlow(1, 1000, func(p rtp, gap bool) {
			if gap {
				d.gap()
			}
			d.push(p.payload, p.marker)
			got++
		})
		sent := 0
		for n := int(size) + 12; len(b) >= n; b = b[n:] {
			if p, ok := parseRTP(b[:n]); ok {
				sent++
				fl.push(p, n, p.kind&1 != 0, time.Unix(int64(sent), 0))
			}
		}
		fl.flush()
		if got > sent || fl.packets+fl.dup > uint64(sent) {
			t.Errorf("%d packets gave %d, counted %d", sent, got, fl.packets)
		}
	})
}

func FuzzParseDescription(f *testing.F) {
	f.Add([]byte("v=0\r\na=control:rtsp://h/a/\r\na=pgmpu:" + headerURL + "MCay\r\nm=video 0 RTP/AVP 96\r\na=rtpmap:96 x-asf-pf/1000\r\na=control:video\r\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		d, err := parseDescription(b, "rtsp://h/a/")
		if err != nil {
			return
		}
		for _, s := range d.streams {
			if s.control == "" || s.clock <= 0 {
				t.Errorf("stream %+v", s)
			}
		}
	})
}
