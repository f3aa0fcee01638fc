package gateway

import (
	"bufio"
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/zap"

	"mediagate/internal/config"
	"mediagate/internal/sessionlog"
)

// buildWeb is a gateway with RTSP, MMS and one web virtual server before an ordinary HTTP node.
func buildWeb(t *testing.T, web string) *Gateway {
	t.Helper()
	node, err := net.Listen("tcp", "127.0.0.151:0")
	if err != nil {
		t.Fatal(err)
	}
	srv := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, "page "+r.URL.Path)
	})}
	go srv.Serve(node)
	t.Cleanup(func() { srv.Close() })
	_, port, _ := net.SplitHostPort(node.Addr().String())
	cfg, err := config.Parse("test.yaml", []byte(`
sessions: {log: ""}
virtual_servers:
  - {name: R, protocol: rtsp, listen: ["127.0.0.150:8554"], pool: p}
  - {name: M, protocol: mms, listen: ["127.0.0.150:11755"], udp: false, pool: p}
  - `+web+`
pools:
  - {name: p, monitor: {interval: 0s}, nodes: [{name: n1, address: 127.0.0.151, ports: {rtsp: 9, mms: 9, http: `+port+`}}]}
relay: {client_media: {ports: 15204-15205}}
`))
	if err != nil {
		t.Fatal(err)
	}
	g, err := New(cfg, Options{Version: "v1.2.3 (go)"})
	if err != nil {
		t.Fatal(err)
	}
	start(t, g)
	return g
}

func get(t *testing.T, c *http.Client, url string) (int, string) {
	t.Helper()
	resp, err := c.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(body)
}

// TestWeb: one port has web pages, announcements and tunnels.
func TestWeb(t *testing.T) {
	g := buildWeb(t, `{name: W, protocol: http, listen: ["127.0.0.150:8080"], pool: p}`)
	at := g.Addrs()["W"][0].String()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 20 * time.Second}
	if status, body := get(t, client, "http://"+at+"/a.html"); status != 200 || body != "page /a.html" {
		t.Errorf("page: %d %q", status, body)
	}
	_, body := get(t, client, "http://"+at+"/announce/dir/a.wmv.asx")
	last := -1
	for _, want := range []string{"rtspu://127.0.0.150:", "rtspt://127.0.0.150:", "mmst://127.0.0.150:", "http://" + at + "/dir/a.wmv"} {
		i := strings.Index(body, want)
		if i <= last {
			t.Errorf("%q at %d, after %d in:\n%s", want, i, last, body)
		}
		last = i
	}
	if strings.Contains(body, "mmsu://") {
		t.Errorf("announces MMS over UDP, which is off:\n%s", body)
	}
	conn, err := net.Dial("tcp", at)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(20 * time.Second))
	_, _ = io.WriteString(conn, "GET /a HTTP/1.0\r\nx-sessioncookie: 0123456789abcdef\r\nAcc")
	_, _ = io.WriteString(conn, "ept: application/x-rtsp-tunnelled\r\n\r\n")
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil || resp.StatusCode != 200 || resp.Header.Get("Content-Type") != "application/x-rtsp-tunnelled" {
		t.Errorf("GET of a tunnel: %v, %v", resp, err)
	}
}

// TestWebOverTLS: the certificate is read anew when its files change, and kept when they are broken.
func TestWebOverTLS(t *testing.T) {
	dir := t.TempDir()
	cert, key := filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	writePair(t, cert, key, "first.test")
	g := buildWeb(t, `{name: W, protocol: https, listen: ["127.0.0.150:8443"], tls: {certificate: "`+cert+`", key: "`+key+`"}, pool: p}`)
	at := g.Addrs()["W"][0]
	if got := commonName(t, at); got != "first.test" {
		t.Errorf("certificate of %q", got)
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true, TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}, Timeout: 20 * time.Second}
	if status, body := get(t, client, "https://"+at.String()+"/a"); status != 200 || body != "page /a" {
		t.Errorf("page: %d %q", status, body)
	}
}

func TestCertificateReload(t *testing.T) {
	dir := t.TempDir()
	files := config.TLS{Certificate: filepath.Join(dir, "cert.pem"), Key: filepath.Join(dir, "key.pem")}
	if _, err := newCertificate(files, zap.NewNop()); err == nil {
		t.Error("made of nothing")
	}
	writePair(t, files.Certificate, files.Key, "first.test")
	c, err := newCertificate(files, zap.NewNop())
	if err != nil {
		t.Fatal(err)
	}
	now := c.checked
	c.now = func() time.Time { return now }
	name := func() string {
		pair, err := c.get(nil)
		if err != nil {
			t.Fatal(err)
		}
		return pair.Leaf.Subject.CommonName
	}
	writePair(t, files.Certificate, files.Key, "a-longer-second.test")
	if got := name(); got != "first.test" {
		t.Errorf("within a second: %q", got)
	}
	now = now.Add(2 * checkEvery)
	if got := name(); got != "a-longer-second.test" {
		t.Errorf("after a change: %q", got)
	}
	if err := os.WriteFile(files.Key, []byte("broken"), 0o600); err != nil {
		t.Fatal(err)
	}
	now = now.Add(2 * checkEvery)
	if got := name(); got != "a-longer-second.test" {
		t.Errorf("with a broken key: %q", got)
	}
}

