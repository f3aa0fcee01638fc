package rtspwire

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
)

// TestWireTriple: what came leaves, cut anywhere it is unfinished, and one byte at a time reads the same.
func TestWireTriple(t *testing.T) {
	tests := []struct{ name, wire string }{
		{"request", setup},
		{"response with a body that ends like a frame", reply},
		{"frame", block},
		{"empty frame", "$\x00\x00\x00"},
		{"frame of 65535 bytes", string(AppendFrame(nil, 255, make([]byte, MaxFramePayload)))},
		{"response without fields", "RTSP/1.0 501 Not Implemented\r\n\r\n"},
		{"empty values", "OPTIONS * RTSP/1.0\r\nCSeq:1\r\nX:\r\nY: \t\r\n\r\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := string(readOne(t, []byte(tt.wire)).Append(nil)); got != tt.wire {
				t.Errorf("round trip: got %.300q", got)
			}
			step := 1 + len(tt.wire)/2000
			for cut := 1; cut < len(tt.wire); cut += step {
				if item, err := NewReader(whole(tt.wire[:cut]), Limits{}).Read(); err != io.ErrUnexpectedEOF {
					t.Fatalf("cut at %d: got %v, %v", cut, item, err)
				}
			}
			if d := cmp.Diff(transcript(whole(tt.wire), Limits{}), transcript(bytewise(tt.wire), Limits{})); d != "" {
				t.Errorf("one byte at a time (-whole +bytes):\n%s", d)
			}
		})
	}
}

// TestStream reads what stands between and around messages.
func TestStream(t *testing.T) {
	const options = "OPTIONS * RTSP/1.0\r\nCSeq: 1\r\n\r\n"
	one := `*rtspwire.Request "OPTIONS * RTSP/1.0\r\nCSeq: 1\r\n\r\n"`
	frame := `*rtspwire.Frame "$\x01\x00\x05hello"`
	ok := `*rtspwire.Response "RTSP/1.0 200 OK\r\n\r\n"`
	tests := []struct {
		name, in string
		want     []string
	}{
		{"nothing", "", []string{"EOF, 0 skipped"}},
		{"pipelined, with frames between", options + block + options, []string{one, frame, one, "EOF, 0 skipped"}},
		{"line ends between messages are no garbage", "\r\n\r\n" + options + "\n\r" + options, []string{one, one, "EOF, 0 skipped"}},
		{"NUL after a body whose length was one short (GStreamer)", "\x00" + options, []string{one, "EOF, 1 skipped"}},
		{"binary garbage before a frame", "\x01\xfe\xff\x00" + block, []string{frame, "EOF, 4 skipped"}},
		{"text garbage before a frame", "junk and more" + block, []string{frame, "EOF, 13 skipped"}},
		{"a line of garbage", "junk and more\r\n" + options, []string{one, "EOF, 15 skipped"}},
		{"end of a body before a response", "=96RTSP/1.0 200 OK\r\n\r\n", []string{ok, "EOF, 3 skipped"}},
		{"end of a body before a request", "\r\na=x:y\r\n" + options, []string{one, "EOF, 7 skipped"}},
		{"bare CR and nobody speaks after it", "OPTIONS * RTSP/1.0\rCSeq: 1\r\r", []string{one, "EOF, 0 skipped"}},
		{"bare CR, then a frame", "OPTIONS * RTSP/1.0\rCSeq: 1\r\r" + block, []string{one, frame, "EOF, 0 skipped"}},
		{"bare CR, CRLF and a body", "SETUP * RTSP/1.0\rContent-Length: 3\r\n\r\n\nab" + options,
			[]string{`*rtspwire.Request "SETUP * RTSP/1.0\r\nContent-Length: 3\r\n\r\n\nab"`, one, "EOF, 0 skipped"}},
		{"unfinished garbage", "junk", []string{"unexpected EOF, 0 skipped"}},
		{"HTTP tunnel", "GET /x HTTP/1.0\r\nx-sessioncookie: a\r\n\r\n",
			[]string{`*rtspwire.Request "GET /x HTTP/1.0\r\nx-sessioncookie: a\r\n\r\n"`, "EOF, 0 skipped"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if d := cmp.Diff(tt.want, transcript(whole(tt.in), Limits{})); d != "" {
				t.Errorf("(-want +got):\n%s", d)
			}
			if d := cmp.Diff(tt.want, transcript(bytewise(tt.in), Limits{})); d != "" {
				t.Errorf("one byte at a time (-want +got):\n%s", d)
			}
		})
	}
}

