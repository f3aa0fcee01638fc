package gateway

import (
	"bytes"
	"errors"
	"net/netip"
	"path/filepath"
	"testing"
	"time"

	"mediagate/internal/capture"
	"mediagate/internal/config"
)

// evidence is a gateway of a configuration with a section capture.
func evidence(t *testing.T, section string) *Gateway {
	t.Helper()
	cfg, err := config.Parse("test.yaml", []byte(`
virtual_servers: [{name: r, protocol: rtsp, listen: ["127.0.0.203:1554"], pool: a}]
pools: [{name: a, nodes: [{name: wms1, address: 192.0.2.11}]}]
sessions: {log: ""}
`+section))
	if err != nil {
		t.Fatal(err)
	}
	g, err := New(cfg, Options{})
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// TestEvidenceByRequest: a session that runs is traced and captured by its ID; one that does not is an error to tell.
func TestEvidenceByRequest(t *testing.T) {
	dir := t.TempDir()
	g := evidence(t, "capture: {dir: "+dir+"}")
	defer g.book.Close()
	at := netip.MustParseAddrPort("192.0.2.1:4000")
	s := g.book.Begin(capture.About{ID: "a-1", Client: at})
	s.Connect(capture.Client, at, at).Received([]byte("OPTIONS * RTSP/1.0\r\n\r\n"))
	if err := g.Trace("a-1", true); err != nil {
		t.Error(err)
	}
	if text, err := g.TraceText("a-1"); err != nil || !bytes.Contains(text, []byte("| OPTIONS * RTSP/1.0")) {
		t.Errorf("error %v, text %s", err, text)
	}
	var out bytes.Buffer
	if err := g.Capture(t.Context(), "a-1", CaptureOptions{Duration: time.Millisecond}, &out); err != nil || out.Len() == 0 {
		t.Errorf("error %v, %d bytes", err, out.Len())
	}
	_, errText := g.TraceText("b-1")
	for _, err := range []error{g.Trace("b-1", true), g.Capture(t.Context(), "b-1", CaptureOptions{}, &out), errText} {
		if !errors.Is(err, ErrUnknownSession) {
			t.Errorf("error %v", err)
		}
	}
	s.End("-T", "")
	_ = g.book.Close()
	if found, _ := filepath.Glob(filepath.Join(dir, "*.trace")); len(found) != 1 {
		t.Errorf("files %v", found)
	}
}

// TestEvidenceDirectory: a directory that cannot be written to is told at start.
func TestEvidenceDirectory(t *testing.T) {
	for _, section := range []string{"capture: {dir: /nowhere}", "capture: {flight: {dir: /nowhere}}"} {
		if err := evidence(t, section).Run(t.Context()); err == nil {
			t.Errorf("%s: it runs", section)
		}
	}
}
