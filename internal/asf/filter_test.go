package asf

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestFilter(t *testing.T) {
	f := parse(t, sample(t))
	var shortened, left int
	for n, raw := range f.Packets {
		p, err := ParsePacket(raw)
		if err != nil {
			t.Fatal(err)
		}
		if got := p.Filter(func(Payload) bool { return true }); len(got) == 0 || &got[0] != &raw[0] {
			t.Errorf("packet %d: all payloads are not the packet itself", n)
		}
		if got := p.Filter(func(Payload) bool { return false }); got != nil {
			t.Errorf("packet %d: no payloads are %d bytes", n, len(got))
		}
		var want []Payload
		b := p.Filter(func(l Payload) bool {
			if l.Stream == 2 {
				want = append(want, l)
			}
			return l.Stream == 2
		})
		if b == nil {
			left++
			if len(want) > 0 {
				t.Errorf("packet %d: %d payloads are gone", n, len(want))
			}
			continue
		}
		q, err := ParsePacket(b)
		if err != nil {
			t.Fatalf("packet %d: %v", n, err)
		}
		if d := cmp.Diff(want, q.Payloads); d != "" || q.SendTime != p.SendTime || q.Duration != p.Duration {
			t.Errorf("packet %d at %d ms, %d before: payloads (-want +got):\n%s", n, q.SendTime, p.SendTime, d)
		}
		if len(want) < len(p.Payloads) {
			shortened++
			if q.Length != len(b) || q.Padding != 0 {
				t.Errorf("packet %d: length %d, padding %d of %d bytes", n, q.Length, q.Padding, len(b))
			}
		}
	}
	if shortened == 0 || left == 0 {
		t.Errorf("%d packets shortened, %d left out", shortened, left)
	}
}
