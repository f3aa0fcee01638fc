package asf

import (
	"bytes"
	"encoding/binary"
	"errors"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// sample is the bundled file; the other rooms stream it.
func sample(t testing.TB) []byte {
	t.Helper()
	b, err := os.ReadFile("../origin/sample/sample.wmv")
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func parse(t testing.TB, b []byte) *File {
	t.Helper()
	f, err := Parse(b)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestParseSample(t *testing.T) {
	f := parse(t, sample(t))
	want := []Stream{{Number: 1, Kind: Video, Codec: "WMV2"}, {Number: 2, Kind: Audio, Codec: "WMA2"}}
	if d := cmp.Diff(want, f.Streams); d != "" {
		t.Errorf("streams (-want +got):\n%s", d)
	}
	if f.PacketSize != 1400 || uint64(len(f.Packets)) != f.PacketCount || f.Broadcast {
		t.Errorf("packet size %d, %d packets of %d, broadcast %v", f.PacketSize, len(f.Packets), f.PacketCount, f.Broadcast)
	}
	if f.Duration < 9900 || f.Duration > 10200 || f.Preroll != 3100 {
		t.Errorf("duration %d ms, preroll %d ms", f.Duration, f.Preroll)
	}
	var last uint32
	var keys int
	for n, b := range f.Packets {
		p, err := ParsePacket(b)
		if err != nil {
			t.Fatalf("packet %d: %v", n, err)
		}
		if p.SendTime < last {
			t.Errorf("packet %d is sent at %d ms, before %d", n, p.SendTime, last)
		}
		last = p.SendTime
		if p.KeyFrame() {
			keys++
		}
	}
	if last < 9500 || last > 10500 || keys < 5 {
		t.Errorf("last packet at %d ms, %d packets with key frames", last, keys)
	}
}

// payloadsOf is all that must survive a change of padding.
func payloadsOf(t *testing.T, b []byte) *Packet {
	t.Helper()
	p, err := ParsePacket(b)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestPaddingThereAndBack(t *testing.T) {
	f := parse(t, sample(t))
	stripped := 0
	for n, b := range f.Packets {
		p := payloadsOf(t, b)
		short := payloadsOf(t, p.StripPadding())
		if short.Padding != 0 || short.Length != len(short.raw) {
			t.Fatalf("packet %d: padding %d, length %d of %d", n, short.Padding, short.Length, len(short.raw))
		}
		if len(short.raw) < len(b) {
			stripped++
		}
		long := payloadsOf(t, short.RestorePadding(f.PacketSize))
		for _, o := range []*Packet{short, long} {
			if d := cmp.Diff(p.Payloads, o.Payloads); d != "" || o.SendTime != p.SendTime || o.Duration != p.Duration {
				t.Fatalf("packet %d changed:\n%s", n, d)
			}
		}
		if len(long.raw) != f.PacketSize {
			t.Fatalf("packet %d: %d bytes after RestorePadding", n, len(long.raw))
		}
	}
	if stripped == 0 {
		t.Error("no packet of the sample has padding")
	}
}

func TestRestorePaddingSizes(t *testing.T) {
	// One payload that goes to the end of the packet, no packet length, no padding field.
	bare := []byte{0x82, 0, 0, 0x00, 0x5d, 1, 0, 0, 0, 2, 0, 0x81, 1, 0, 0, 0, 0, 0, 'd', 'a', 't', 'a'}
	for _, add := range []int{-1, 0, 1, 2, 3, 300} {
		p := payloadsOf(t, payloadsOf(t, bare).RestorePadding(len(bare)+add))
		if want := len(bare) + max(add, 0); len(p.raw) != want || string(p.Payloads[0].Data) != "data" {
			t.Errorf("%+d bytes: %d bytes, want %d, with %q", add, len(p.raw), want, p.Payloads[0].Data)
		}
	}
}

func TestHeaderEdits(t *testing.T) {
	f := parse(t, sample(t))
	on := f.SetBroadcast(true)
	if i, err := ParseHeader(on); err != nil || !i.Broadcast || f.Broadcast {
		t.Errorf("broadcast: %v, %v", i, err)
	}
	for name, h := range map[string][]byte{"with data object": on, "without": on[:headerSize(on)]} {
		i, err := ParseHeader(h)
		if err != nil {
			t.Fatal(err)
		}
		b := bytes.Join([][]byte{i.SetPackets(2), f.Packets[0], f.Packets[1], f.Packets[2]}, nil)
		g := parse(t, b)
		if g.PacketCount != 2 || len(g.Packets) != 2 || binary.LittleEndian.Uint64(b[g.properties+40:]) != uint64(len(b)-1400) {
			t.Errorf("%s: %d packets of %d", name, len(g.Packets), g.PacketCount)
		}
	}
}

func TestHostileHeaders(t *testing.T) {
	good := parse(t, sample(t))
	h := good.Header
	streams := bytes.Index(h, guidStream[:])
	u64 := func(at int, v uint64) func([]byte) {
		return func(b []byte) { binary.LittleEndian.PutUint64(b[at:], v) }
	}
	u32 := func(at int, v uint32) func([]byte) {
		return func(b []byte) { binary.LittleEndian.PutUint32(b[at:], v) }
	}
	for _, c := range []struct {
		name string
		edit func([]byte)
	}{
		{"header longer than the file", u64(16, 1<<40)},
		{"header size overflows", u64(16, 1<<63)},
		{"header too small", u64(16, 29)},
		{"object of no size", u64(headerHeader+16, 0)},
		{"object over the end", u64(headerHeader+16, 1<<62)},
		{"no file properties", func(b []byte) { b[good.properties] ^= 1 }},
		{"packet size nothing", u32(good.properties+96, 0)},
		{"packet size enormous", func(b []byte) { u32(good.properties+92, 1<<31)(b); u32(good.properties+96, 1<<31)(b) }},
		{"packet sizes differ", u32(good.properties+92, 1399)},
		{"type-specific data over the end", u32(streams+64, 1<<32-1)},
		{"stream number twice", func(b []byte) { b[bytes.LastIndex(b, guidStream[:])+72] = b[streams+72] }},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := bytes.Clone(h)
			c.edit(b)
			var syntax *SyntaxError
			if _, err := Parse(b); !errors.As(err, &syntax) {
				t.Errorf("error %v", err)
			}
		})
	}
}

func TestCutAtEachByte(t *testing.T) {
	b := sample(t)
	f := parse(t, b)
	for n := range len(f.Header) {
		if _, err := Parse(b[:n]); err == nil {
			t.Fatalf("%d bytes of the header were enough", n)
		}
	}
	p := payloadsOf(t, f.Packets[0]).StripPadding()
	for n := range p {
		if _, err := ParsePacket(p[:n]); err == nil {
			t.Fatalf("%d bytes of a packet of %d were enough", n, len(p))
		}
	}
}

func FuzzParse(f *testing.F) {
	b := sample(f)
	file := parse(f, b)
	f.Add(b[:len(file.Header)+2*file.PacketSize])
	f.Add(append(file.SetBroadcast(true), file.Packets[9]...))
	f.Fuzz(func(t *testing.T, b []byte) {
		file, err := Parse(b)
		if err != nil {
			_, _ = ParsePacket(b)
			return
		}
		if i, err := ParseHeader(file.SetPackets(uint64(len(file.Packets)))); err != nil || i.PacketSize != file.PacketSize {
			t.Fatalf("header edited: %v", err)
		}
		for _, raw := range file.Packets {
			p, err := ParsePacket(raw)
			if err != nil {
				continue
			}
			short, err := ParsePacket(p.StripPadding())
			if err != nil || !cmp.Equal(p.Payloads, short.Payloads) {
				t.Fatalf("stripped: %v", err)
			}
			if long, err := ParsePacket(short.RestorePadding(file.PacketSize)); err != nil || !cmp.Equal(p.Payloads, long.Payloads) {
				t.Fatalf("restored: %v", err)
			}
		}
	})
}
