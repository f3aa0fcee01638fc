package lab

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// nobody is the user that VLC runs as: it refuses to be root.
const nobody = 65534

// MMSKind is one way of one player over MMS that writes what it received to a
// file; see docs/testing-players.md for what each needs.
type MMSKind struct {
	Name      string // "vlc/mmsu"
	Scheme    string // of the URL: "mmsu", "mmst" or "mms"
	Transport string // as the session record names it: "udp" or "interleaved"

	// Frames says that the file has a line for each frame (framecrc), not an ASF
	// file: FFmpeg takes packets apart.
	Frames bool

	needs   []string
	command func(t testing.TB, url, file string) (path string, args []string)
}

// MMSPlayers lists every player and transport of MMS.
func MMSPlayers() []MMSKind {
	return []MMSKind{VLC("mmsu"), VLC("mmst"), FFmpegMMS(), MPlayerMMS("mmst"), LibMMS("mmst")}
}

// VLC is vlc(1), which is the only one here that plays MMS over UDP (mmsu); its
// mms is TCP, UDP, HTTP in this order. Its dump demuxer writes the stream as it
// comes.
func VLC(scheme string) MMSKind {
	kind := MMSKind{Name: "vlc/" + scheme, Scheme: scheme, Transport: "interleaved", needs: []string{"vlc", "setpriv"}}
	if scheme == "mmsu" {
		kind.Transport = "udp"
	}
	kind.command = func(_ testing.TB, url, file string) (string, []string) {
		return asNobody("vlc", []string{"-I", "dummy", "--no-color", "--demux", "dump", "--demuxdump-file", file, url, "vlc://quit"})
	}
	return kind
}

// asNobody is a command that runs a program as nobody if the test is root's.
func asNobody(path string, args []string) (string, []string) {
	if os.Geteuid() != 0 {
		return path, args
	}
	id := fmt.Sprint(nobody)
	return "setpriv", append([]string{"--reuid", id, "--regid", id, "--clear-groups", "--", path}, args...)
}

// FFmpegMMS is ffmpeg(1) over TCP, the only way of MMS that it has. It does not
// notice the end of a stream and then runs until it is killed, so what stops it
// is the number of frames, or -t.
func FFmpegMMS() MMSKind {
	return MMSKind{Name: "ffmpeg/mmst", Scheme: "mmst", Transport: "interleaved", Frames: true, needs: []string{"ffmpeg"},
		command: func(_ testing.TB, url, file string) (string, []string) {
			return "ffmpeg", append([]string{"-nostdin", "-hide_banner", "-loglevel", "warning", "-analyzeduration", "1000000", "-i", url},
				frameArgs(file)...)
		}}
}

// frameArgs make FFmpeg write a line with size and checksum for each frame,
// without decoding it.
func frameArgs(file string) []string {
	return []string{"-c", "copy", "-t", "60", "-f", "framecrc", "-flush_packets", "1", "-y", file}
}

// MPlayerMMS is mplayer(1) over TCP; its mms is MMS and then HTTP.
func MPlayerMMS(scheme string) MMSKind {
	return MMSKind{Name: "mplayer/" + scheme, Scheme: scheme, Transport: "interleaved", needs: []string{"mplayer"},
		command: func(_ testing.TB, url, file string) (string, []string) {
			return "mplayer", []string{"-noconfig", "all", "-nolirc", "-noconsolecontrols", "-dumpstream", "-dumpfile", file, url}
		}}
}

// LibMMS is a program of a few lines on libmms, testdata/lab/mmsdump.c. Options
// are the program's own.
func LibMMS(scheme string, options ...string) MMSKind {
	return MMSKind{Name: "libmms/" + scheme, Scheme: scheme, Transport: "interleaved", needs: []string{"gcc"},
		command: func(t testing.TB, url, file string) (string, []string) {
			return mmsdump(t), append(append([]string(nil), options...), url, file)
		}}
}

// mmsdump is the compiled program on libmms.
func mmsdump(t testing.TB) string {
	t.Helper()
	source := Testdata(t, "lab", "mmsdump.c")
	return once(t, "mmsdump", func(path string) error {
		// libmms.pc names a package that Debian's libmms-dev does not bring.
		out, err := exec.Command("gcc", "-Wall", "-O1", "-o", path, source, "-lmms").CombinedOutput()
		if err != nil {
			return fmt.Errorf("gcc (is libmms-dev installed?): %w: %s", err, out)
		}
		return nil
	})
}

// MMSPlay is a running player of MMS.
type MMSPlay struct {
	*Proc
	Kind MMSKind

	t    testing.TB
	file string
}

// PlayMMS starts a player on url, whose scheme the kind replaces, in a
// namespace if host is not nil.
func PlayMMS(t testing.TB, kind MMSKind, url string, host *Host) *MMSPlay {
	t.Helper()
	Need(t, kind.needs...)
	dir := playerDir(t)
	_, rest, _ := strings.Cut(url, "://")
	p := &MMSPlay{Kind: kind, t: t, file: filepath.Join(dir, "dump")}
	path, args := kind.command(t, kind.Scheme+"://"+rest, p.file)
	p.Proc = Start(t, Command{Path: path, Args: args, Env: []string{"HOME=" + dir, "XDG_RUNTIME_DIR=" + dir}, Host: host})
	return p
}

// playerDir is a folder that the player may write to, whoever it runs as: those
// of testing are for their owner only.
func playerDir(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "mediagate-player-")
	if err != nil {
		t.Fatalf("lab: make folder: %v", err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	if os.Geteuid() == 0 {
		if err := os.Chown(dir, nobody, nobody); err != nil {
			t.Fatalf("lab: make folder: %v", err)
		}
	}
	return dir
}

// Written is what the player has written so far; players write late.
func (p *MMSPlay) Written() []byte {
	p.t.Helper()
	data, err := os.ReadFile(p.file)
	if err != nil && !os.IsNotExist(err) {
		p.t.Fatalf("lab: read what %s wrote: %v", p.Kind.Name, err)
	}
	return data
}

// WaitEnd waits until the player has ended by itself, or has written as much
// as want for one that does not end, and gives what it wrote.
func (p *MMSPlay) WaitEnd(want []byte, within time.Duration) []byte {
	p.t.Helper()
	if p.Kind.Frames {
		lines := bytes.Count(want, []byte{'\n'})
		if !Eventually(within, func() bool { return p.ended() || bytes.Count(p.Written(), []byte{'\n'}) >= lines }) {
			p.t.Errorf("lab: %s has %d of %d lines after %v\n%s",
				p.Kind.Name, bytes.Count(p.Written(), []byte{'\n'}), lines, within, p.Output())
		}
		p.Stop(syscall.SIGKILL) // it minds nothing else once the stream is over
		return p.Written()
	}
	if code := p.WaitExit(within); code != 0 {
		p.t.Errorf("lab: %s ended with code %d\n%s", p.Kind.Name, code, p.Output())
	}
	return p.Written()
}
