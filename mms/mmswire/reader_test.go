package mmswire

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
)

// TestWireTriple: a stream is written as it was read, whole and one byte at a time, and a cut is told.
func TestWireTriple(t *testing.T) {
	whole, begins := conversation()
	for name, src := range map[string]io.Reader{"whole": bytes.NewReader(whole), "bytewise": iotest.OneByteReader(bytes.NewReader(whole)),
		"error with data": iotest.DataErrReader(bytes.NewReader(whole)), "halves": iotest.HalfReader(bytes.NewReader(whole))} {
		t.Run(name, func(t *testing.T) {
			got, err := rewrite(src, Limits{})
			if err != io.EOF || !bytes.Equal(got, whole) {
				t.Errorf("got %d of %d bytes, %v", len(got), len(whole), err)
			}
		})
	}
	short := whole[:4000] // each cut reads all before it again
	for n := range short {
		want := io.ErrUnexpectedEOF
		if begins[n] {
			want = io.EOF
		}
		if got, err := rewrite(bytes.NewReader(short[:n]), Limits{}); err != want || !bytes.HasPrefix(whole, got) {
			t.Fatalf("cut at %d: %v, want %v", n, err, want)
		}
	}
}

func TestReadSeveralMessages(t *testing.T) {
	b := AppendPacket(nil, 7, 99, Encode(&Ping{1, 2, Tail{}}), Raw{MID: 0x0004ffff}, Encode(&ReportStreamSwitch{HR: 3}))
	item, err := NewReader(bytes.NewReader(b), Limits{}).Read()
	if err != nil {
		t.Fatal(err)
	}
	clear(b) // the packet owns its memory
	want := &Packet{Seq: 7, TimeSent: 99, Messages: []Raw{
		{MIDPing, []byte{1, 0, 0, 0, 2, 0, 0, 0}}, {0x0004ffff, []byte{}}, {MIDReportStreamSwitch, []byte{3, 0, 0, 0, 0, 0, 0, 0}}}}
	if diff := cmp.Diff(want, item); diff != "" {
		t.Error(diff)
	}
}

func TestReadData(t *testing.T) {
	b := AppendData(nil, Data{LocationID: 0xf0f0f001, PlayIncarnation: 0xff, AFFlags: 0x10, Payload: []byte("pair")})
	r := NewReader(bytes.NewReader(AppendData(bytes.Clone(b), Data{PlayIncarnation: 0xff, AFFlags: 4})), Limits{})
	item, err := r.Read()
	d, ok := item.(*Data)
	if err != nil || !ok || !d.IsPacketPair() || string(d.Payload) != "pair" || !bytes.Equal(d.Bytes(), b) {
		t.Fatalf("got %+v, %v", item, err)
	}
	// [MS-MMSP] 2.2.4.12: the header of a playlist's next entry has the incarnation of packet pairs.
	item, err = r.Read()
	if d, ok = item.(*Data); err != nil || !ok || d.IsPacketPair() || len(d.Payload) != 0 || len(d.Bytes()) != DataHeaderSize {
		t.Fatalf("got %+v, %v", item, err)
	}
}

// edited returns a packet of two messages with one byte changed.
func edited(at int, value byte) []byte {
	b := AppendPacket(nil, 0, 0, Encode(&Ping{}), Encode(&Ping{}))
	b[at] = value
	return b
}

func TestReadFaults(t *testing.T) {
	for _, tc := range []struct {
		name string
		in   []byte
		want string
	}{
		{"rep", edited(0, 2), "not version 1.0.0"},
		{"version", edited(1, 1), "not version 1.0.0"},
		{"version minor", edited(2, 1), "not version 1.0.0"},
		{"seal", edited(12, 'm'), "the seal"},
		{"messageLength without a header", edited(8, 8), "messageLength is shorter"},
		{"messageLength odd", edited(8, 49), "no multiple of 8"},
		{"messageLength cuts a chunk", edited(8, 24), "at byte 32: chunkLen does not fit"},
		{"chunkLen zero", edited(32, 0), "at byte 32: chunkLen"},
		{"chunkLen over the packet", edited(48, 3), "at byte 48: chunkLen"},
		{"chunkLen that wraps", edited(35, 0x20), "at byte 32: chunkLen"},
		{"too large", edited(10, 1), "over the limit of 65536"},
		{"largest messageLength", AppendPacket(nil, 0, 0)[:8:8], ""},
		{"data packet of 7 bytes", []byte{0, 0, 0, 0, 4, 0, 7, 0}, "PacketSize is less"},
		{"data packet of no size", make([]byte, 8), "PacketSize is less"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			in := tc.in
			if tc.want == "" {
				in = append(in, unhex(t, "f8ffffff 4d4d5320 00000000 00000000 00000000 00000000")...)
				tc.want = "4294967304 bytes are over"
			}
			r := NewReader(bytes.NewReader(in), Limits{})
			item, err := r.Read()
			if err == nil || !strings.Contains(err.Error(), tc.want) || !strings.HasPrefix(err.Error(), "mmswire: read ") {
				t.Fatalf("got %v, %v", item, err)
			}
			var syntax *SyntaxError
			if errors.Is(err, ErrTooLarge) == errors.As(err, &syntax) {
				t.Errorf("%T is neither or both", err)
			}
			if _, again := r.Read(); again != err {
				t.Errorf("then got %v", again)
			}
		})
	}
}

