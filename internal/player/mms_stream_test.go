package player

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"mediagate/mms/mmswire"
)

func TestMMSSequence(t *testing.T) {
	type in struct {
		location uint32
		flags    uint8
	}
	run := func(location uint32, flags uint8, count int) (all []in) {
		for n := range count {
			all = append(all, in{location + uint32(n), flags + uint8(n)})
		}
		return all
	}
	for _, c := range []struct {
		name    string
		ordered bool
		next    uint32
		packets []in
		order   []uint32 // numbers of 16 bits
		due     []uint32
		want    Report
	}{
		{"in order", false, 0, run(0, 0, 3), []uint32{0, 1, 2}, nil, Report{Packets: 3}},
		{"first lost", false, 0, run(2, 2, 2), []uint32{2, 3}, []uint32{0, 1}, Report{Packets: 2, Lost: 2}},
		{"late", false, 0, []in{{0, 0}, {2, 2}, {1, 1}}, []uint32{0, 1, 2}, nil, Report{Packets: 3, Late: 1}},
		{"duplicate", false, 0, []in{{0, 0}, {1, 1}, {0, 0}, {1, 1}}, []uint32{0, 1}, nil, Report{Packets: 2, Duplicate: 2}},
		{"goes on", false, 157, run(0, 157, 2), []uint32{157, 158}, nil, Report{Packets: 2}},
		{"goes on past 0xfe", false, 255, run(0, 0, 2), []uint32{256, 257}, nil, Report{Packets: 2}},
		{"goes on, 32 bits", false, 0x12fff, run(7, 0, 1), []uint32{0x3000}, nil, Report{Packets: 1}},
		{"begins anew", false, 157, run(0, 1, 2), []uint32{1, 2}, []uint32{0}, Report{Packets: 2, Lost: 1}},
		{"begins anywhere", false, 0, run(0, 200, 2), []uint32{200, 201}, nil, Report{Packets: 2}},
		{"live", false, 0, run(70000, 0, 2), []uint32{0, 1}, nil, Report{Packets: 2}},
		{"turns over", false, 254, run(0, 254, 4), []uint32{254, 255, 256, 257}, nil, Report{Packets: 4}},
		{"300 lost", false, 0, []in{{0, 0}, {301, 45}}, []uint32{0, 301}, nil, Report{Packets: 2, Lost: 300}},
		{"late by 200", false, 0, append(append([]in{{0, 0}}, run(2, 2, 200)...), in{1, 1}), nil, nil, Report{Packets: 202, Late: 1}},
		{"server skips", false, 0, []in{{0, 0}, {9, 1}, {30, 2}}, []uint32{0, 1, 2}, nil, Report{Packets: 3}},
		{"late after a skip", false, 0, []in{{0, 0}, {30, 2}, {9, 1}}, []uint32{0, 1, 2}, nil, Report{Packets: 3, Late: 1}},
		{"over tcp", true, 5, []in{{0, 9}, {2, 10}, {2, 10}, {3, 77}}, []uint32{9, 10, 11}, nil, Report{Packets: 3, Duplicate: 1}},
	} {
		t.Run(c.name, func(t *testing.T) {
			var order []uint32
			s := newMMSStream(c.ordered, c.next, func(p rtp, _ bool) { order = append(order, uint32(p.seq)) })
			now := time.Unix(0, 0)
			for _, i := range c.packets {
				s.push(&mmswire.Data{LocationID: i.location, AFFlags: i.flags}, 10, now)
			}
			due := s.flow.due(now, 0)
			if len(c.due) > 0 {
				if d := cmp.Diff(c.due, slices.Sorted(slices.Values(due))); d != "" {
					t.Errorf("due (-want +got):\n%s", d)
				}
			}
			s.flow.flush()
			var got Report
			s.flow.addTo(&got)
			got.Jitter, c.want.Bytes = 0, 10*c.want.Packets
			if d := cmp.Diff(c.want, got); d != "" {
				t.Errorf("report (-want +got):\n%s", d)
			}
			if d := cmp.Diff(c.order, order); d != "" && c.order != nil {
				t.Errorf("order (-want +got):\n%s", d)
			}
		})
	}
}

func TestMMSTail(t *testing.T) {
	s := newMMSStream(false, 0, func(rtp, bool) {})
	now := time.Unix(0, 0)
	s.expect(10, now)
	s.push(&mmswire.Data{LocationID: 0}, 10, now)
	s.expect(4, now)
	s.expect(4, now)
	s.expect(2, now)
	s.expect(1<<40, now)
	if d := cmp.Diff([]uint32{1, 2, 3}, slices.Sorted(slices.Values(s.flow.due(now, 0)))); d != "" || s.longest != 3 || !s.asking(now) {
		t.Errorf("longest gap %d; due (-want +got):\n%s", s.longest, d)
	}
	s.push(&mmswire.Data{LocationID: 2, AFFlags: 2}, 10, now)
	s.flow.flush()
	if f := s.flow; f.packets != 2 || f.resent != 1 || f.lost != 2 {
		t.Errorf("%d packets, %d resent, %d lost", f.packets, f.resent, f.lost)
	}
}

func TestMMSHeader(t *testing.T) {
	part := func(n uint32, flags uint8, text string) *mmswire.Data {
		return &mmswire.Data{LocationID: n, AFFlags: flags, Payload: []byte(text)}
	}
	for _, c := range []struct {
		name  string
		parts []*mmswire.Data
		want  string // empty: not whole
		fails bool
	}{
		{"one", []*mmswire.Data{part(0, 12, "ab")}, "ab", false},
		{"one, as WMS 4 may have it", []*mmswire.Data{part(0, 8, "ab")}, "ab", false},
		{"three, out of order, one twice", []*mmswire.Data{part(2, 12, "c"), part(1, 4, "b"), part(1, 4, "x"), part(0, 4, "a")}, "abc", false},
		{"an empty one", []*mmswire.Data{part(0, 4, ""), part(1, 12, "b")}, "b", false},
		{"no last", []*mmswire.Data{part(0, 4, "a"), part(1, 4, "b")}, "", false},
		{"one missing", []*mmswire.Data{part(0, 4, "a"), part(2, 12, "c")}, "", false},
		{"after the last", []*mmswire.Data{part(3, 4, "a"), part(2, 12, "c")}, "", true},
		{"too many", []*mmswire.Data{part(1<<30, 4, "a")}, "", true},
		{"too large", []*mmswire.Data{part(0, 4, string(make([]byte, maxHeader))), part(1, 12, "a")}, "", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := newMMSHeader(1)
			for _, p := range c.parts {
				h.add(p)
			}
			if h.whole() != (c.want != "") || (h.err != nil) != c.fails || h.whole() && string(h.bytes()) != c.want {
				t.Errorf("whole %v, error %v", h.whole(), h.err)
			}
		})
	}
}

func TestFailed(t *testing.T) {
	if err := errors.Join(failed("x", 0), failed("x", 1)); err != nil {
		t.Error(err)
	}
	if err := failed("open a", 0x80070005); !errors.Is(err, errResult) || err.Error() != "player: open a: the origin says 0x80070005 (access denied)" {
		t.Error(err)
	}
}
