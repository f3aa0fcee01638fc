package player

import (
	"bytes"
	"errors"
	"io"
	"testing"
	"time"

	"mediagate/mms/mmswire"
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

// FuzzMMSData feeds Data packets of any kind: they are all counted once, and no more is kept than may be.
func FuzzMMSData(f *testing.F) {
	f.Add([]byte{0, 0, 1, 1, 2, 2, 1, 1, 9, 5, 250, 250})
	f.Fuzz(func(t *testing.T, b []byte) {
		delivered := uint64(0)
		s, h := newMMSStream(false, 0, func(rtp, bool) { delivered++ }), newMMSHeader(1)
		now, n := time.Unix(0, 0), uint64(0)
		for ; len(b) >= 2; b = b[2:] {
			d := &mmswire.Data{LocationID: uint32(b[0]) << (b[1] & 7), AFFlags: b[1], Payload: b[:2]}
			h.add(d)
			s.push(d, 10, now)
			n++
			now = now.Add(time.Duration(b[0]) * time.Millisecond)
			s.flow.due(now, 0)
			s.flow.giveUp(now)
		}
		s.flow.flush()
		if f := s.flow; f.packets+f.dup != n || delivered > f.packets || len(f.held)+len(f.missing) > 0 {
			t.Errorf("%d packets and %d duplicates of %d, %d delivered", f.packets, f.dup, n, delivered)
		}
		if h.err == nil && h.whole() && len(h.bytes()) != h.size {
			t.Errorf("%d bytes of header of %d", len(h.bytes()), h.size)
		}
	})
}

// FuzzFrames reads packets of HTTP from any bytes: they end with an error, and no more comes out than went in.
func FuzzFrames(f *testing.F) {
	f.Add([]byte("$M\x0a\x00\x00\x00\x00\x00\x00\x0c\x0a\x00xx$H\x09\x00\x00\x00\x00\x00\x00\x0c\x09\x00x\xa4D\x09\x00\x02\x00\x00\x00\x00\x01\x09\x00x$E\x04\x00\x01\x00\x00\x00"))
	f.Add([]byte("$P\xf8\x01\xf0\x01\x00\x00xxxxxxxx$P\xf8\x01\x00\x00\x00\x00"))
	f.Add([]byte("$T\x00\x00$C\x04\x00\x00\x00\x00\x00"))
	f.Fuzz(func(t *testing.T, b []byte) {
		in, size, packets, taken := &frameReader{r: bytes.NewReader(b)}, 0, uint64(0), uint64(0)
		s, h := newHTTPStream(func(rtp, bool) { taken++ }), &httpHeader{}
		for {
			p, err := in.next()
			if err != nil {
				if errors.Is(err, io.EOF) != (size == len(b)) {
					t.Errorf("%d bytes of %d, then %v", size, len(b), err)
				}
				break
			}
			size += p.size
			switch p.id {
			case 'D':
				packets++
				s.push(p, time.Unix(int64(packets), 0))
			case 'H':
				if err := h.add(p); err != nil {
					t.Fatal(err)
				}
			case 'M':
				(&httpRun{}).metadata(p.payload)
			}
		}
		s.flow.flush()
		if s.flow.packets+s.flow.dup != packets || taken != s.flow.packets || s.unsent+s.skipped != s.flow.lost {
			t.Errorf("%d packets gave %d and %d duplicates, %d delivered, %d lost of %d and %d", packets, s.flow.packets, s.flow.dup,
				taken, s.flow.lost, s.unsent, s.skipped)
		}
	})
}
