package e2e

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"mediagate/internal/lab"
)

// writeCertificate writes one that nobody has signed, and its key.
func writeCertificate(t *testing.T, cert, key string, serial int64) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{SerialNumber: big.NewInt(serial), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), DNSNames: []string{"gateway.test"}}
	public, err := x509.CreateCertificate(rand.Reader, c, c, private.Public(), private)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	for path, block := range map[string]*pem.Block{key: {Type: "PRIVATE KEY", Bytes: secret}, cert: {Type: "CERTIFICATE", Bytes: public}} {
		if err := os.WriteFile(path+".new", pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(path+".new", path); err != nil {
			t.Fatal(err)
		}
	}
}

// TestTLS: FFmpeg and GStreamer play over rtsps, FFmpeg over https, curl gets an announcement over https, and a
// certificate that is exchanged is served without a restart.
func TestTLS(t *testing.T) {
	lab.Need(t, "ffmpeg", "curl", "gst-launch-1.0")
	dir := t.TempDir()
	cert, key := filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	writeCertificate(t, cert, key, 1)
	from := lab.StartSampleOrigin(t, lab.Loopback(t), "")
	pages := httptest.NewUnstartedServer(http.FileServer(http.Dir(mediaFolder(t, lab.SampleASF(t), "sample.wmv"))))
	l, err := net.Listen("tcp", netip.AddrPortFrom(from.Addr.Addr(), 0).String())
	if err != nil {
		t.Fatal(err)
	}
	pages.Listener = l
	pages.Start()
	t.Cleanup(pages.Close)
	s := lab.Settings{Listen: lab.FreePort(t, lab.Loopback(t)), Records: filepath.Join(dir, "sessions.jsonl")}
	web, clear := lab.FreePort(t, lab.Loopback(t)), lab.FreePort(t, lab.Loopback(t))
	runInProcess(t, s, fmt.Sprintf(`sessions: {log: %q}
virtual_servers:
  - {name: RTSPS, protocol: rtsps, listen: [%q], pool: origins, tls: {certificate: %q, key: %q}}
  - {name: RTSP, protocol: rtsp, listen: [%q], pool: origins}
  - {name: HTTPS, protocol: https, listen: [%q], pool: origins, tls: {certificate: %q, key: %q}}
pools:
  - name: origins
    monitor: {interval: 0s}
    nodes: [{name: one, address: %s, ports: {rtsp: %d, http: %d}}]
`, s.Records, s.Listen, cert, key, clear, web, cert, key, from.Addr.Addr(), from.Addr.Port(), l.Addr().(*net.TCPAddr).Port))

	p := lab.Play(t, lab.FFmpeg("tcp"), fmt.Sprintf("rtsps://%s/test", s.Listen), nil)
	p.WaitFrames(10, 10, playLimit)
	p.End()
	r := lab.WaitRecord(t, s.Records, recordLimit, func(lab.Record) bool { return true })
	if r.End != "-T" || r.Transport != "interleaved" || r.Node != "one" || !strings.HasPrefix(r.URL, "rtsps://") {
		t.Errorf("record: %+v", r)
	}

	// GStreamer, which wants its connection kept where it is encrypted.
	began := time.Now().Truncate(time.Millisecond)
	g := lab.Play(t, lab.InTLS(lab.GStreamer("tcp")), fmt.Sprintf("rtsps://%s/test", s.Listen), nil)
	g.WaitFrames(10, 10, playLimit)
	g.End()
	r = lab.WaitRecord(t, s.Records, recordLimit, func(r lab.Record) bool { return !r.Start.Before(began) })
	if r.End != "-T" || r.Transport != "interleaved" || r.VirtualServer != "RTSPS" {
		t.Errorf("record: %+v", r)
	}

	// FFmpeg, a file from a web server over https.
	sample := lab.SampleASF(t)
	frames, err := exec.Command("ffmpeg", "-v", "error", "-tls_verify", "0", "-i", fmt.Sprintf("https://%s/sample.wmv", web), "-c", "copy", "-f", "framecrc", "-").Output()
	if want := lab.Frames(t, sample); err != nil || lab.DiffFrames(frames, want) != "" {
		t.Errorf("over https: %v: %s", err, lab.DiffFrames(frames, want))
	}

	curl := func(args ...string) string {
		t.Helper()
		out, err := exec.Command("curl", append([]string{"-sSk", "--max-time", "20"}, args...)...).CombinedOutput()
		if err != nil {
			t.Fatalf("curl: %v: %s", err, out)
		}
		return string(out)
	}
	url := fmt.Sprintf("https://%s/announce/test.asx", web)
	if got := curl(url); !strings.Contains(got, fmt.Sprintf("rtspt://%s:%d/test", web.Addr(), clear.Port())) {
		t.Errorf("announcement:\n%s", got)
	}
	serial := func() string { return curl("-o", filepath.Join(dir, "page"), "-w", "%{certs}", url) }
	if got := serial(); !strings.Contains(got, "Serial Number:01") {
		t.Errorf("first certificate: %s", got)
	}
	writeCertificate(t, cert, key, 2)
	if !lab.Eventually(30*time.Second, func() bool { return strings.Contains(serial(), "Serial Number:02") }) {
		t.Errorf("the new certificate is not served: %s", serial())
	}
}
