package rtspwire

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const (
	tortureDir = "../../testdata/torture/rtsp"
	probe      = "TEARDOWN rtsp://probe.test/ RTSP/1.0\r\nCSeq: 77\r\n\r\n"
)

// TestTorture runs the reader over every file, followed by one good message: where the connection goes on, that message
// must be the next one read.
func TestTorture(t *testing.T) {
	files, err := filepath.Glob(tortureDir + "/*/*")
	if err != nil || len(files) < 40 {
		t.Fatalf("got %d files, %v; want at least 40", len(files), err)
	}
	for _, name := range files {
		kind := filepath.Base(filepath.Dir(name))
		t.Run(kind+"/"+filepath.Base(name), func(t *testing.T) {
			data, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			first, message, _ := bytes.Cut(data, []byte("\n"))
			want, ok := strings.CutPrefix(string(first), "want: ")
			if !ok {
				t.Fatalf("first line is %q", first)
			}
			if kind == "valid" {
				checkRead(t, want, message)
			} else {
				checkRefused(t, want, message)
			}
		})
	}
}

func checkRead(t *testing.T, want string, message []byte) {
	t.Helper()
	r := NewReader(strings.NewReader(string(message)+probe), Limits{})
	item, err := r.Read()
	if err != nil {
		t.Fatal(err)
	}
	out := item.Append(nil)
	if want == "forward plain" == bytes.Equal(out, message) {
		t.Errorf("want %s, written out as %.200q", want, out)
	}
	if again := readOne(t, out); !bytes.Equal(again.Append(nil), out) {
		t.Errorf("read again it is %.200q, was %.200q", again.Append(nil), out)
	}
	wantProbe(t, r)
}

func checkRefused(t *testing.T, want string, message []byte) {
	t.Helper()
	r := NewReader(strings.NewReader(string(message)+probe), Limits{})
	item, err := r.Read()
	if item != nil {
		t.Fatalf("read %.200q", item.Append(nil))
	}
	var syntax *SyntaxError
	var large *TooLargeError
	status, cseq, fatal := "", "", false
	switch {
	case errors.As(err, &syntax):
		status, cseq, fatal = "400", syntax.CSeq, syntax.Fatal
	case errors.As(err, &large):
		status, cseq, fatal = "413", large.CSeq, large.Fatal
		if large.What == "line" {
			status = "414"
		}
	default:
		t.Fatal(err)
	}
	if fatal {
		status += " close"
	}
	if status != want || cseq != "5" {
		t.Errorf("got %s with CSeq %q, want %s: %v", status, cseq, want, err)
	}
	if _, again := r.Read(); fatal && !errors.Is(again, err) {
		t.Errorf("after a fatal error Read gives %v", again)
	}
	if !fatal {
		r = NewReader(strings.NewReader(string(message)+probe), Limits{})
		_, _ = r.Read()
		wantProbe(t, r)
	}
}

func wantProbe(t *testing.T, r *Reader) {
	t.Helper()
	item, err := r.Read()
	if err != nil {
		t.Fatalf("the message after it: %v", err)
	}
	if got := string(item.Append(nil)); got != probe {
		t.Errorf("the message after it is %.200q", got)
	}
	if item, err = r.Read(); err != io.EOF {
		t.Errorf("at the end got %v, %v", item, err)
	}
}

func readOne(t *testing.T, data []byte) Item {
	t.Helper()
	item, err := NewReader(bytes.NewReader(data), Limits{}).Read()
	if err != nil {
		t.Fatalf("read %.200q: %v", data, err)
	}
	return item
}
