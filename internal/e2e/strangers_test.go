package e2e

import (
	"path/filepath"
	"strings"
	"testing"

	"mediagate/internal/lab"
)

// TestStrangers: curl on the ports of RTSP and MMS, with and without TLS, is
// closed at once, and the records say what it spoke.
func TestStrangers(t *testing.T) {
	lab.NeedRoot(t) // for the ports
	lab.Need(t, "curl")
	s := lab.Settings{Records: filepath.Join(t.TempDir(), "sessions.jsonl")}
	at := lab.Loopback(t)
	runInProcess(t, s, lab.Services{Addr: at, Protocols: []string{"rtsp", "mms"}, Nodes: []lab.ServiceNode{{Name: "one", Addr: lab.Loopback(t)}}}.YAML(s.Records))
	for _, tc := range []struct{ scheme, port, protocol, end, why string }{
		{"http", ":1755/", "mms", "CA", "spoke HTTP to a port for MMS"},
		{"https", ":1755/", "mms", "CA", "spoke TLS to a port for MMS"},
		{"rtsp", ":1755/a", "mms", "CA", "spoke RTSP to a port for MMS"},
		{"http", ":554/", "rtsp", "CD", "spoke HTTP/1.1, which is no RTSP"},
		{"https", ":554/", "rtsp", "CA", "TLS handshake"},
	} {
		t.Run(tc.scheme+tc.port, func(t *testing.T) {
			p := lab.Start(t, lab.Command{Path: "curl", Args: []string{"--silent", "--show-error", "--insecure", "--max-time", "8", tc.scheme + "://" + at.String() + tc.port}})
			if code := p.WaitExit(playLimit); code == 0 || code == 28 { // 28 is a time-out
				t.Errorf("curl ended with code %d\n%s", code, p.Output())
			}
			lab.WaitRecord(t, s.Records, recordLimit, func(r lab.Record) bool {
				return r.Protocol == tc.protocol && r.End == tc.end && strings.Contains(r.Why, tc.why)
			})
		})
	}
}
