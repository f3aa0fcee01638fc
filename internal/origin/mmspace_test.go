package origin

import (
	"testing"
	"time"

	"mediagate/internal/asf"
	"mediagate/mms/mmswire"
)

// TestPace sends two seconds of media at ten times the bit rate, and the rest at its own times, two seconds ahead less
// what the beginning took.
func TestPace(t *testing.T) {
	s := &Server{cfg: Config{Speed: 1}}
	r := run{file: &asf.File{}, bandwidth: 80_000, accelerated: 2000}
	for range 40 { // 10 packets of 100 bytes a second
		r.file.Packets = append(r.file.Packets, make([]byte, 100))
	}
	var p pace
	for n := range r.file.Packets {
		r.index = n
		at := p.due(s, &r, &asf.Packet{SendTime: 500 + uint32(n)*100}).Sub(p.begin)
		want := time.Duration(n) * 10 * time.Millisecond // 800 bits of 80000
		if n >= 20 {
			want = time.Duration(n)*100*time.Millisecond - (1900-190)*time.Millisecond
		}
		if at.Round(time.Microsecond) != want {
			t.Errorf("packet %d after %s, want %s", n, at, want)
		}
	}
	slow := run{file: r.file, bandwidth: 1, accelerated: 2000}
	p = pace{}
	for n := range 5 {
		slow.index = n
		if at := p.due(s, &slow, &asf.Packet{SendTime: uint32(n) * 100}).Sub(p.begin); at != time.Duration(n)*100*time.Millisecond {
			t.Errorf("packet %d of a slow one after %s", n, at)
		}
	}
}

// TestMMSEndTime asks for less than the whole file.
func TestMMSEndTime(t *testing.T) {
	s := serveMMS(t, "127.0.0.33", Config{Speed: 100})
	f, err := s.library.open("sample.wmv")
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range []struct {
		name        string
		from, until uint32 // packet, frameOffset
		end         uint32 // send time
	}{
		{"from the beginning", 0, 2000, 2000}, {"absolute", 20, 3000, 3000},
		{"relative", 20, relativeEnd | 1000, sendTime(f, 20) + 1000}, {"past", 40, 1, 0}, {"none", 100, 0, 1 << 31},
	} {
		t.Run(x.name, func(t *testing.T) {
			c := dialMMS(t, s)
			c.connect(tcpFunnel)
			m := fromPacket(x.from, 4)
			m.FrameOffset = x.until
			ask[*mmswire.ReportStartedPlaying](c, m)
			ask[*mmswire.ReportEndOfStream](c, nil)
			want := 0
			for n := int(x.from); n < len(f.Packets) && sendTime(f, n) < x.end; n++ {
				want++
			}
			if len(c.data) != want {
				t.Errorf("%d packets, want %d", len(c.data), want)
			}
		})
	}
}

func TestBudget(t *testing.T) {
	var b budget
	now := time.Unix(1000, 0)
	for n := range resendLimit + 1 {
		if got := b.take(now); got != (n < resendLimit) {
			t.Fatalf("packet %d: %v", n, got)
		}
	}
	if !b.take(now.Add(time.Second)) {
		t.Error("nothing in the next second")
	}
}
