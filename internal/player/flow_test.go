package player

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// feed pushes packets by number; a negative one comes on the resend stream.
func feed(f *flow, now time.Time, numbers ...int) {
	for _, n := range numbers {
		resent := n < 0
		if resent {
			n = -n
		}
		f.push(rtp{seq: uint16(n), time: uint32(n)}, 100, resent, now)
	}
}

func TestFlow(t *testing.T) {
	for _, c := range []struct {
		name    string
		numbers []int // negative: on the resend stream
		order   []int // negative: after a gap
		want    Report
	}{
		{"in order", []int{1, 2, 3}, []int{1, 2, 3}, Report{Packets: 3}},
		{"wraps", []int{65534, 65535, 65536, 65537}, []int{65534, 65535, 0, 1}, Report{Packets: 4}},
		{"late", []int{1, 3, 2, 4}, []int{1, 2, 3, 4}, Report{Packets: 4, Late: 1}},
		{"duplicate", []int{1, 2, 2, 1}, []int{1, 2}, Report{Packets: 2, Duplicate: 2}},
		{"lost", []int{1, 4, 5}, []int{1, -4, 5}, Report{Packets: 3, Lost: 2}},
		{"resent", []int{1, 4, -2, -3, 5}, []int{1, 2, 3, 4, 5}, Report{Packets: 5, Resent: 2}},
		{"resent unasked", []int{1, 2, -2, -9}, []int{1, 2}, Report{Packets: 2, Duplicate: 1}},
		{"resent first", []int{-1, 2}, []int{2}, Report{Packets: 1}},
		{"new beginning", []int{1, 2, 20000, 20001}, []int{1, 2, 20000, 20001}, Report{Packets: 4}},
	} {
		t.Run(c.name, func(t *testing.T) {
			var order []int
			f := newFlow(1, 1000, func(p rtp, gap bool) {
				n := int(p.seq)
				if gap {
					n = -n
				}
				order = append(order, n)
			})
			feed(f, time.Unix(0, 0), c.numbers...)
			f.flush()
			var got Report
			f.addTo(&got)
			c.want.Bytes, got.Jitter = 100*c.want.Packets, 0
			if d := cmp.Diff(c.want, got); d != "" {
				t.Errorf("report (-want +got):\n%s", d)
			}
			if d := cmp.Diff(c.order, order); d != "" {
				t.Errorf("order (-want +got):\n%s", d)
			}
		})
	}
}

func TestHolesAgeAndAreAskedFor(t *testing.T) {
	delivered := 0
	f := newFlow(1, 1000, func(rtp, bool) { delivered++ })
	now := time.Unix(0, 0)
	feed(f, now, 1, 3)
	if d := cmp.Diff([]uint16{2}, f.wanted(now)); d != "" {
		t.Errorf("wanted (-want +got):\n%s", d)
	}
	if got := f.wanted(now.Add(askEvery / 2)); got != nil {
		t.Errorf("asked again at once: %v", got)
	}
	f.giveUp(now.Add(holdTime / 2))
	if delivered != 1 {
		t.Errorf("%d packets delivered past a young hole", delivered)
	}
	f.giveUp(now.Add(holdTime))
	if delivered != 2 || f.lost != 1 {
		t.Errorf("%d packets delivered, %d lost", delivered, f.lost)
	}
}

func TestReportBlock(t *testing.T) {
	f := newFlow(7, 1000, func(rtp, bool) {})
	feed(f, time.Unix(0, 0), 1, 2, 3, 5)
	b := f.report()
	if b[1] != 201 || b[12] != 256/5 || b[15] != 1 || b[19] != 5 {
		t.Errorf("report %x", b)
	}
	if again := f.report(); again[12] != 0 {
		t.Errorf("fraction %d with nothing new lost", again[12])
	}
}

