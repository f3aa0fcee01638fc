package rtspwire

import (
	"bufio"
	"bytes"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/bluenviron/gortsplib/v4/pkg/base"
	"github.com/google/go-cmp/cmp"
)

// FuzzReader: what is unambiguous leaves byte-equal; what leaves has no line end but CRLF and no fold, and reads back
// the same; gortsplib, where it reads our output, counts the same fields; one byte at a time equals whole.
func FuzzReader(f *testing.F) {
	files, err := filepath.Glob(tortureDir + "/*/*")
	if err != nil {
		f.Fatal(err)
	}
	for _, name := range files {
		data, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		if _, message, _ := bytes.Cut(data, []byte("\n")); len(message) < 4<<10 {
			f.Add(message)
		}
	}
	f.Add([]byte(setup + block + reply))
	f.Add([]byte("\x00junk$\x00\x00\x01aRTSP/1.0 200 OK\r\n\r\n"))
	small := Limits{Line: 40, Field: 30, Header: 160, Fields: 4, Body: 50, Garbage: 20}
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, lim := range []Limits{{}, small} {
			all, single := transcript(whole(string(data)), lim), transcript(bytewise(string(data)), lim)
			if d := cmp.Diff(all, single); d != "" {
				t.Fatalf("one byte at a time (-whole +bytes):\n%s", d)
			}
		}
		checkStrict(t, data)
		r := NewReader(bytes.NewReader(data), Limits{})
		for {
			item, err := r.Read()
			switch m := item.(type) {
			case *Request:
				checkWritten(t, m, m.Header, m.Body)
				checkRequest(t, m)
			case *Response:
				checkWritten(t, m, m.Header, m.Body)
				checkResponse(t, m)
			}
			if err == io.EOF || err == io.ErrUnexpectedEOF || r.dead != nil {
				return
			}
		}
	})
}

// strict is a message that every reader reads the same.
var strict = regexp.MustCompile(`^(?s:[A-Z_]+ [!-~]+ RTSP/1\.0|RTSP/1\.0 [1-9][0-9][0-9] [ -~]*)\r\n` +
	"(?:[A-Za-z0-9!#$%&'*+.^_|~-]+:(?:[ -~\\t]*)\r\n)*\r\n")

func checkStrict(t *testing.T, data []byte) {
	t.Helper()
	head := strict.Find(data)
	lower := bytes.ToLower(head)
	if head == nil || bytes.Contains(lower, []byte("\ntransfer-encoding:")) || len(head) > DefaultLine {
		return
	}
	n := 0
	if c := bytes.Count(lower, []byte("\ncontent-length:")); c > 1 {
		return
	} else if c == 1 {
		_, v, _ := bytes.Cut(lower, []byte("\ncontent-length:"))
		v, _, _ = bytes.Cut(v, []byte("\r"))
		s := strings.Trim(string(v), " \t")
		var err error
		if n, err = strconv.Atoi(s); err != nil || strconv.Itoa(n) != s || n < 0 || n > len(data)-len(head) {
			return
		}
	}
	want := data[:len(head)+n]
	if bytes.Count(head, []byte("\n")) > DefaultFields {
		return
	}
	item, err := NewReader(bytes.NewReader(want), Limits{}).Read()
	if err != nil {
		t.Fatalf("unambiguous and refused: %q: %v", want, err)
	}
	if got := item.Append(nil); !bytes.Equal(got, want) {
		t.Fatalf("unambiguous: %q\nleft as:     %q", want, got)
	}
}

func checkWritten(t *testing.T, m Item, h Header, body []byte) {
	t.Helper()
	out := m.Append(nil)
	head := out[:len(out)-len(body)]
	if rest := bytes.ReplaceAll(head, []byte("\r\n"), nil); bytes.ContainsAny(rest, "\r\n\x00") {
		t.Fatalf("line end or NUL: %q", head)
	}
	if bytes.Contains(head, []byte("\n ")) || bytes.Contains(head, []byte("\n\t")) {
		t.Fatalf("fold: %q", head)
	}
	r := NewReader(bytes.NewReader(out), Limits{})
	again, err := r.Read()
	if err != nil {
		t.Fatalf("written %q: %v", out, err)
	}
	if got := again.Append(nil); !bytes.Equal(got, out) {
		t.Fatalf("written   %q\nread again %q", out, got)
	}
	if _, err = r.Read(); err != io.EOF || r.Skipped() != 0 {
		t.Fatalf("after %q: %v", out, err)
	}
	c := h.Clone()
	c.Set("Session", "edited")
	c.Del("session")
	h = h.Clone()
	h.Del("Session")
	if got, want := c.append(nil), h.append(nil); !bytes.Equal(got, want) {
		t.Fatalf("an edit of Session made %q of %q", got, want)
	}
}

func checkRequest(t *testing.T, m *Request) {
	t.Helper()
	var theirs base.Request
	if theirs.Unmarshal(bufio.NewReader(bytes.NewReader(m.Append(nil)))) == nil {
		checkOracle(t, m, theirs.Header, m.Header.Len(), theirs.Body, m.Body)
		if string(theirs.Method) != m.Method {
			t.Fatalf("method %q, gortsplib reads %q", m.Method, theirs.Method)
		}
	}
}

func checkResponse(t *testing.T, m *Response) {
	t.Helper()
	var theirs base.Response
	if theirs.Unmarshal(bufio.NewReader(bytes.NewReader(m.Append(nil)))) == nil {
		checkOracle(t, m, theirs.Header, m.Header.Len(), theirs.Body, m.Body)
		if int(theirs.StatusCode) != m.Status {
			t.Fatalf("status %d, gortsplib reads %d", m.Status, theirs.StatusCode)
		}
	}
}

func checkOracle(t *testing.T, m Item, theirs base.Header, fields int, theirBody, body []byte) {
	t.Helper()
	n := 0
	for _, v := range theirs {
		n += len(v)
	}
	if n != fields || !bytes.Equal(theirBody, body) {
		t.Fatalf("%q: %d fields and body %q, gortsplib reads %d and %q", m.Append(nil), fields, body, n, theirBody)
	}
}
