package udprelay

import (
	"encoding/binary"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

func TestMeterSequence(t *testing.T) {
	run := func(from, to int) (s []uint16) {
		for i := from; i <= to; i++ {
			s = append(s, uint16(i))
		}
		return s
	}
	for _, tt := range []struct {
		name string
		seqs []uint16
		want MediaStats
	}{
		{"in order", run(10, 19), MediaStats{Packets: 10}},
		{"one lost", append(run(1, 4), 6), MediaStats{Packets: 5, Lost: 1}},
		{"late, not lost", []uint16{1, 2, 4, 3, 5}, MediaStats{Packets: 5, Late: 1}},
		{"duplicate", []uint16{1, 2, 2, 3, 1}, MediaStats{Packets: 5, Duplicate: 2}},
		{"duplicate of a late one", []uint16{1, 2, 4, 3, 3}, MediaStats{Packets: 5, Late: 1, Duplicate: 1}},
		{"duplicates hide no loss", []uint16{1, 2, 2, 4}, MediaStats{Packets: 4, Duplicate: 1, Lost: 1}},
		{"round the end", []uint16{65534, 65535, 0, 1}, MediaStats{Packets: 4}},
		{"lost round the end", []uint16{65534, 1}, MediaStats{Packets: 2, Lost: 2}},
		{"late round the end", []uint16{65534, 0, 65535}, MediaStats{Packets: 3, Late: 1}},
		{"overtook the first", []uint16{5, 4, 6}, MediaStats{Packets: 3, Late: 1}},
		{"window of two words", append(append(run(1, 50), run(52, 140)...), 51, 51), MediaStats{Packets: 141, Late: 1, Duplicate: 1}},
		{"duplicate seventy back", []uint16{1, 71, 1, 2}, MediaStats{Packets: 4, Lost: 68, Duplicate: 1, Late: 1}},
		{"step within dropout", []uint16{1, 3000}, MediaStats{Packets: 2, Lost: 2998}},
		{"a stray far off", []uint16{1, 2, 40000, 3}, MediaStats{Packets: 4}},
		{"restart far off", []uint16{1, 3, 40000, 40001, 40003}, MediaStats{Packets: 5, Lost: 2}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var m Meter
			for _, s := range tt.seqs {
				m.Observe(packet(1, s), time.Unix(1, 0))
			}
			tt.want.SSRCs, tt.want.Bytes = 1, tt.want.Packets*200
			if d := cmp.Diff(tt.want, m.Stats(), cmpopts.IgnoreFields(MediaStats{}, "Jitter")); d != "" {
				t.Error(d)
			}
		})
	}
}

func TestMeterSources(t *testing.T) {
	var m Meter
	m.Observe([]byte{0x80, 96}, time.Now())
	if got := m.Stats(); got != (MediaStats{}) {
		t.Errorf("noise counted: %+v", got)
	}
	now := time.Now()
	for _, s := range []uint16{1, 3} { // one lost each
		for ssrc := range uint32(2 * maxSources) {
			m.Observe(packet(ssrc, s), now)
		}
	}
	// Of 16 sources taking turns each is forgotten before it speaks again.
	if got := m.Stats(); got.SSRCs != 4*maxSources || got.Packets != 4*maxSources || got.Lost != 0 {
		t.Errorf("%+v", got)
	}
	for _, s := range []uint16{10, 12} {
		m.Observe(packet(99, s), now)
	}
	for ssrc := range uint32(maxSources) {
		m.Observe(packet(200+ssrc, 1), now)
	}
	if got := m.Stats(); got.Lost != 1 {
		t.Errorf("a forgotten source's loss was forgotten: %+v", got)
	}
}

// TestMeterJitter: RFC 3550, A.8 with packets that are each d late in turn, at clocks of all sorts.
func TestMeterJitter(t *testing.T) {
	for _, tt := range []struct {
		name string
		pt   byte
		told uint32
		rate uint32
		want bool
	}{
		{"static, PCMU", 0, 0, 8000, true},
		{"static, G722", 9, 0, 8000, true},
		{"static, DVI4", 6, 0, 16000, true},
		{"static, L16", 10, 0, 44100, true},
		{"static, DVI4 at 11 kHz", 16, 0, 11025, true},
		{"static, DVI4 at 22 kHz", 17, 0, 22050, true},
		{"reserved", 2, 0, 8000, false},
		{"static, MPEG video", 32, 0, 90000, true},
		{"told, x-asf-pf", 96, 1000, 1000, true},
		{"told, AAC", 97, 48000, 48000, true},
		{"not known", 96, 0, 90000, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var m Meter
			m.SetClockRate(tt.pt, tt.told)
			start, d := time.Unix(0, 0), 10*time.Millisecond
			for i := range 2000 {
				sent := time.Duration(i) * 20 * time.Millisecond
				b := packet(1, uint16(i))
				b[1] = tt.pt
				binary.BigEndian.PutUint32(b[4:], uint32(uint64(sent)*uint64(tt.rate)/uint64(time.Second)))
				m.Observe(b, start.Add(sent+time.Duration(i%2)*d))
			}
			got := m.Stats().Jitter
			if !tt.want && got != 0 || tt.want && (got < d*8/10 || got > d*11/10) {
				t.Errorf("jitter %v", got)
			}
		})
	}
}