// TestLimits: each limit is met by one message and passed by the next longer one.
func TestLimits(t *testing.T) {
	head := "SETUP * RTSP/1.0\r\nCSeq: 5\r\n"
	tests := []struct {
		name   string
		lim    Limits
		within string
		over   string
		want   TooLargeError
	}{
		{"line", Limits{Line: 16}, "SETUP * RTSP/1.0\r\n\r\n", "SETUP ** RTSP/1.0\r\nCSeq: 5\r\n\r\n",
			TooLargeError{What: "line", Limit: 16, CSeq: "5", Kind: KindRequest}},
		{"field", Limits{Field: 7}, head + "X: abcd\r\n\r\n", head + "X: abcde\r\n\r\n",
			TooLargeError{What: "field", Limit: 7, CSeq: "5", Kind: KindRequest}},
		{"folds count for the field", Limits{Field: 10}, head + "X: ab\r\n c\r\n\r\n", head + "X: abc\r\n cd\r\n\r\n",
			TooLargeError{What: "field", Limit: 10, CSeq: "5", Kind: KindRequest}},
		{"header", Limits{Header: 33}, head + "X:\r\n\r\n", head + "X: y\r\n\r\n",
			TooLargeError{What: "header", Limit: 33, CSeq: "5", Fatal: true, Kind: KindRequest}},
		{"fields", Limits{Fields: 2}, head + "X:\r\n\r\n", head + "X:\r\nY:\r\n\r\n",
			TooLargeError{What: "fields", Limit: 2, CSeq: "5", Fatal: true, Kind: KindRequest}},
		{"body", Limits{Body: 4}, head + "Content-Length: 4\r\n\r\nabcd", head + "Content-Length: 5\r\n\r\nabcde",
			TooLargeError{What: "body", Limit: 4, CSeq: "5", Fatal: true, Kind: KindRequest}},
		{"garbage", Limits{Garbage: 4}, "\x00\x00\x00\x00" + head + "\r\n", "\x00\x00\x00\x00\x00" + head,
			TooLargeError{What: "garbage", Limit: 4, Fatal: true}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if _, err := NewReader(whole(tt.within), tt.lim).Read(); err != nil {
				t.Errorf("within the limit: %v", err)
			}
			r := NewReader(bytewise(tt.over+probe), tt.lim)
			_, err := r.Read()
			var large *TooLargeError
			if !errors.As(err, &large) || !errors.Is(err, ErrTooLarge) || *large != tt.want {
				t.Fatalf("over the limit: %#v", err)
			}
			if tt.lim.Line == 0 && tt.lim.Field == 0 && !large.Fatal {
				wantProbe(t, r)
			}
		})
	}
}

// TestKind: what was refused was meant as a request, a response or nothing.
func TestKind(t *testing.T) {
	for _, tt := range []struct {
		name, in string
		want     Kind
	}{
		{"request", "OPTIONS * RTSP/1.0\r\nBad Name: x\r\n\r\n", KindRequest},
		{"request, two lengths", "OPTIONS * RTSP/1.0\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", KindRequest},
		{"half a request line", "OPTIONS\r\nCSeq: 1\r\n\r\n", KindRequest},
		{"response", "RTSP/1.0 200 OK\r\nBad Name: x\r\n\r\n", KindResponse},
		{"response, too large", "RTSP/1.0 200 OK\r\nX: " + strings.Repeat("x", 70000) + "\r\n\r\n", KindResponse},
		{"half a status line", "RTSP/1.0 OK\r\n\r\n", KindNone},
		{"garbage", strings.Repeat("\x00", 70000), KindNone},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := NewReader(whole(tt.in), Limits{}).Read()
			got := Kind(99)
			var syntax *SyntaxError
			var large *TooLargeError
			switch {
			case errors.As(err, &syntax):
				got = syntax.Kind
			case errors.As(err, &large):
				got = large.Kind
			}
			if got != tt.want {
				t.Errorf("kind %d of %v, want %d", got, err, tt.want)
			}
		})
	}
}

// TestNothingPromisedIsAllocated: a length alone, however large, makes the reader hold no more than what arrived.
func TestNothingPromisedIsAllocated(t *testing.T) {
	for _, in := range []string{
		"SETUP * RTSP/1.0\r\nContent-Length: 4194304\r\n\r\nab",
		"$\x00\xff\xffab",
	} {
		r := NewReader(whole(in), Limits{})
		if _, err := r.Read(); err != io.ErrUnexpectedEOF {
			t.Errorf("%.30q: %v", in, err)
		}
		if held := cap(r.buf) + cap(r.pending.body); held > 4*bufferMin {
			t.Errorf("%.30q: holds %d bytes", in, held)
		}
	}
}

// TestSourceErrors: an error that passes, such as a deadline, loses nothing.
func TestSourceErrors(t *testing.T) {
	for cut := range len(setup + reply) {
		late := errors.New("deadline")
		r := NewReader(io.MultiReader(whole((setup + reply)[:cut]), iotest.ErrReader(late)), Limits{})
		var err error
		items := 0
		for err == nil {
			if _, err = r.Read(); err == nil {
				items++
			}
		}
		if err != late {
			t.Fatalf("cut at %d: got %v", cut, err)
		}
		r.src = whole((setup + reply)[cut:])
		for err = nil; err == nil; items++ {
			_, err = r.Read()
		}
		if items != 3 || err != io.EOF { // two items and the end
			t.Fatalf("cut at %d: %d items, %v", cut, items-1, err)
		}
	}
	if _, err := NewReader(silent{}, Limits{}).Read(); err != io.ErrNoProgress {
		t.Errorf("a source that gives nothing: %v", err)
	}
}

type silent struct{}

