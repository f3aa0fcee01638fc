package lab

import (
	"bytes"
	"slices"
	"testing"

	"mediagate/internal/asf"
)

// TestRunOfASF: a gap, a changed bit, another order and another header are seen;
// where a player joins, and what it had begun of its last packet, are not.
func TestRunOfASF(t *testing.T) {
	file := SampleASF(t)
	parsed, err := asf.Parse(file)
	if err != nil {
		t.Fatal(err)
	}
	header, size := len(parsed.Header), parsed.PacketSize
	packets := func(from, to int) []byte { return file[header+from*size : header+to*size] }
	dump := func(parts ...[]byte) []byte { return slices.Concat(append([][]byte{parsed.Header}, parts...)...) }
	other := dump(packets(0, 100))
	flipped := dump(packets(30, 60))
	flipped[header+20*size] ^= 1
	beginning := slices.Clone(other)
	beginning[40] ^= 1
	for _, tc := range []struct {
		name string
		got  []byte
		want bool
	}{
		{"all", other, true},
		{"the middle", dump(packets(30, 60)), true},
		{"a part of the last", dump(packets(30, 60), packets(60, 61)[:7]), true},
		{"a gap", dump(packets(30, 40), packets(41, 60)), false},
		{"twice", dump(packets(30, 40), packets(39, 60)), false},
		{"order", dump(packets(40, 50), packets(30, 40)), false},
		{"one bit", flipped, false},
		{"beyond the other's", dump(packets(90, 110)), false},
		{"few", dump(packets(30, 35)), false},
		{"header", beginning, false},
		{"nothing", nil, false},
	} {
		if diff := RunOfASF(tc.got, other, 10); (diff == "") != tc.want {
			t.Errorf("%s: %q", tc.name, diff)
		}
	}
}

// TestRunOfFrames: the same of frames, over the end of the file too; and FramesOf, to which a gap is nothing.
func TestRunOfFrames(t *testing.T) {
	file := Frames(t, SampleASF(t))
	lines := bytes.SplitAfter(file, []byte{'\n'})
	part := func(from, to int) []byte { return bytes.Join(lines[from:to], nil) }
	n := len(lines)
	for _, tc := range []struct {
		name    string
		got     []byte
		run, of bool
	}{
		{"all", file, true, true},
		{"the middle", part(100, n-100), true, true},
		{"over the end", slices.Concat(part(n/2, n), part(0, n/2-50)), true, true},
		{"a gap", slices.Concat(part(50, 200), part(210, n)), false, true},
		{"another's", slices.Concat(part(0, 200), []byte("0, 1, 1, 1, 31104, 0x1bcfa2ff\n"), part(200, n)), false, false},
		{"few", part(100, 120), false, false},
		{"nothing", nil, false, false},
	} {
		if diff := RunOfFrames(tc.got, file, 50); (diff == "") != tc.run {
			t.Errorf("%s: a run: %q", tc.name, diff)
		}
		if diff := FramesOf(tc.got, file, 50); (diff == "") != tc.of {
			t.Errorf("%s: frames of the file: %q", tc.name, diff)
		}
	}
}

// TestDiffTail: only the end of a file is one, and not all of it.
func TestDiffTail(t *testing.T) {
	file := Frames(t, SampleASF(t))
	lines := bytes.SplitAfter(file, []byte{'\n'})
	n := len(lines)
	for _, tc := range []struct {
		name string
		got  []byte
		want bool
	}{
		{"the end", bytes.Join(lines[n/2:], nil), true},
		{"all", file, false},
		{"but one", bytes.Join(lines[n/2:n-2], nil), true},
		{"few", bytes.Join(lines[n-60:], nil), false},
		{"the middle", bytes.Join(lines[n/4:n/4*3], nil), false},
		{"nothing", nil, false},
	} {
		if diff := DiffTail(tc.got, file, 50, 1); (diff == "") != tc.want {
			t.Errorf("%s: %q", tc.name, diff)
		}
	}
}
