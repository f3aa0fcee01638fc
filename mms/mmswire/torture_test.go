package mmswire

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const tortureDir = "../../testdata/torture/mms"

// TestTorture runs the reader over every file, followed by one good packet: where the connection goes on, that packet
// must be the next one read.
func TestTorture(t *testing.T) {
	files, err := filepath.Glob(tortureDir + "/*/*")
	if err != nil || len(files) < 40 {
		t.Fatalf("got %d files, %v; want at least 40", len(files), err)
	}
	for _, name := range files {
		kind := filepath.Base(filepath.Dir(name))
		t.Run(kind+"/"+filepath.Base(name), func(t *testing.T) {
			text, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			first, rest, _ := strings.Cut(string(text), "\n")
			want, ok := strings.CutPrefix(first, "want: ")
			if !ok {
				t.Fatalf("first line is %q", first)
			}
			if kind == "valid" {
				checkRead(t, want, unhex(t, rest))
			} else {
				checkRefused(t, want, unhex(t, rest))
			}
		})
	}
}

// checkRead reads all items of a file, and what is in them.
func checkRead(t *testing.T, want string, wire []byte) {
	t.Helper()
	probe := AppendPacket(nil, 0xbeef, 0, Encode(&Pong{7, 8, Tail{}}))
	r := NewReader(bytes.NewReader(append(bytes.Clone(wire), probe...)), Limits{})
	var out []byte
	got := "forward"
	for {
		item, err := r.Read()
		if err != nil {
			t.Fatal(err)
		}
		switch item := item.(type) {
		case *Data:
			out = append(out, item.Bytes()...)
		case *Packet:
			if item.Seq == 0xbeef {
				if !bytes.Equal(AppendPacket(nil, item.Seq, 0, item.Messages...), probe) {
					t.Error("the packet after it is another")
				}
				if bytes.Equal(out, wire) != (got == "forward") && got == "forward" {
					got = "forward plain"
				}
				if got != want {
					t.Errorf("got %q, want %q; written as\n%x", got, want, out)
				}
				return
			}
			messages := item.Messages
			for i, raw := range messages {
				m, err := Decode(raw)
				if err != nil {
					got = "not understood"
					continue
				}
				messages[i] = Encode(m)
			}
			out = AppendPacket(out, item.Seq, item.TimeSent, messages...)
		}
	}
}

// checkRefused reads until the error that ends the connection.
func checkRefused(t *testing.T, want string, wire []byte) {
	t.Helper()
	r := NewReader(bytes.NewReader(wire), Limits{})
	var err error
	for err == nil {
		_, err = r.Read()
	}
	var syntax *SyntaxError
	got := err.Error()
	switch {
	case errors.As(err, &syntax):
		got = "refuse"
	case errors.Is(err, ErrTooLarge):
		got = "too large"
	case errors.Is(err, io.ErrUnexpectedEOF):
		got = "cut"
	}
	if got != want {
		t.Errorf("got %q, want %q: %v", got, want, err)
	}
}