// TestReadTolerates has what players and servers set as they like ([MS-MMSP] 2.2.3, product behaviour 3).
func TestReadTolerates(t *testing.T) {
	for name, at := range map[string]int{"padding": 3, "chunkCount": 16, "MBZ": 22, "timeSent": 24} {
		if _, err := NewReader(bytes.NewReader(edited(at, 0xee)), Limits{}).Read(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestLimit(t *testing.T) {
	b := AppendPacket(nil, 0, 0, Raw{MIDLogging, make([]byte, 80)})
	if _, err := NewReader(bytes.NewReader(b), Limits{Message: len(b)}).Read(); err != nil {
		t.Error(err)
	}
	r := NewReader(bytes.NewReader(b[:16]), Limits{Message: len(b) - 1}) // told before more has come
	if _, err := r.Read(); !errors.Is(err, ErrTooLarge) || errors.Is(err, io.EOF) {
		t.Errorf("got %v", err)
	}
	var large *TooLargeError
	if _, err := r.Read(); !errors.As(err, &large) || large.Size != int64(len(b)) || large.Limit != len(b)-1 {
		t.Errorf("got %+v", large)
	}
}

// TestNothingPromisedIsAllocated: a header may name 1 GiB within its limit, and bring nothing.
func TestNothingPromisedIsAllocated(t *testing.T) {
	b := AppendPacket(nil, 0, 0)
	binary.LittleEndian.PutUint32(b[8:], 1<<30)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	_, err := NewReader(bytes.NewReader(b), Limits{Message: 2 << 30}).Read()
	runtime.ReadMemStats(&after)
	if got := after.TotalAlloc - before.TotalAlloc; err != io.ErrUnexpectedEOF || got > 1<<20 {
		t.Errorf("%d bytes allocated, %v", got, err)
	}
}

// TestPassingErrors: a deadline in the middle of an item loses nothing, and InMessage tells that one has begun.
func TestPassingErrors(t *testing.T) {
	for name, b := range map[string][]byte{"packet": edited(0, 1), "data": AppendData(nil, Data{Payload: make([]byte, 40)})} {
		t.Run(name, func(t *testing.T) {
			src := &passing{data: b}
			r := NewReader(src, Limits{})
			for range len(b) {
				if r.InMessage() != (src.at > 0) {
					t.Fatalf("after %d bytes InMessage is %v", src.at, r.InMessage())
				}
				if src.at == len(b)-1 {
					break
				}
				if item, err := r.Read(); !errors.Is(err, os.ErrDeadlineExceeded) {
					t.Fatalf("got %v, %v", item, err)
				}
			}
			if item, err := r.Read(); item == nil || err != nil || r.InMessage() {
				t.Fatalf("got %v, %v, InMessage %v", item, err, r.InMessage())
			}
		})
	}
}

// passing gives one byte, then a deadline, and so on.
type passing struct {
	data []byte
	at   int
	late bool
}

func (p *passing) Read(b []byte) (int, error) {
	if p.late = !p.late; !p.late {
		return 0, os.ErrDeadlineExceeded
	}
	p.at++
	return copy(b, p.data[p.at-1:p.at]), nil
}

func TestSourceThatGivesNothing(t *testing.T) {
	if _, err := NewReader(silent{}, Limits{}).Read(); err != io.ErrNoProgress {
		t.Errorf("got %v", err)
	}
}

type silent struct{}

func (silent) Read([]byte) (int, error) { return 0, nil }

// repeat gives the same bytes for ever.
type repeat struct {
	data []byte
	at   int
}

func (s *repeat) Read(p []byte) (int, error) {
	n := copy(p, s.data[s.at:])
	s.at = (s.at + n) % len(s.data)
	return n, nil
}

func TestDataAllocatesNothing(t *testing.T) {
	for _, size := range []int{0, 1452, MaxPayload} {
		r := NewReader(&repeat{data: AppendData(nil, Data{Payload: make([]byte, size)})}, Limits{})
		read := func() {
			item, err := r.Read()
			if d, ok := item.(*Data); err != nil || !ok || len(d.Payload) != size {
				t.Fatal(item, err)
			}
		}
		for range 100 {
			read() // the buffer grows to its size
		}
		if n := testing.AllocsPerRun(500, read); n != 0 {
			t.Errorf("%d bytes: %v allocations", size, n)
		}
	}
}

// TestLargeBufferIsGivenBack: a large message does not leave its memory with a connection that is quiet then.
func TestLargeBufferIsGivenBack(t *testing.T) {
	b := AppendPacket(nil, 0, 0, Raw{MIDLogging, make([]byte, 1<<20)})
	r := NewReader(bytes.NewReader(AppendPacket(b, 1, 0)), Limits{Message: 2 << 20})
	for range 2 {
		if _, err := r.Read(); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := r.Read(); err != io.EOF || len(r.buf) > bufferKeep {
		t.Errorf("%v, %d bytes are kept", err, len(r.buf))
	}
}

func BenchmarkReadData(b *testing.B) {
	for _, size := range []int{1452, 8192} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			r := NewReader(&repeat{data: AppendData(nil, Data{Payload: make([]byte, size)})}, Limits{})
			b.SetBytes(int64(size))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := r.Read(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
