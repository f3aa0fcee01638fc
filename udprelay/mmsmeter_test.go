package udprelay

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// line is a run of packets: n of them, from a number and a LocationId on.
type line struct {
	seq, location, n int
	count            bool  // CountFrom was called before
	thin             int   // LocationId grows by this much more than 1
	asked            []int // the client asked for these before
}

type figures struct{ Lost, Late, Duplicate, Resent uint64 }

var meterCases = []struct {
	name string
	in   []line
	want figures
}{
	{"nothing", nil, figures{}},
	{"four rounds of the number", []line{{n: 1024}}, figures{}},
	{"begins anywhere", []line{{seq: 77, location: 9000, n: 10}}, figures{}},
	{"a gap", []line{{n: 10}, {13, 13, 10, false, 0, nil}}, figures{Lost: 3}},
	{"a gap over the wrap", []line{{n: 250}, {260, 260, 10, false, 0, nil}}, figures{Lost: 10}},
	{"more than a round lost", []line{{n: 10}, {610, 610, 10, false, 0, nil}}, figures{Lost: 600}},
	{"late", []line{{n: 10}, {12, 12, 1, false, 0, nil}, {11, 11, 1, false, 0, nil}, {10, 10, 1, false, 0, nil}}, figures{Late: 2}},
	{"the first is late", []line{{1, 1, 1, false, 0, nil}, {0, 0, 1, false, 0, nil}, {2, 2, 5, false, 0, nil}}, figures{Late: 1}},
	{"twice", []line{{n: 10}, {9, 9, 1, false, 0, nil}, {3, 3, 2, false, 0, nil}}, figures{Duplicate: 3}},
	{"asked for and filled", []line{{n: 10}, {13, 13, 5, false, 0, nil}, {10, 10, 2, false, 0, []int{10, 11, 12}}}, figures{Lost: 1, Resent: 2}},
	{"asked for by a 32-bit number", []line{{n: 600}, {602, 602, 5, false, 0, nil}, {600, 600, 2, false, 0, []int{600, 601}}}, figures{Resent: 2}},
	{"asked for what the client lost", []line{{n: 10}, {4, 4, 1, false, 0, []int{4}}}, figures{Resent: 1}},
	{"sent again twice", []line{{n: 10}, {4, 4, 1, false, 0, []int{4}}, {4, 4, 1, false, 0, nil}}, figures{Duplicate: 1, Resent: 1}},
	{"asked for 200 packets later", []line{{n: 10}, {11, 11, 210, false, 0, nil}, {10, 10, 1, false, 0, []int{10}}}, figures{Resent: 1}},
	{"a question of the last round", []line{{n: 10}, {n: 1, seq: 10, location: 10, asked: []int{3}}, {11, 11, 300, false, 0, nil}, {259, 259, 1, false, 0, nil}}, figures{Duplicate: 1}},
	{"older than all that is remembered", []line{{n: 500}, {100, 100, 1, false, 0, []int{100}}}, figures{Late: 1}},
	{"thinned: places are left out, numbers not", []line{{n: 10}, {10, 30, 50, false, 7, nil}}, figures{}},
	{"thinned, with a gap", []line{{n: 10}, {10, 30, 50, false, 7, nil}, {63, 470, 20, false, 7, nil}}, figures{Lost: 3}},
	{"backwards", []line{{seq: 0, location: 5000, n: 300, thin: -2}}, figures{}},
	{"a stray number", []line{{n: 10}, {90, 7777, 1, false, 0, nil}, {10, 10, 10, false, 0, nil}}, figures{}},
	{"begun anew, untold", []line{{n: 1024}, {0, 0, 1024, false, 0, nil}}, figures{Late: 33}},
	{"many sent again of long ago", []line{{n: 1024}, {512, 512, 32, false, 0, []int{512}}, {1024, 1024, 9, false, 0, nil}, {544, 544, 9, false, 0, nil},
		{1033, 1033, 9, false, 0, nil}}, figures{Late: 41}},
	{"another place, untold", []line{{n: 10}, {10, 90_000, 10, false, 0, nil}}, figures{}},
	{"another place in step, untold", []line{{n: 10}, {10, 10 + 256*100, 10, false, 0, nil}}, figures{Lost: 0}},
	{"sought: numbers go on", []line{{n: 10}, {10, 5000, 10, true, 0, nil}}, figures{}},
	{"sought: numbers begin anew", []line{{n: 10}, {0, 5000, 10, true, 0, nil}}, figures{}},
	{"sought: with a gap before and after", []line{{n: 10}, {12, 12, 4, false, 0, nil}, {0, 5000, 10, true, 0, nil}, {13, 5013, 10, false, 0, nil}}, figures{Lost: 5}},
	{"sought: the old line was still on its way", []line{{n: 10}, {10, 10, 5, true, 0, nil}, {0, 5000, 10, false, 0, nil}}, figures{}},
	{"sought: the old line was still on its way, with a gap", []line{{n: 10}, {12, 12, 3, true, 0, nil}, {0, 5000, 10, false, 0, nil}}, figures{Lost: 2}},
	{"sought near: in step by chance", []line{{n: 10}, {10, 10 + 512, 10, true, 0, nil}}, figures{}},
	{"played again from the beginning", []line{{n: 100}, {0, 0, 100, true, 0, nil}}, figures{}},
	{"played again after a round", []line{{n: 600}, {0, 0, 100, true, 0, nil}}, figures{}},
	{"paused: goes on", []line{{n: 10}, {10, 10, 10, true, 0, nil}}, figures{}},
	{"paused: the same place, numbers anew", []line{{n: 10}, {0, 10, 10, true, 0, nil}}, figures{}},
	{"paused: late and resent packets of before", []line{{n: 5}, {7, 7, 3, false, 0, nil}, {5, 5, 1, true, 0, nil}, {6, 6, 1, false, 0, []int{6}}, {10, 10, 5, false, 0, nil}}, figures{Late: 1, Resent: 1}},
	{"a gap right after the start", []line{{n: 2, count: true}, {4, 4, 10, false, 0, nil}}, figures{Lost: 2}},
	// [MS-MMSP] 2.2.2: after 0xFE the first packet of a new StartPlaying SHOULD have 0x00.
	{"0xFE, then StartPlaying", []line{{n: 255}, {256, 9000, 10, true, 0, nil}}, figures{}},
}

