package rtspwire

import (
	"bytes"
	"testing"
)

// pieces gives data in pieces whose lengths are those of sizes, again and again, and counts the calls.
type pieces struct {
	data, sizes []byte
	at, calls   int
}

func (p *pieces) Read(b []byte) (int, error) {
	p.calls++
	if p.at == len(p.data) {
		return 0, errAt
	}
	n := 1
	if len(p.sizes) > 0 {
		n += int(p.sizes[p.calls%len(p.sizes)]) * 17
	}
	n = copy(b, p.data[p.at:min(len(p.data), p.at+n)])
	p.at += n
	return n, nil
}

var errAt = &SyntaxError{Fatal: true}

// FuzzFrames: frames that are joined in the buffer as they come are those that are read one by one, whatever is between them and
// however it comes; a frame that is said to be there is read without asking the source.
func FuzzFrames(f *testing.F) {
	frame := func(n int) string { return string(AppendFrame(nil, 3, bytes.Repeat([]byte{'$'}, n))) }
	f.Add([]byte(frame(1400)+frame(0)+setup+frame(20)), []byte{200, 3, 1})
	f.Add([]byte(frame(100)+"\x00"+frame(9000)+block+frame(40000)+frame(1)), []byte{255})
	f.Fuzz(func(t *testing.T, data, sizes []byte) {
		var want, got []byte
		for r := NewReader(&pieces{data: data}, Limits{}); ; {
			item, err := r.Read()
			if one, ok := item.(*Frame); ok && err == nil {
				want = AppendFrame(want, one.Channel^1, one.Payload)
			}
			if err != nil && fatal(err) {
				break
			}
		}
		src := &pieces{data: data, sizes: sizes}
		r := NewReader(src, Limits{})
		var run []byte
		for ready := false; ; {
			calls := src.calls
			item, err := r.Read()
			one, ok := item.(*Frame)
			if ready && (!ok || err != nil || src.calls != calls) {
				t.Fatalf("a frame was said to be there: %T, %v", item, err)
			}
			if err != nil && fatal(err) {
				break
			}
			if ready = ok && err == nil && r.FrameReady(); !ok || err != nil {
				continue
			}
			joined, ok := one.ReaddressAfter(run, one.Channel^1)
			if !ok {
				got = append(got, run...)
				joined = one.Readdress(one.Channel ^ 1)
			}
			if run = joined; !ready {
				got, run = append(got, run...), nil
			}
		}
		if !bytes.Equal(got, want) {
			t.Fatalf("%d bytes of frames left, want %d", len(got), len(want))
		}
	})
}

// fatal says that nothing more is read after an error.
func fatal(err error) bool {
	switch e := err.(type) {
	case *SyntaxError:
		return e.Fatal
	case *TooLargeError:
		return e.Fatal
	}
	return true
}
