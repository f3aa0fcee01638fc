package udprelay

import (
	"testing"
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