func TestMMSMeter(t *testing.T) {
	for _, tt := range meterCases {
		t.Run(tt.name, func(t *testing.T) {
			var m mmsMeter
			packets, calls := uint64(0), uint32(1)
			for _, l := range tt.in {
				if l.count {
					calls++
				}
				for _, n := range l.asked {
					list, _ := mmsResendList(ask(1, uint32(n)))
					m.ask(list)
				}
				for i := range l.n {
					m.observe(data(uint32(l.location+i*(1+l.thin)), 4, byte(l.seq+i)), true, calls<<8|4)
					packets++
				}
			}
			m.observe(data(0xf0f0f000, 0xff, 0x10), false, calls<<8|4) // counts as a packet only
			s := m.stats()
			if diff := cmp.Diff(tt.want, figures{s.Lost, s.Late, s.Duplicate, m.resent.Load()}); diff != "" {
				t.Error(diff)
			}
			if s.Packets != packets+1 || s.Bytes != (packets+1)*108 {
				t.Errorf("%+v", s)
			}
		})
	}
}

// TestMMSMeterAtRandom compares with a plain count over a stream whose packets are lost, doubled and overtake each
// other.
func TestMMSMeterAtRandom(t *testing.T) {
	for seed := range uint64(50) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			r := rand.New(rand.NewPCG(seed, 1))
			var m mmsMeter
			var want figures
			came := make(map[int]bool)
			top := -1
			send := func(n int) {
				m.observe(data(uint32(n), 4, byte(n)), true, 1<<8|4)
				switch {
				case came[n]:
					want.Duplicate++
				case n < top:
					want.Late++
				}
				came[n], top = true, max(top, n)
			}
			for n := 0; n < 3000; n++ {
				switch {
				case n == 0 || r.IntN(10) > 2:
					send(n)
				case r.IntN(2) == 0: // comes later, if at all
				default:
					send(n)
					send(max(0, n-r.IntN(100)))
				}
			}
			want.Lost = uint64(top + 1 - len(came))
			s := m.stats()
			if diff := cmp.Diff(want, figures{s.Lost, s.Late, s.Duplicate, m.resent.Load()}); diff != "" {
				t.Error(diff)
			}
		})
	}
}
