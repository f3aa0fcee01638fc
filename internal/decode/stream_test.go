package decode

import (
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// heard is what a stream has delivered: text, and the gaps as [n].
type heard struct{ strings.Builder }

func newStream() (*stream, *heard) {
	h := &heard{}
	return &stream{
		deliver: func(b []byte, _ time.Time) { h.Write(b) },
		missing: func(n int, _ time.Time) { h.WriteString("[" + group(uint64(n)) + "]") },
	}, h
}

func TestStream(t *testing.T) {
	const isn = 1<<32 - 4 // it wraps within the first text
	seg := func(at int, text string) segment { return segment{seq: uint32(isn + at), data: []byte(text)} }
	for _, tc := range []struct {
		name string
		list []segment
		want string
	}{
		{"in order", []segment{seg(0, "abcdef"), seg(6, "ghi")}, "abcdefghi"},
		{"turned round", []segment{seg(0, "abc"), seg(6, "ghi"), seg(3, "def")}, "abcdefghi"},
		{"twice", []segment{seg(0, "abc"), seg(0, "abc"), seg(3, "def")}, "abcdef"},
		{"overlapping, the first wins", []segment{seg(0, "abc"), seg(1, "XXXdef")}, "abcXdef"},
		{"overlapping ahead", []segment{seg(0, "abc"), seg(5, "fgh"), seg(3, "defGH")}, "abcdefGH"},
		{"the longer one of two that wait", []segment{seg(0, "a"), seg(2, "c"), seg(2, "cde"), seg(1, "b")}, "abcde"},
		{"missing to the end", []segment{seg(0, "abc"), seg(10, "klm")}, "abc[7]klm"},
		{"cut short by the snap length", []segment{{seq: isn & 0xffffffff, data: []byte("abc"), hole: 5}, seg(8, "ijk")}, "abc[5]ijk"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s, h := newStream()
			for _, g := range tc.list {
				s.take(g, 1<<20)
			}
			s.flush(epoch)
			if h.String() != tc.want {
				t.Errorf("got %q, want %q", h.String(), tc.want)
			}
			if s.bytes != 0 {
				t.Errorf("%d bytes still wait", s.bytes)
			}
		})
	}
}

// TestStreamShuffled takes a text in pieces that overlap, in any order: as long as all is there, all is delivered.
func TestStreamShuffled(t *testing.T) {
	text := strings.Repeat("The quick brown fox jumps over the lazy dog. ", 40)
	for seed := range uint64(50) {
		r := rand.New(rand.NewPCG(seed, 1))
		var list []segment
		for at := 0; at < len(text); at += 10 {
			end := min(len(text), at+10+r.IntN(15))
			list = append(list, segment{seq: uint32(4294967000 + at), data: []byte(text[at:end])})
		}
		r.Shuffle(len(list)-1, func(i, j int) { list[i+1], list[j+1] = list[j+1], list[i+1] })
		s, h := newStream()
		for _, g := range list {
			s.take(g, 1<<20)
		}
		if h.String() != text {
			t.Fatalf("seed %d: got %q", seed, h.String())
		}
	}
}

func TestStreamGivesUp(t *testing.T) {
	t.Run("acknowledged and not captured", func(t *testing.T) {
		s, h := newStream()
		s.take(segment{seq: 100, data: []byte("abc"), at: epoch}, 1<<20)
		s.take(segment{seq: 110, data: []byte("klm"), at: epoch}, 1<<20)
		s.ack(113, epoch.Add(time.Millisecond))
		if h.String() != "abc" {
			t.Errorf("too soon: %q", h.String())
		}
		s.ack(113, epoch.Add(time.Second))
		if h.String() != "abc[7]klm" {
			t.Errorf("got %q", h.String())
		}
	})
	t.Run("too much waits", func(t *testing.T) {
		s, h := newStream()
		s.take(segment{seq: 100, data: []byte("abc")}, 10)
		s.take(segment{seq: 110, data: []byte("klmnop")}, 10)
		s.take(segment{seq: 116, data: []byte("qrstuv")}, 10)
		if h.String() != "abc[7]klmnopqrstuv" {
			t.Errorf("got %q", h.String())
		}
	})
}

// TestMeter holds the counting to RFC 3550, A.1 and A.3.
func TestMeter(t *testing.T) {
	for _, tc := range []struct {
		name    string
		list    []uint16
		lost    int64
		late    int
		twice   int
		longest int64
	}{
		{"all", []uint16{1, 2, 3, 4}, 0, 0, 0, 0},
		{"wraps", []uint16{65534, 65535, 0, 1}, 0, 0, 0, 0},
		{"two lost", []uint16{1, 2, 5, 6}, 2, 0, 0, 2},
		{"late", []uint16{1, 3, 2, 4}, 0, 1, 0, 1},
		{"the first is overtaken", []uint16{2, 1, 3}, 0, 1, 0, 0},
		{"late over the wrap", []uint16{65535, 1, 0, 2}, 0, 1, 0, 1},
		{"twice", []uint16{1, 2, 2, 3}, 0, 0, 1, 0},
		{"a stray", []uint16{1, 2, 40000, 3}, 0, 0, 0, 0},
		{"begun anew", []uint16{1, 3, 40000, 40001, 40003}, 2, 0, 0, 1},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var m meter
			late, twice := 0, 0
			for _, n := range tc.list {
				switch m.observe(m.extend(n)) {
				case stepLate:
					late++
				case stepDuplicate:
					twice++
				}
			}
			got := []int64{m.lost(), int64(late), int64(twice), m.longest}
			if d := cmp.Diff([]int64{tc.lost, int64(tc.late), int64(tc.twice), tc.longest}, got); d != "" {
				t.Errorf("lost, late, twice, longest (-want +got):\n%s", d)
			}
		})
	}
	t.Run("told to begin anew", func(t *testing.T) {
		var m meter
		for _, n := range []int64{10, 11, 12} {
			m.observe(n)
		}
		m.fresh = true
		m.observe(900)
		m.observe(902)
		if m.lost() != 1 {
			t.Errorf("%d lost", m.lost())
		}
	})
}

// TestJitter computes by hand what RFC 3550, A.8 gives for packets of 20 ms of which one is 8 ms late.
func TestJitter(t *testing.T) {
	var m meter
	at := epoch
	for i, late := range []time.Duration{0, 0, 8 * time.Millisecond, 0} {
		m.timing(uint32(i*160), 8000, at.Add(late))
		at = at.Add(20 * time.Millisecond)
	}
	want := 0.008 / 16
	want += (0.008 - want) / 16
	if d := m.jitter - want; d > 1e-9 || d < -1e-9 {
		t.Errorf("jitter %.9f s, want %.9f s", m.jitter, want)
	}
}
