package capture

import (
	"fmt"
	"io"
	"strings"
	"testing"
)

func TestTraceDir(t *testing.T) {
	dir := t.TempDir()
	b := newBook(t, Config{TraceDir: dir})
	s := b.Begin(About{ID: "../x", Protocol: "mms", Client: player, Local: ours})
	c := s.Connect(Client, ours, player)
	for i := range 100 {
		c.Received(fmt.Appendf(nil, "PLAY rtsp://h/%d RTSP/1.0\r\nX: \xff\r\nLF: 1\n\r\nbody", i))
	}
	s.End("-T", "")
	c.Received([]byte("PLAY rtsp://late RTSP/1.0\r\n\r\n"))
	_ = b.Close()
	all := files(t, dir)
	text := one(t, all)
	wantParts(t, text, magic, "protocol: mms", "| PLAY rtsp://h/0 RTSP/1.0\n# 583a20ff0d0a\n/ LF: 1\n| \n. body\n@ ", "rtsp://h/99 RTSP")
	if strings.Contains(text, "late") {
		t.Error("a message after the end is there")
	}
	for name := range all {
		if !strings.HasSuffix(name, "Z-___x.trace") {
			t.Errorf("file %q", name)
		}
	}
}

// stuck is a file that takes nothing until it may.
type stuck struct{ may chan struct{} }

func (w stuck) Write(b []byte) (int, error) { <-w.may; return len(b), nil }
func (w stuck) Close() error                { return nil }

// TestTraceNeverWaits: a disk that takes nothing holds nobody up, and what is lost is counted.
func TestTraceNeverWaits(t *testing.T) {
	b := newBook(t, Config{})
	s := b.Begin(About{ID: "1"})
	w := stuck{make(chan struct{})}
	defer close(w.may)
	s.mu.Lock()
	s.traceLocked(func() (io.WriteCloser, error) { return w, nil })
	s.mu.Unlock()
	c := s.Connect(Client, ours, player)
	for range 10 * traceQueue {
		c.Received([]byte("PLAY x RTSP/1.0\r\n\r\n"))
	}
	if lost := s.trace.lost; lost < 8*traceQueue {
		t.Errorf("%d lost", lost)
	}
}

func TestMasks(t *testing.T) {
	m := masks{sessions: make(map[string]string)}
	for _, tc := range []struct{ in, want string }{
		{"Authorization: Basic am9lOnB3", "Authorization: Basic ***"},
		{"proxy-authorization:Digest username=\"joe\"", "proxy-authorization:Digest ***"},
		{"Authorization: x", "Authorization: ***"},
		{"WWW-Authenticate: NTLM TlRMTVNTUAAC", "WWW-Authenticate: NTLM ***"},
		{"WWW-Authenticate: Digest realm=\"a\", nonce=\"b\"", "WWW-Authenticate: Digest realm=\"a\", nonce=\"b\""},
		{"Session: 1234;timeout=60", "Session: masked-session-1;timeout=60"},
		{"Session: 5678", "Session: masked-session-2"},
		{"session:  1234", "session:  masked-session-1"},
		{"x-sessioncookie: abc", "x-sessioncookie: ***"},
		{"Content-Base: rtsp://joe:pw@h/a, rtsp://u@b/", "Content-Base: rtsp://***@h/a, rtsp://***@b/"},
		{"SETUP rtsp://h/a@b RTSP/1.0", "SETUP rtsp://h/a@b RTSP/1.0"},
		{"Session", "Session"},
		{"", ""},
	} {
		if got := string(m.line([]byte(tc.in))); got != tc.want {
			t.Errorf("%q is shown as %q, want %q", tc.in, got, tc.want)
		}
	}
}

func TestBinaryMessages(t *testing.T) {
	var out strings.Builder
	p := newPrinter(&out)
	b := make([]byte, 56)
	b[0], b[36] = 1, 5
	p.message(&message{side: Client, text: b, size: 100})
	sent := append([]byte(nil), b...)
	sent[50] = 7
	p.message(&message{side: Origin, out: true, text: sent, size: 56})
	p.message(&message{side: Origin, out: true, text: sent, size: 56})
	wantParts(t, out.String(), "# 0100", "cut: 44 bytes more\n", "difference:\n- # 00", "+ # 00", "difference: the gateway's own message")
}
