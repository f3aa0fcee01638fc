package e2e

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"mediagate/internal/lab"
)

// TestTop: in a terminal that tmux makes, top shows the session of a player with its bitrate, the node and the relay, sorts, follows the
// size of the window, and leaves the terminal as it was.
func TestTop(t *testing.T) {
	lab.Need(t, "ffmpeg", "tmux")
	from := lab.StartSampleOrigin(t, lab.Loopback(t), "")
	at := lab.FreePort(t, lab.Loopback(t))
	s := lab.Settings{Listen: lab.FreePort(t, lab.Loopback(t)), Records: filepath.Join(t.TempDir(), "sessions.jsonl"), Nodes: []lab.Node{node("one", from.Addr)}}
	runInProcess(t, s, s.YAML()+fmt.Sprintf("admin: {listen: %q}\n", at))
	p := lab.Play(t, lab.FFmpeg("udp"), lab.URL(s.Listen, from.Path()), nil)
	p.WaitFrames(5, 5, playLimit)
	if out, err := exec.Command(lab.Binary(t), "pinholes", "--admin", at.String()).CombinedOutput(); err != nil || strings.Count(string(out), " origin ") < 2 {
		t.Errorf("pinholes: %v\n%s", err, out)
	}

	socket := filepath.Join(t.TempDir(), "tmux")
	tmux := func(args ...string) string {
		t.Helper()
		out, err := exec.Command("tmux", append([]string{"-S", socket, "-f", "/dev/null"}, args...)...).CombinedOutput()
		if err != nil {
			t.Fatalf("tmux %s: %v\n%s", strings.Join(args, " "), err, out)
		}
		return string(out)
	}
	tmux("new-session", "-d", "-x", "120", "-y", "24", "sh")
	t.Cleanup(func() { tmux("kill-server") })
	screen := ""
	shows := func(what string, words ...string) {
		t.Helper()
		ok := lab.Eventually(recordLimit, func() bool {
			screen = tmux("capture-pane", "-p")
			for _, w := range words {
				if !strings.Contains(screen, w) {
					return false
				}
			}
			return true
		})
		if !ok {
			t.Fatalf("%s: the screen does not show %q:\n%s", what, words, screen)
		}
	}
	tmux("send-keys", "echo before; PS1='ready> '", "Enter")
	shows("a shell", "before", "ready>")
	tmux("send-keys", lab.Binary(t)+" top --admin "+at.String(), "Enter")
	shows("top", "mediagate", "sessions 1", "relay ", "origins/one", "udp", "/s", "rtsp://")
	if strings.Contains(screen, "before") {
		t.Errorf("it does not have a screen of its own:\n%s", screen)
	}
	if !lab.Eventually(recordLimit, func() bool { // the first screen has none to compare with
		screen = tmux("capture-pane", "-p")
		return strings.Contains(screen, "kb/s") || strings.Contains(screen, "Mb/s")
	}) {
		t.Errorf("no bitrate:\n%s", screen)
	}
	tmux("send-keys", "l")
	tmux("resize-window", "-x", "60", "-y", "8")
	shows("a small window", "mediagate", "sessions 1")
	for _, line := range strings.Split(screen, "\n") {
		if len(line) > 60 {
			t.Errorf("a line of %d in a window of 60: %q", len(line), line)
		}
	}
	tmux("resize-window", "-x", "120", "-y", "24")
	tmux("send-keys", "q")
	shows("the shell again", "before", "ready> ")
	tmux("send-keys", "echo after $((6*7))", "Enter")
	shows("what is typed is seen", "echo after $((6*7))", "after 42")
	p.End()
}