func TestNack(t *testing.T) {
	want := []uint32{10<<16 | 1<<0 | 1<<15, 27<<16 | 1<<1}
	if d := cmp.Diff(want, nackPairs([]uint16{26, 10, 29, 27, 11})); d != "" {
		t.Errorf("pairs (-want +got):\n%s", d)
	}
	if b := nack(1, 2, 3, []uint16{10}); len(b)%4 != 0 || b[len(b)-16] != 0x91 || b[len(b)-15] != 205 {
		t.Errorf("nack %x", b)
	}
}

func TestDepayload(t *testing.T) {
	whole := func(n int, data string) []byte { return append([]byte{0x40, 0, 0, byte(n)}, data...) }
	part := func(at int, data string) []byte { return append([]byte{0, 0, 0, byte(at)}, data...) }
	type in struct {
		payload []byte
		marker  bool
	}
	for _, c := range []struct {
		name string
		in   []in
		want []string
	}{
		{"length without header", []in{{whole(3, "abc"), true}}, []string{"abc"}},
		{"length with header", []in{{whole(7, "abc"), true}}, []string{"abc"}},
		{"two, without", []in{{append(whole(3, "abc"), whole(2, "de")...), true}}, []string{"abc", "de"}},
		{"two, with", []in{{append(whole(7, "abc"), whole(6, "de")...), true}}, []string{"abc", "de"}},
		{"all options", []in{{append([]byte{0x78, 0, 0, 3}, "aaaabbbbccccxyz"...), true}}, []string{"xyz"}},
		{"length wrong", []in{{whole(200, "abc"), true}}, []string{"abc"}},
		{"fragments", []in{{part(0, "abc"), false}, {part(3, "de"), false}, {part(5, "f"), true}}, []string{"abcdef"}},
		{"fragment missing", []in{{part(0, "abc"), false}, {part(5, "f"), true}, {whole(3, "xyz"), true}}, []string{"xyz"}},
		{"first fragment missing", []in{{part(3, "de"), true}, {part(0, "ab"), true}}, []string{"ab"}},
		{"too short", []in{{[]byte{0x40, 0}, true}, {[]byte{0x78, 0, 0, 9, 1}, true}}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := &depayloader{lost: true}
			var got []string
			for _, i := range c.in {
				for _, b := range d.push(i.payload, i.marker) {
					got = append(got, string(b))
				}
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("packets (-want +got):\n%s", diff)
			}
		})
	}
}

func TestParseDescription(t *testing.T) {
	const media = "m=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\na=control:trackID=0\r\n" +
		"m=audio 0 RTP/AVP 97\na=rtpmap:97 mpeg4-generic/44100/2\na=control:rtsp://other/b\n"
	for _, c := range []struct {
		name, sdp string
		base      string
		controls  []string
		bad       bool
	}{
		{"base of the answer", media, "rtsp://h/a/", []string{"rtsp://h/a/trackID=0", "rtsp://other/b"}, false},
		{"control of all", "a=control:*\r\n" + media, "rtsp://h/a/", []string{"rtsp://h/a/trackID=0", "rtsp://other/b"}, false},
		{"absolute control", "a=control:rtsp://h/c\r\n" + media, "rtsp://h/c", []string{"rtsp://h/c/trackID=0", "rtsp://other/b"}, false},
		{"no media", "v=0\r\n", "", nil, true},
		{"bad header", "a=pgmpu:" + headerURL + "!!\r\n" + media, "", nil, true},
		{"short header", "a=pgmpu:" + headerURL + "AAAA\r\n" + media, "", nil, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			d, err := parseDescription([]byte(c.sdp), "rtsp://h/a/")
			if (err != nil) != c.bad {
				t.Fatalf("error %v", err)
			}
			if c.bad {
				return
			}
			var controls []string
			for _, s := range d.streams {
				controls = append(controls, s.control)
			}
			if d.base != c.base || !cmp.Equal(controls, c.controls) || d.streams[1].clock != 44100 {
				t.Errorf("base %q, controls %q, clock %d", d.base, controls, d.streams[1].clock)
			}
		})
	}
}
