package origin

import (
	"bytes"
	"strings"
	"testing"
)

func TestParsePragma(t *testing.T) {
	p := parsePragma([]string{
		`no-cache, Rate=1.500,features="a,b", ,=x`, "log-line=a, b c", "stream-switch-entry=ffff:1:0 FFFF:7f:2 1:2 g:1:0 1:1:10000",
		"stream-offset=1:2", "client-id=4294967296", "stream-time=12Connection: Close", "speed=NaN",
	})
	if p.factor("rate") != 1.5 || p["features"] != "a,b" || p["log-line"] != "a, b c" || p.factor("speed") != 1 || p.has("") {
		t.Errorf("%v", p)
	}
	if _, ok := p.number("client-id"); ok {
		t.Error("a number of 33 bits")
	}
	if n, ok := p.number("stream-time"); !ok || n != 12 {
		t.Errorf("stream-time %d, %v", n, ok)
	}
	if n, ok := p.offset(); !ok || n != 1<<32|2 {
		t.Errorf("offset %d, %v", n, ok)
	}
	if list := p.entries(); len(list) != 2 || list[1].Src != noStream || list[1].Dst != 127 || list[1].Thinning != thinAll {
		t.Errorf("entries %v", list)
	}
	if n := len(parsePragma([]string{"stream-switch-entry=" + strings.Repeat("1:1:1 ", 500)}).entries()); n != maxEntries {
		t.Errorf("%d entries", n)
	}
}

// TestFrameObject takes an object apart that is longer than a packet. [MS-WMSP] 2.2.3.1.2.
func TestFrameObject(t *testing.T) {
	object := bytes.Repeat([]byte("0123456789"), 15000)
	_, frames := shape(t, bytes.NewReader(frameObject(frameHeader, 3, object)))
	var got []byte
	for i, f := range frames {
		if f.location != uint32(i) || f.incarnation != 3 || f.flags != []uint8{4, 0, 8}[i] {
			t.Errorf("piece %d: %+v", i, f.flags)
		}
		got = append(got, f.payload...)
	}
	if !bytes.Equal(got, object) || len(frames) != 3 {
		t.Errorf("%d bytes in %d packets", len(got), len(frames))
	}
}
