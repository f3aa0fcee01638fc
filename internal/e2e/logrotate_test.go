package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"mediagate/internal/lab"
)

// TestLogrotate: the file for logrotate that is shipped rotates the session log of a running gateway while sessions end: no record is
// lost, doubled or torn.
func TestLogrotate(t *testing.T) {
	lab.Need(t, "logrotate")
	from := lab.StartSampleOrigin(t, lab.Loopback(t), "")
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o755); err != nil { // logrotate refuses a directory that others may write to
		t.Fatal(err)
	}
	s := lab.Settings{Listen: lab.FreePort(t, lab.Loopback(t)), Records: filepath.Join(dir, "sessions.jsonl"), Nodes: []lab.Node{node("one", from.Addr)}}
	gw := lab.StartGateway(t, s, nil)
	shipped, err := os.ReadFile("../../docs/logrotate/mediagate")
	if err != nil {
		t.Fatal(err)
	}
	const reload = "systemctl kill --kill-whom=main --signal=HUP mediagate.service"
	if !strings.Contains(string(shipped), reload) {
		t.Fatalf("no %q in the file that is shipped", reload)
	}
	rules := strings.NewReplacer("/var/log/mediagate/", dir+"/", reload, fmt.Sprintf("kill -HUP %d", gw.PID())).Replace(string(shipped))
	file := filepath.Join(t.TempDir(), "mediagate")
	if err := os.WriteFile(file, []byte(rules), 0o644); err != nil {
		t.Fatal(err)
	}
	const sessions, rotations = 400, 4
	for i := range sessions {
		askOptions(t, s.Listen.String())
		if i%(sessions/rotations) == sessions/rotations/2 {
			out, err := exec.Command("logrotate", "--force", "--state", file+".state", file).CombinedOutput()
			if err != nil {
				t.Fatalf("logrotate: %v\n%s", err, out)
			}
			// The next rotation packs this file: a day later as a rule, here at once, and the gateway may be held up.
			if !lab.Eventually(recordLimit, func() bool { _, err := os.Stat(s.Records); return err == nil }) {
				t.Fatal("the log is not opened anew")
			}
		}
	}
	seen := map[string]int{}
	whole := func() bool { clear(seen); return allRecords(t, dir, seen) == sessions }
	if !lab.Eventually(recordLimit, whole) {
		t.Fatalf("%d records of %d sessions", len(seen), sessions)
	}
	for id, n := range seen {
		if n != 1 {
			t.Errorf("record %s is there %d times", id, n)
		}
	}
	if files, _ := filepath.Glob(filepath.Join(dir, "sessions.jsonl*")); len(files) != rotations+1 {
		t.Errorf("files: %v", files)
	}
}

// askOptions has a session of one request.
func askOptions(t *testing.T, addr string) {
	t.Helper()
	c, err := net.DialTimeout("tcp", addr, playLimit)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.SetDeadline(time.Now().Add(playLimit)); err != nil {
		t.Fatal(err)
	}
	if _, err := fmt.Fprintf(c, "OPTIONS rtsp://%s/sample RTSP/1.0\r\nCSeq: 1\r\n\r\n", addr); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Read(make([]byte, 1024)); err != nil {
		t.Fatal(err)
	}
}

// allRecords counts the records of a log and of those that were rotated away, by ID. It gives -1 while one is being written.
func allRecords(t *testing.T, dir string, seen map[string]int) (lines int) {
	t.Helper()
	torn := false
	files, err := filepath.Glob(filepath.Join(dir, "sessions.jsonl*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		data, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasSuffix(f, ".gz") {
			if data, err = exec.Command("gzip", "-dc", f).Output(); err != nil {
				t.Fatal(err)
			}
		}
		end := bytes.LastIndexByte(data, '\n') + 1
		torn = torn || end < len(data)
		for _, line := range bytes.Split(bytes.TrimSuffix(data[:end], []byte("\n")), []byte("\n")) {
			if len(line) == 0 {
				continue
			}
			var r struct{ ID string }
			if err := json.Unmarshal(line, &r); err != nil {
				t.Fatalf("torn line %q: %v", line, err)
			}
			seen[r.ID]++
			lines++
		}
	}
	if torn {
		return -1
	}
	return lines
}