func (silent) Read([]byte) (int, error) { return 0, nil }

// TestRest: who takes a connection over gets every byte after the message.
func TestRest(t *testing.T) {
	r := NewReader(whole("POST /x HTTP/1.0\r\nContent-Length: 32767\r\n\r\nT1BUSU9O"), Limits{})
	item, err := r.Read()
	if err != nil {
		t.Fatal(err)
	}
	if q := item.(*Request); q.Version != "HTTP/1.0" || q.Method != "POST" || q.URL != "/x" || q.Body != nil {
		t.Errorf("got %+v", q)
	}
	if r.Buffered() != 8 {
		t.Errorf("%d bytes buffered", r.Buffered())
	}
	if rest, err := io.ReadAll(r.Rest()); string(rest) != "T1BUSU9O" || err != nil {
		t.Errorf("the rest is %q, %v", rest, err)
	}
}

// TestLargeBufferIsGivenBack: one large head does not cost a quiet connection its memory for ever.
func TestLargeBufferIsGivenBack(t *testing.T) {
	large := "SETUP * RTSP/1.0\r\n" + strings.Repeat("X: "+strings.Repeat("a", 60000)+"\r\n", 4) + "\r\n"
	r := NewReader(io.MultiReader(whole(large), bytewise(setup)), Limits{})
	for range 2 {
		if _, err := r.Read(); err != nil {
			t.Fatal(err)
		}
	}
	if len(r.buf) != bufferMin {
		t.Errorf("buffer of %d bytes", len(r.buf))
	}
}

// TestReaddress: frames that lie together leave together, with other channels and nothing else changed, however the
// stream is cut.
func TestReaddress(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	var in, want []byte
	frames := 0
	for range 2000 {
		if random.IntN(20) == 0 {
			in = append(in, "OPTIONS * RTSP/1.0\r\n\r\n"...)
			continue
		}
		payload := make([]byte, random.IntN(3000))
		for i := range payload {
			payload[i] = byte(random.Uint32())
		}
		channel := uint8(random.IntN(4))
		in, want = AppendFrame(in, channel, payload), AppendFrame(want, channel+10, payload)
		frames++
	}
	r := NewReader(&cut{data: in, random: random}, Limits{})
	var got, run []byte
	runs := 0
	leave := func() {
		if len(run) > 0 {
			got, run = append(got, run...), nil
			runs++
		}
	}
	for {
		item, err := r.Read()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		f, ok := item.(*Frame)
		if !ok {
			continue
		}
		payload := bytes.Clone(f.Payload)
		if joined, ok := f.ReaddressAfter(run, f.Channel+10); ok {
			run = joined
		} else {
			leave()
			run = f.Readdress(f.Channel + 10)
		}
		if !bytes.Equal(payload, f.Payload) {
			t.Fatal("the payload has changed")
		}
		if !r.FrameReady() {
			leave()
		}
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%d bytes left, want %d", len(got), len(want))
	}
	if runs >= frames/2 {
		t.Errorf("%d frames in %d runs", frames, runs)
	}
	alone := Frame{Channel: 1, Payload: []byte("ab")}
	if _, ok := alone.ReaddressAfter(got, 2); ok || string(alone.Readdress(2)) != "$\x02\x00\x02ab" {
		t.Error("a frame that was not read")
	}
	if long := (&Frame{Payload: make([]byte, MaxFramePayload+1)}); long.Readdress(1) != nil {
		t.Error("a frame that cannot be one")
	}
}

// cut gives data in pieces of any length.
type cut struct {
	data   []byte
	random *rand.Rand
}

func (c *cut) Read(b []byte) (int, error) {
	if len(c.data) == 0 {
		return 0, io.EOF
	}
	n := copy(b, c.data[:min(len(c.data), 1+c.random.IntN(20000))])
	c.data = c.data[n:]
	return n, nil
}

// TestAllocations: a frame costs nothing, a SETUP little.
func TestAllocations(t *testing.T) {
	frames := NewReader(&repeat{data: []byte(block + string(AppendFrame(nil, 0, make([]byte, 1400))))}, Limits{})
	read := func(r *Reader) func() {
		return func() {
			if _, err := r.Read(); err != nil {
				t.Fatal(err)
			}
		}
	}
	for range 100 {
		read(frames)() // the buffer finds its size
	}
	if n := testing.AllocsPerRun(1000, read(frames)); n != 0 {
		t.Errorf("%v allocations per frame", n)
	}
	if n := testing.AllocsPerRun(1000, read(NewReader(&repeat{data: []byte(setup)}, Limits{}))); n > 8 {
		t.Errorf("%v allocations per SETUP", n)
	}
	out := make([]byte, 0, 4096)
	if n := testing.AllocsPerRun(1000, func() { out = AppendFrame(out[:0], 1, []byte("hello")) }); n != 0 {
		t.Errorf("%v allocations per frame written", n)
	}
}

// repeat gives its data for ever.
type repeat struct {
	data []byte
	at   int
}

func (s *repeat) Read(p []byte) (int, error) {
	n := copy(p, s.data[s.at:])
	s.at = (s.at + n) % len(s.data)
	return n, nil
}