// stream is a sender of one packet each 20 ms with a clock of 1000 Hz, all of whose packets take the same time.
type stream struct {
	m    *Meter
	now  time.Time
	ms   uint32
	seq  uint16
	late time.Duration
}

func newStream() *stream {
	s := &stream{m: new(Meter), now: time.Unix(0, 0)}
	s.m.SetClockRate(96, 1000)
	return s
}

func (s *stream) send(n int) {
	for range n {
		b := packet(1, s.seq)
		b[1] = 96
		binary.BigEndian.PutUint32(b[4:], s.ms)
		s.m.Observe(b, s.now.Add(s.late))
		s.seq, s.ms, s.now = s.seq+1, s.ms+20, s.now.Add(20*time.Millisecond)
	}
}

// TestMeterGaps: a pause, a seek and a leap are no jitter; what was measured before stays.
func TestMeterGaps(t *testing.T) {
	for _, tt := range []struct {
		name string
		gap  func(s *stream)
	}{
		{"pause", func(s *stream) {
			s.m.Hold(true)
			s.m.Hold(false)
			s.now = s.now.Add(700 * time.Millisecond)
			s.m.Hold(true)
			s.m.Hold(false)
		}},
		{"seek while media runs on", func(s *stream) {
			s.m.Hold(true)
			s.send(3)
			s.ms += 900
			s.send(3)
			s.m.Hold(false)
		}},
		{"held twice", func(s *stream) {
			s.m.Hold(true)
			s.m.Hold(true)
			s.ms += 900
			s.send(1)
			s.m.Hold(false)
		}},
		{"leap that nobody told of", func(s *stream) { s.ms += 3_600_000 }},
		{"leap back", func(s *stream) { s.ms -= 2000 }},
		{"a minute of nothing", func(s *stream) { s.now = s.now.Add(time.Minute) }},
		{"the sender restarts", func(s *stream) { s.seq, s.ms = s.seq+30000, s.ms+77_000_000 }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := newStream()
			for i := range 400 {
				s.late = time.Duration(i%2) * 10 * time.Millisecond
				s.send(1)
			}
			s.late = 0
			before := s.m.Stats().Jitter
			if before < 9*time.Millisecond || before > 11*time.Millisecond {
				t.Fatalf("jitter %v", before)
			}
			tt.gap(s)
			s.send(4)
			if after := s.m.Stats().Jitter; after > before || after < before/2 {
				t.Errorf("jitter %v before, %v after", before, after)
			}
			s.send(400)
			if got := s.m.Stats().Jitter; got > time.Millisecond {
				t.Errorf("jitter %v of a steady stream", got)
			}
		})
	}
}

// TestMeterCoarseClock: a jitter below the tick of the clock is measured, not rounded to nothing or to a tick.
func TestMeterCoarseClock(t *testing.T) {
	s := newStream()
	for i := range 1000 {
		s.late = time.Duration(i%2) * 300 * time.Microsecond
		s.send(1)
	}
	if got := s.m.Stats().Jitter; got < 280*time.Microsecond || got > 310*time.Microsecond {
		t.Errorf("jitter %v, want 300µs", got)
	}
}

// TestMeterToldLater: a rate that is told, or told anew, while packets come is that of the next.
func TestMeterToldLater(t *testing.T) {
	s := newStream()
	s.m.SetClockRate(96, 0)
	s.send(100)
	s.late = 10 * time.Millisecond
	s.send(1)
	if got := s.m.Stats().Jitter; got != 0 {
		t.Errorf("jitter %v of a rate that nobody told", got)
	}
	s.m.SetClockRate(96, 1000)
	s.send(1)
	s.late = 0
	s.send(1)
	first := s.m.Stats().Jitter
	if first == 0 {
		t.Error("no jitter after the rate was told")
	}
	s.m.SetClockRate(96, 500) // timestamps that say 20 ms say 40 now
	s.send(1)
	if got := s.m.Stats().Jitter; got != first {
		t.Errorf("jitter %v, want %v: timestamps of two rates are not compared", got, first)
	}
	s.send(1)
	if got := s.m.Stats().Jitter; got < first+time.Millisecond {
		t.Errorf("jitter %v after another rate was told, %v before", got, first)
	}
}
