package lab

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"mediagate/internal/asf"
)

// SampleASF is the file that the embedded origin brings along: ten seconds of
// Windows Media in packets of 1400 bytes.
func SampleASF(t testing.TB) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(root(t), "internal", "origin", "sample", "sample.wmv"))
	if err != nil {
		t.Fatalf("lab: read sample: %v", err)
	}
	return data
}

// LongSampleASF is ten seconds of Windows Media in about a thousand packets,
// made with FFmpeg once per test process: enough to lose some.
func LongSampleASF(t testing.TB) []byte {
	t.Helper()
	Need(t, "ffmpeg")
	path := once(t, "long.wmv", func(path string) error {
		partial := path + ".part.wmv"
		args := strings.Fields("-nostdin -hide_banner -loglevel error -y -f lavfi -i testsrc2=size=320x240:rate=25" +
			" -f lavfi -i sine=frequency=440:sample_rate=44100 -t 10 -c:v wmv2 -b:v 1000k -minrate 1000k -maxrate 1000k" +
			" -bufsize 500k -c:a wmav2 -b:a 64k -ac 1 -f asf -packet_size 1400")
		if out, err := exec.Command("ffmpeg", append(args, partial)...).CombinedOutput(); err != nil {
			return fmt.Errorf("ffmpeg: %w: %s", err, out)
		}
		return os.Rename(partial, path)
	})
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("lab: read sample: %v", err)
	}
	return data
}

// DiffASF compares what a player wrote with the file that was played: the
// header and the data object's header byte for byte, and then packet for
// packet, from packet first on, to the last byte. Players fill packets up with
// zeros to their full size, as they are in the file, so nothing is left out but
// an index behind the last packet, which no origin sends. It gives "" if they
// are equal, else what differs first.
func DiffASF(got, want []byte, first int) string {
	w, err := asf.Parse(want)
	if err != nil {
		return "the file played: " + err.Error()
	}
	if len(got) < len(w.Header) {
		return fmt.Sprintf("%d bytes, less than the header's %d", len(got), len(w.Header))
	}
	if at := differAt(got[:len(w.Header)], w.Header); at >= 0 {
		return fmt.Sprintf("the header differs at byte %d of %d", at, len(w.Header))
	}
	return DiffPackets(got, want, first)
}

// DiffPackets is DiffASF for players that write a header of their own of the
// same length.
func DiffPackets(got, want []byte, first int) string {
	w, err := asf.Parse(want)
	if err != nil {
		return "the file played: " + err.Error()
	}
	rest, size := got[min(len(got), len(w.Header)):], w.PacketSize
	for i, packet := range w.Packets[min(first, len(w.Packets)):] {
		if len(rest) < size {
			return fmt.Sprintf("%d bytes where packet %d of %d should be", len(rest), first+i, len(w.Packets))
		}
		if at := differAt(rest[:size], packet); at >= 0 {
			return fmt.Sprintf("packet %d of %d differs at byte %d", first+i, len(w.Packets), at)
		}
		rest = rest[size:]
	}
	if len(rest) > 0 {
		return fmt.Sprintf("%d bytes behind the last packet", len(rest))
	}
	return ""
}

// FirstPacket is the number of the packet of the file played that a player
// wrote first, -1 if it is none of them.
func FirstPacket(got, want []byte) int {
	w, err := asf.Parse(want)
	if err != nil || len(got) < len(w.Header)+w.PacketSize {
		return -1
	}
	first := got[len(w.Header):][:w.PacketSize]
	return slices.IndexFunc(w.Packets, func(p []byte) bool { return bytes.Equal(p, first) })
}

// differAt is where two byte strings of one length differ first, -1 nowhere.
func differAt(a, b []byte) int {
	for i := range a {
		if a[i] != b[i] {
			return i
		}
	}
	return -1
}

// Frames has FFmpeg write a line for each frame of a media file: what a player
// with MMSKind.Frames should write.
func Frames(t testing.TB, media []byte) []byte {
	t.Helper()
	Need(t, "ffmpeg")
	dir := t.TempDir()
	in, out := filepath.Join(dir, "in.wmv"), filepath.Join(dir, "frames")
	if err := os.WriteFile(in, media, 0o600); err != nil {
		t.Fatalf("lab: write media: %v", err)
	}
	args := append([]string{"-nostdin", "-hide_banner", "-loglevel", "error", "-i", in}, frameArgs(out)...)
	if text, err := exec.Command("ffmpeg", args...).CombinedOutput(); err != nil {
		t.Fatalf("lab: ffmpeg: %v: %s", err, text)
	}
	lines, err := os.ReadFile(out)
	if err != nil {
		t.Fatalf("lab: read frames: %v", err)
	}
	return lines
}

// DiffFrames compares frames by stream, size and checksum, in each stream's own
// order: FFmpeg may write the streams in another order over a network. It gives
// "" if they are equal.
func DiffFrames(got, want []byte) string {
	g, w := frames(got), frames(want)
	for stream := range w {
		if len(g[stream]) != len(w[stream]) {
			return fmt.Sprintf("%d frames of stream %s, want %d", len(g[stream]), stream, len(w[stream]))
		}
		for i := range w[stream] {
			if g[stream][i] != w[stream][i] {
				return fmt.Sprintf("frame %d of stream %s is %s, want %s", i, stream, g[stream][i], w[stream][i])
			}
		}
	}
	return ""
}

// DiffTail compares frames like DiffFrames with the last ones of a file: of each
// stream at least as many as least, but not all; up to lack may be missing at the
// end. It gives "" if they are equal.
func DiffTail(got, want []byte, least, lack int) string {
	g, w := frames(got), frames(want)
	for stream, all := range w {
		have := g[stream]
		if len(have) < least || len(have) >= len(all) {
			return fmt.Sprintf("%d frames of stream %s, want at least %d of %d", len(have), stream, least, len(all))
		}
		equal := false
		for n := range lack + 1 {
			from := max(0, len(all)-n-len(have))
			equal = equal || slices.Equal(have, all[from:len(all)-n])
		}
		if !equal {
			return fmt.Sprintf("the %d frames of stream %s are not its last ones", len(have), stream)
		}
	}
	return ""
}

// frames reads lines like "0,  12,  12,  1,  31104, 0x1bcfa2ff, F=0x0": stream,
// two times, duration, size, checksum, flags.
func frames(lines []byte) map[string][]string {
	all := map[string][]string{}
	for line := range bytes.Lines(lines) {
		f := strings.Split(strings.ReplaceAll(strings.TrimSpace(string(line)), " ", ""), ",")
		if len(f) >= 6 && !strings.HasPrefix(f[0], "#") {
			all[f[0]] = append(all[f[0]], f[4]+","+f[5])
		}
	}
	return all
}
