package player_test

import (
	"bytes"
	"encoding/binary"
	"os"
	"path/filepath"
	"testing"

	"mediagate/internal/asf"
	"mediagate/internal/origin"
	"mediagate/internal/player"
)

// bigFile is an ASF file whose packets need several RTP packets each: the sample's header, and packets made here, some
// of them with padding.
func bigFile(t *testing.T) []byte {
	t.Helper()
	const size, count = 4000, 60
	head := bytes.Clone(samplePackets(t).Header)
	properties := bytes.Index(head, []byte{0xa1, 0xdc, 0xab, 0x8c, 0x47, 0xa9, 0xcf, 0x11})
	binary.LittleEndian.PutUint32(head[properties+92:], size)
	binary.LittleEndian.PutUint32(head[properties+96:], size)
	info, err := asf.ParseHeader(head)
	if err != nil {
		t.Fatal(err)
	}
	file := info.SetPackets(count)
	for i := range count {
		b := []byte{0x82, 0, 0, 0, 0x5d, 0, 0, 0, 0, 50, 0, 0x81, byte(i), 0, 0, 0, 0, 8, 0, 0, 0, 0, 0, 0, 0, 0}
		binary.LittleEndian.PutUint32(b[5:], uint32(50*i))
		fill := size - len(b)
		if i%3 == 1 {
			fill = 100 * (i%20 + 1)
		}
		for n := range fill {
			b = append(b, byte(n*i))
		}
		p, err := asf.ParsePacket(b)
		if err != nil {
			t.Fatal(err)
		}
		file = append(file, p.RestorePadding(size)...)
	}
	return file
}

func TestFragments(t *testing.T) {
	dir, file := t.TempDir(), bigFile(t)
	if err := os.WriteFile(filepath.Join(dir, "big.asf"), file, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, address, transport string
		drop                     int
	}{{"udp", "127.0.0.172", "udp", 4}, {"tcp", "127.0.0.173", "tcp", 0}} {
		t.Run(c.name, func(t *testing.T) {
			s := start(t, c.address, origin.Config{Dir: dir, Speed: 4, DropEvery: c.drop})
			path := filepath.Join(dir, c.name)
			out, err := os.Create(path)
			if err != nil {
				t.Fatal(err)
			}
			r := play(t, player.Options{URL: s.URL("big.asf"), Transport: c.transport, Resend: true, Output: out})
			if err := out.Close(); err != nil {
				t.Fatal(err)
			}
			got, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(got, file) || r.Lost > 0 || (r.Resent > 0) != (c.drop > 0) {
				t.Errorf("%d bytes of %d came, or others; %+v", len(got), len(file), r)
			}
		})
	}
}
