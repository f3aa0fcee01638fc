package lab

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"mediagate/internal/asf"
)

// VLCOrigin is vlc(1) as a server of Windows Media over HTTP (mmsh): an origin
// that we did not write. It plays the sample on and on in real time, as packets
// of its own; who comes late sees what is played then. At other paths it has
// nothing.
type VLCOrigin struct {
	*Proc
	Addr netip.AddrPort
}

// vlcLoops is how often the sample of ten seconds is played.
const vlcLoops = 20

// StartVLCOrigin runs the server at a free port of addr until the end of the
// test, or until it has played for three minutes.
func StartVLCOrigin(t testing.TB, addr netip.Addr) *VLCOrigin {
	t.Helper()
	Need(t, "vlc", "setpriv", "ffmpeg")
	dir := playerDir(t)
	file := filepath.Join(dir, "live.wmv")
	in := filepath.Join(root(t), "internal", "origin", "sample", "sample.wmv")
	args := []string{"-nostdin", "-hide_banner", "-loglevel", "error", "-y", "-stream_loop", fmt.Sprint(vlcLoops - 1), "-i", in, "-c", "copy", file}
	if out, err := exec.Command("ffmpeg", args...).CombinedOutput(); err != nil {
		t.Fatalf("lab: ffmpeg: %v: %s", err, out)
	}
	if err := os.Chmod(file, 0o644); err != nil {
		t.Fatalf("lab: %v", err)
	}
	o := &VLCOrigin{Addr: FreePort(t, addr)}
	path, args := asNobody("vlc", []string{"-I", "dummy", "--no-color", file,
		"--sout", fmt.Sprintf("#std{access=mmsh,mux=asfh,dst=%s/%s}", o.Addr, o.Path()), "vlc://quit"})
	o.Proc = Start(t, Command{Path: path, Args: args, Env: []string{"HOME=" + dir, "XDG_RUNTIME_DIR=" + dir}})
	waitListen(t, o.Proc, o.Addr)
	// It listens before it has a stream; until it has the header it says 404, or
	// nothing at all.
	client := http.Client{Timeout: 2 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	described := func() bool {
		res, err := client.Get("http://" + o.Addr.String() + "/" + o.Path())
		if err != nil {
			return false
		}
		header, err := io.ReadAll(io.LimitReader(res.Body, 1<<16))
		return res.Body.Close() == nil && err == nil && res.StatusCode == http.StatusOK && len(header) > 0
	}
	if !Eventually(startLimit, described) {
		t.Fatalf("lab: VLC serves no stream\n%s", o.Output())
	}
	return o
}

// Path is the path of the stream without its leading slash.
func (*VLCOrigin) Path() string { return "live.wmv" }

// RunOfASF says whether what a player wrote has the header of another player's
// file, and then whole packets that follow each other there too, at least as
// many as least: without a gap, byte for byte. It gives "" or what is not so.
func RunOfASF(got, other []byte, least int) string {
	header, want, err := packetsOf(other)
	if err != nil {
		return "the other player's: " + err.Error()
	}
	h, have, err := packetsOf(got)
	switch {
	case err != nil:
		return err.Error()
	case !bytes.Equal(h, header):
		return "the header is another one"
	case len(have) < least:
		return fmt.Sprintf("%d packets, want %d", len(have), least)
	}
	for at := range max(0, len(want)-len(have)+1) {
		if slices.EqualFunc(have, want[at:at+len(have)], bytes.Equal) {
			return ""
		}
	}
	return fmt.Sprintf("its %d packets are not among the other player's %d in this order", len(have), len(want))
}

// packetsOf takes what a player wrote of a live stream apart, whatever length its
// header says that it has.
func packetsOf(dump []byte) (header []byte, packets [][]byte, err error) {
	info, err := asf.ParseHeader(dump)
	if err != nil {
		return nil, nil, err
	}
	for rest := dump[len(info.Header):]; len(rest) >= info.PacketSize; rest = rest[info.PacketSize:] {
		packets = append(packets, rest[:info.PacketSize])
	}
	return info.Header, packets, nil
}

// RunOfFrames says whether frames (MMSKind.Frames) are those of a file that is
// played on and on, from somewhere, without a gap, in each stream at least as
// many as least. The last one of each stream does not count: the player may have
// been stopped in it. It gives "" or what is not so.
func RunOfFrames(got, file []byte, least int) string {
	return judgeFrames(got, file, least, func(have, want []string) string {
		best := 0
		for at := range want {
			n := 0
			for n < len(have)-1 && have[n] == want[(at+n)%len(want)] {
				n++
			}
			best = max(best, n)
		}
		if best == len(have)-1 {
			return ""
		}
		return fmt.Sprintf("%d of %d frames follow each other as in the file: %s", best, len(have), strings.Join(have[best:min(best+2, len(have))], " "))
	})
}

// FramesOf is RunOfFrames, but some may be missing: a server that is held up
// leaves them out.
func FramesOf(got, file []byte, least int) string {
	return judgeFrames(got, file, least, func(have, want []string) string {
		for _, frame := range have[:len(have)-1] {
			if !slices.Contains(want, frame) {
				return frame + " is no frame of the file"
			}
		}
		return ""
	})
}

// judgeFrames holds each stream, of enough frames and one, against the file's.
func judgeFrames(got, file []byte, least int, judge func(have, want []string) string) string {
	g, w := frames(got), frames(file)
	for stream, want := range w {
		have, wrong := g[stream], ""
		if len(have) < least+1 {
			wrong = fmt.Sprintf("%d frames, want %d", len(have), least+1)
		} else {
			wrong = judge(have, want)
		}
		if wrong != "" {
			return fmt.Sprintf("stream %s: %s", stream, wrong)
		}
	}
	return ""
}
