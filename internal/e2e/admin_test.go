package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"mediagate/internal/lab"
)

// TestAdmin: curl sees the session of a player, takes a capture of it that
// tshark reads, and ends it with a goodbye that both sides hear.
func TestAdmin(t *testing.T) {
	lab.Need(t, "ffmpeg", "curl", "tshark")
	from := lab.StartSampleOrigin(t, lab.Loopback(t), "")
	at := lab.FreePort(t, lab.Loopback(t))
	s := lab.Settings{Listen: lab.FreePort(t, lab.Loopback(t)), Records: filepath.Join(t.TempDir(), "sessions.jsonl"), Nodes: []lab.Node{node("one", from.Addr)}}
	runInProcess(t, s, s.YAML()+fmt.Sprintf("admin: {listen: %q}\n", at))
	p := lab.Play(t, lab.FFmpeg("tcp"), lab.URL(s.Listen, from.Path()), nil)
	p.WaitFrames(5, 5, playLimit)

	api := "http://" + at.String() + "/api/v1/sessions"
	body, status, _ := lab.Fetch(t, api+"?protocol=rtsp&node=one")
	var page struct {
		Total    int
		Sessions []lab.Record
	}
	if err := json.Unmarshal([]byte(body), &page); err != nil || status != "200" || page.Total != 1 {
		t.Fatalf("%s %v: %s", status, err, body)
	}
	running := page.Sessions[0]
	if !running.Interim || running.Transport != "interleaved" || running.ToClient.Packets == 0 || !strings.HasPrefix(running.UserAgent, "Lavf") {
		t.Errorf("session: %+v", running)
	}
	capture, status, kind := lab.Fetch(t, api+"/"+running.ID+"/capture?packets=50&duration=10s")
	if status != "200" || kind != "application/x-pcapng" {
		t.Fatalf("capture: %s %s", status, kind)
	}
	file := filepath.Join(t.TempDir(), "one.pcapng")
	if err := os.WriteFile(file, []byte(capture), 0o600); err != nil {
		t.Fatal(err)
	}
	if n := len(dissected(t, file, []uint16{s.Listen.Port()}, "frame", "frame.number")); n != 50 {
		t.Errorf("tshark reads %d frames of the capture, want 50", n)
	}
	if body, status, _ := lab.Fetch(t, "http://"+at.String()+"/metrics"); status != "200" || !strings.Contains(body, `mediagate_node_sessions{node="one"`) {
		t.Errorf("metrics: %s\n%s", status, body)
	}
	for path, want := range map[string]string{"pinholes": `"carries":"rtp"`, "viewers": running.Viewer, "configuration": "engine: ", "relay": `"engine":`, "log-level": `"level":`} {
		if body, status, _ := lab.Fetch(t, "http://"+at.String()+"/api/v1/"+path); status != "200" || !strings.Contains(body, want) {
			t.Errorf("%s: %s %s", path, status, body)
		}
	}
	if body, status, _ := lab.Fetch(t, api+"/"+running.ID, "--request", "DELETE"); status != "204" {
		t.Errorf("kill: %s %s", status, body)
	}
	r := lab.WaitRecord(t, s.Records, recordLimit, func(r lab.Record) bool { return r.ID == running.ID })
	if !strings.HasPrefix(r.End, "K") || !strings.Contains(r.Why, "admin API from 127.0.0.1:") {
		t.Errorf("record: %s %q", r.End, r.Why)
	}
	p.Kill()
}