func writePair(t *testing.T, cert, key, name string) {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &k.PublicKey, k)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalECPrivateKey(k)
	if err != nil {
		t.Fatal(err)
	}
	for file, block := range map[string]*pem.Block{cert: {Type: "CERTIFICATE", Bytes: der}, key: {Type: "EC PRIVATE KEY", Bytes: secret}} {
		if err := os.WriteFile(file, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func commonName(t *testing.T, at netip.AddrPort) string {
	t.Helper()
	conn, err := tls.Dial("tcp", at.String(), &tls.Config{InsecureSkipVerify: true})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	return conn.ConnectionState().PeerCertificates[0].Subject.CommonName
}

// TestSniff: what a first request is, whatever pieces it comes in, and that nothing of it is lost.
func TestSniff(t *testing.T) {
	for name, tc := range map[string]struct {
		pieces []string
		want   speech
	}{
		"page":          {[]string{"GET / HTTP/1.1\r\n", "Host: a\r\n\r\n"}, speechHTTP},
		"tunnel":        {[]string{"GET /a HTTP/1.0\r\nx-session", "cookie: 1234567890\r\n\r\n"}, speechTunnel},
		"tunnel's POST": {[]string{"P", "OST /a HTTP/1.0\r\nx-sessioncookie: 1234567890\r\n\r\nT1BU"}, speechTunnel},
		"RTSP":          {[]string{"OPTIONS rtsp://a/ RTSP/1.0\r\n", "CSeq: 1\r\n\r\n"}, speechRTSP},
		"TLS":           {[]string{"\x16\x03\x01\x02\x00"}, speechTLS},
		"MMS":           {[]string{"\x01\x00\x00\x00\xce\xfa", "\x0b\xb0"}, speechMMS},
		"nearly MMS":    {[]string{"\x01\x00\x00\x00\xce\xfa", "\x0b\xb1"}, speechNone},
		"one byte":      {[]string{"\x01"}, speechNone},
		"HTTP/0.9":      {[]string{"GET /a\r\n\r\n"}, speechNone},
		"a word":        {[]string{"HEL", "LO\r\n"}, speechNone},
		"empty line":    {[]string{"\r\nGET / HTTP/1.1\r\n\r\n"}, speechHTTP},
		"endless":       {[]string{"GET / HTTP/1.0\r\nx: " + strings.Repeat("x", 2*maxSniff)}, speechHTTP},
		"no end":        {[]string{"GET /a HTTP/1.0\r\nx-sessioncookie: 12"}, speechHTTP},
	} {
		t.Run(name, func(t *testing.T) {
			near, far := net.Pipe()
			defer near.Close()
			go func() {
				defer far.Close()
				for _, p := range tc.pieces {
					_, _ = io.WriteString(far, p)
				}
			}()
			head, what, err := sniff(near, 20*time.Second, 20*time.Second)
			if what != tc.want || err != nil {
				t.Errorf("heard %v, want %v, %v", what, tc.want, err)
			}
			all, err := io.ReadAll(&replay{Conn: near, head: bytes.Clone(head)})
			if want := strings.Join(tc.pieces, ""); err != nil || string(all) != want {
				t.Errorf("replayed %d bytes of %d, %v", len(all), len(want), err)
			}
		})
	}
}

// TestViewers: sessions of one player over three protocols are one viewer; others are not.
func TestViewers(t *testing.T) {
	v := newViewers(time.Minute)
	now := time.Unix(1e9, 0)
	v.now = func() time.Time { return now }
	a, b := netip.MustParseAddr("203.0.113.9"), netip.MustParseAddr("203.0.113.10")
	const guid = "{11111111-2222-3333-4444-555555555555}"
	id, node := v.sight("rtsp", a, guid, "rtsp://gw/a.wmv")
	if id == "" || node != "" {
		t.Fatalf("%q at %q", id, node)
	}
	first := &sessionlog.Record{
		ID: "s1", Viewer: id, Protocol: "rtsp", Transport: "udp", Node: "n2", URL: "rtsp://gw/a.wmv", Why: "no media",
		Client: netip.AddrPortFrom(a, 1), Start: sessionlog.Stamp{Time: now}, End: sessionlog.EndState{Who: 'C', Phase: 'P'},
	}
	v.ended(first)
	now = now.Add(time.Second)
	again, node := v.sight("mms", a, guid, "mms://gw/a.wmv")
	if again != id || node != "n2" {
		t.Errorf("over MMS: %q at %q, want %q at n2", again, node, id)
	}
	second := &sessionlog.Record{ID: "s2", Viewer: again, Protocol: "mms", URL: "mms://gw/a.wmv", Client: first.Client, Start: sessionlog.Stamp{Time: now}}
	v.ended(second)
	want := []sessionlog.Step{{Session: "s1", Protocol: "rtsp", Transport: "udp", End: first.End, Why: "no media", Start: first.Start}}
	if diff := cmp.Diff(want, second.Ladder); diff != "" {
		t.Errorf("ladder (-want +got):\n%s", diff)
	}
	if other, _ := v.sight("mms", b, guid, "mms://gw/a.wmv"); other == id {
		t.Error("another address is the same viewer")
	}
	const common = "{7E667F5D-A661-495E-A512-F55686DDA178}"
	one, _ := v.sight("mms", b, common, "mms://gw/b.wmv")
	if two, _ := v.sight("mms", b, common, "mms://gw/c.wmv"); one == two {
		t.Error("a GUID that every copy sends makes one viewer of two")
	}
	now = now.Add(time.Hour)
	if late, _ := v.sight("rtsp", a, guid, "rtsp://gw/a.wmv"); late == id {
		t.Error("is remembered after the window")
	}
}
