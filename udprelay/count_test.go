package udprelay

import (
	"testing"
	"time"
	"unsafe"
)

// TestLines: what a packet of the media touches of a flow lies in five lines of the processor's cache, if Go's allocator puts a word
// before an object of this size, as it does since Go 1.22; and what is asked of bearings is a line each.
func TestLines(t *testing.T) {
	const word, line = 8, 64
	var f Flow
	for name, at := range map[string]struct{ got, want uintptr }{
		"legs":            {unsafe.Offsetof(f.legs) + word, line},
		"along":           {unsafe.Offsetof(f.along) + word, 2 * line},
		"end of a source": {unsafe.Offsetof(f.meter) + unsafe.Offsetof(f.meter.sources) + unsafe.Sizeof(source{}) + word, 5 * line},
		"target":          {unsafe.Offsetof(bearings{}.to), line},
		"bearings":        {unsafe.Sizeof(bearings{}), 4 * line},
	} {
		if at.got != at.want {
			t.Errorf("%s: at %d, want %d", name, at.got, at.want)
		}
	}
}

// TestIntake: each flow gets what is its own of a message that has datagrams of several, once, and what was only looked at is not seen.
func TestIntake(t *testing.T) {
	r := newRelay(t, Config{})
	h := newHosts()
	now := time.Unix(7, 0)
	one, two, none := newFlow(r, h.spec()), newFlow(r, h.spec()), newFlow(r, h.spec())
	in := newIntake(Origin, now)
	in.open(one)
	in.add(100, false)
	in.add(20, true)
	in.media = true
	in.open(none)
	in.open(two)
	in.add(30, true)
	in.settle()
	in.settle()
	if s := one.Stats(); s.FromOrigin != (Traffic{2, 120, 1}) || s.Media.Packets != 1 || s.Media.Bytes != 100 ||
		!s.FirstMedia.Equal(now) || !s.LastMedia.Equal(now) || !one.LastSeen(Origin).Equal(now) {
		t.Errorf("first: %+v", s)
	}
	if s := two.Stats(); s.FromOrigin != (Traffic{1, 30, 1}) || s.Media.Packets != 0 || !s.LastMedia.IsZero() || !two.LastSeen(Origin).Equal(now) {
		t.Errorf("second: %+v", s)
	}
	if s := none.Stats(); s.FromOrigin != (Traffic{}) || !none.LastSeen(Origin).IsZero() || !none.LastSeen(Client).IsZero() {
		t.Errorf("neither: %+v", s)
	}
}
