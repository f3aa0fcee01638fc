package e2e

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"mediagate/internal/lab"
	"mediagate/internal/origin"
)

// TestAdminHTTP: players of Windows Media over HTTP are listed while they play,
// and go when their session is killed: they have heard the end of the stream.
func TestAdminHTTP(t *testing.T) {
	kinds := lab.HTTPPlayers()
	_, from := webOrigin(t, "one", origin.Config{Speed: 0.2}, lab.SampleASF(t), filesOf(kinds)...)
	s := lab.Settings{Listen: netip.AddrPortFrom(lab.Loopback(t), 80), Records: filepath.Join(t.TempDir(), "sessions.jsonl")}
	at := lab.FreePort(t, s.Listen.Addr())
	yaml := lab.Services{Addr: s.Listen.Addr(), Protocols: []string{"http"}, Nodes: []lab.ServiceNode{from}}.YAML(s.Records)
	yaml = strings.Replace(yaml, "sessions: {", "sessions: {interim: 1s, ", 1)
	runInProcess(t, s, yaml+fmt.Sprintf("admin: {listen: %q}\n", at))
	mediagate := func(args ...string) []byte {
		out, err := exec.Command(lab.Binary(t), append(args, "--admin", at.String())...).CombinedOutput()
		if err != nil {
			t.Fatalf("mediagate %s: %v\n%s", args, err, out)
		}
		return out
	}
	plays := startEach(t, kinds, s.Listen.Addr())
	var page struct{ Sessions []lab.Record }
	if err := json.Unmarshal(mediagate("sessions", "--json", "--protocol", "http"), &page); err != nil {
		t.Fatal(err)
	}
	for i, kind := range kinds {
		media, _ := ofFile(page.Sessions, fileOf(kind))
		if len(media) != 1 || !media[0].Interim || media[0].End != "-P" || media[0].Node != "one" {
			t.Errorf("%s: listed: %+v", kind.Name, media)
			continue
		}
		id := media[0].ID
		interim := interimOf(t, s.Records, id)
		mediagate("sessions", "kill", id)
		r := lab.WaitRecord(t, s.Records, recordLimit, func(r lab.Record) bool { return r.ID == id })
		if r.End != "KP" || !strings.Contains(r.Why, "admin API from 127.0.0.1:") || r.ToClient.Packets < interim.ToClient.Packets {
			t.Errorf("%s: record: %+v", kind.Name, r)
		}
		plays[i].WaitExit(playLimit) // with a code of its own: some take it for an error, some for the end
	}
}

// interimOf waits for a record of a session that goes on, and has media.
func interimOf(t *testing.T, path, id string) (found lab.Record) {
	t.Helper()
	if !lab.Eventually(recordLimit, func() bool {
		for _, r := range lab.Records(t, path) {
			if r.ID == id && r.Interim && r.ToClient.Packets > 0 {
				found = r
				return true
			}
		}
		return false
	}) {
		t.Fatalf("session %s has no interim record", id)
	}
	return found
}
