package rtspwire

import (
	"io"
	"testing"

	"github.com/bluenviron/gortsplib/v4/pkg/conn"
)

type readOnly struct{ io.Reader }

func (readOnly) Write(p []byte) (int, error) { return len(p), nil }

func BenchmarkReadSetup(b *testing.B) {
	r := NewReader(&repeat{data: []byte(setup)}, Limits{})
	b.ReportAllocs()
	for b.Loop() {
		if _, err := r.Read(); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkReadSetupGortsplib(b *testing.B) {
	c := conn.NewConn(readOnly{&repeat{data: []byte(setup)}})
	b.ReportAllocs()
	for b.Loop() {
		if _, err := c.Read(); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkReadWriteSetup(b *testing.B) {
	r := NewReader(&repeat{data: []byte(setup)}, Limits{})
	out := make([]byte, 0, 1024)
	b.ReportAllocs()
	for b.Loop() {
		item, err := r.Read()
		if err != nil {
			b.Fatal(err)
		}
		out = item.Append(out[:0])
	}
}

func BenchmarkReadFrame(b *testing.B) {
	data := AppendFrame(nil, 0, make([]byte, 1400))
	r := NewReader(&repeat{data: data}, Limits{})
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := r.Read(); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkReadFrameGortsplib(b *testing.B) {
	data := AppendFrame(nil, 0, make([]byte, 1400))
	c := conn.NewConn(readOnly{&repeat{data: data}})
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := c.Read(); err != nil {
			b.Fatal(err)
		}
	}
}
