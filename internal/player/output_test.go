package player

import (
	"bytes"
	"os"
	"testing"

	"mediagate/internal/asf"
)

// TestOutputOfTries holds that a try without media leaves nothing in the file that the next try writes.
func TestOutputOfTries(t *testing.T) {
	b, err := os.ReadFile("../origin/sample/sample.wmv")
	if err != nil {
		t.Fatal(err)
	}
	f, err := asf.Parse(b)
	if err != nil {
		t.Fatal(err)
	}
	var file bytes.Buffer
	if err := newOutput(&file, &f.Info).finish(); err != nil || file.Len() != 0 {
		t.Fatalf("%d bytes without media, error %v", file.Len(), err)
	}
	o := newOutput(&file, &f.Info)
	o.packet(f.Packets[0])
	o.packet(f.Packets[1])
	if err := o.finish(); err != nil {
		t.Fatal(err)
	}
	got, err := asf.Parse(file.Bytes())
	if err != nil || len(got.Packets) != 2 || !got.Broadcast || !bytes.Equal(got.Packets[1], f.Packets[1]) {
		t.Errorf("%d packets, error %v", len(got.Packets), err)
	}
}
