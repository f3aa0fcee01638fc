package e2e

import (
	"fmt"
	"net/netip"
	"path/filepath"
	"strings"
	"testing"

	"mediagate/internal/lab"
)

// TestCaptureClear: what came in TLS, and what came in a tunnel of HTTP, is in the capture as RTSP in the clear, is marked as such, and
// tshark puts it together.
func TestCaptureClear(t *testing.T) {
	lab.Need(t, "ffmpeg", "tshark")
	dir := t.TempDir()
	cert, key := filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	writeCertificate(t, cert, key, 1)
	from := lab.StartSampleOrigin(t, lab.Loopback(t), "")
	s := lab.Settings{Listen: lab.FreePort(t, lab.Loopback(t)), Records: filepath.Join(dir, "sessions.jsonl")}
	tunnel := lab.FreePort(t, lab.Loopback(t))
	gw := runInProcess(t, s, fmt.Sprintf(`sessions: {log: %q}
capture: {dir: %q, rules: [{name: all, url: "*"}]}
virtual_servers:
  - {name: RTSPS, protocol: rtsps, listen: [%q], pool: origins, tls: {certificate: %q, key: %q}}
  - {name: RTSP, protocol: rtsp, listen: [%q], pool: origins}
pools:
  - name: origins
    monitor: {interval: 0s}
    nodes: [{name: one, address: %s, ports: {rtsp: %d}}]
`, s.Records, dir, s.Listen, cert, key, tunnel, from.Addr.Addr(), from.Addr.Port()))
	for _, way := range []struct {
		kind   lab.PlayerKind
		url    string
		at     netip.AddrPort
		marked string
		server string
	}{
		{lab.FFmpeg("tcp"), "rtsps://%s/test", s.Listen, "TLS", "RTSPS"},
		{lab.FFmpegTunnel(), "rtsp://%s/test", tunnel, "tunnel", "RTSP"},
	} {
		t.Run(way.marked, func(t *testing.T) {
			p := lab.Play(t, way.kind, fmt.Sprintf(way.url, way.at), nil)
			p.WaitFrames(10, 10, playLimit)
			p.End()
			r := lab.WaitRecord(t, s.Records, recordLimit, func(r lab.Record) bool { return r.VirtualServer == way.server })
			lab.Eventually(recordLimit, func() bool { return gw.Sessions() == 0 })
			file := fileOfSession(t, dir, r.ID, ".pcapng")
			ports := []uint16{way.at.Port(), from.Addr.Port()}
			sound(t, file, ports...)
			for _, side := range []string{"client", "origin"} {
				methods := dissected(t, file, ports, "rtsp.method && frame.interface_name == "+side, "rtsp.method")
				if all := strings.Join(methods, " "); !strings.Contains(all, "DESCRIBE") || !strings.Contains(all, "PLAY") {
					t.Errorf("%s side: tshark reads %q", side, all)
				}
			}
			told := strings.Join(dissected(t, file, ports, "frame.interface_name == client", "frame.interface_description", "frame.comment"), "\n")
			if !strings.Contains(told, way.marked) {
				t.Errorf("nothing says %q: %.300s", way.marked, told)
			}
		})
	}
}
