package lab

import (
	"fmt"
	"os"
	"os/exec"
	"testing"
)

// SampleWidth and SampleHeight are small so that two cores encode and decode
// many streams at once; 25 frames a second with a key frame each 12, so that a
// player that joins late shows its first frame within half a second.
const (
	SampleWidth  = 192
	SampleHeight = 108
)

// Sample is an MP4 file of 20 s of H.264 (baseline) and AAC, made with FFmpeg
// once per test process.
func Sample(t testing.TB) string {
	t.Helper()
	Need(t, "ffmpeg")
	return once(t, "sample.mp4", func(path string) error {
		partial := path + ".part.mp4"
		args := []string{"-nostdin", "-hide_banner", "-loglevel", "error", "-y",
			"-f", "lavfi", "-i", fmt.Sprintf("testsrc2=size=%dx%d:rate=25", SampleWidth, SampleHeight),
			"-f", "lavfi", "-i", "sine=frequency=440:sample_rate=44100", "-t", "20",
			"-c:v", "libx264", "-preset", "ultrafast", "-tune", "zerolatency", "-profile:v", "baseline",
			"-pix_fmt", "yuv420p", "-g", "12", "-b:v", "200k",
			"-c:a", "aac", "-b:a", "48k", "-ac", "2", partial}
		if out, err := exec.Command("ffmpeg", args...).CombinedOutput(); err != nil {
			return fmt.Errorf("ffmpeg: %w: %s", err, out)
		}
		return os.Rename(partial, path)
	})
}
