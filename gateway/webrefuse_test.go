package gateway

import (
	"context"
	"crypto/tls"
	"io"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"

	"mediagate/internal/config"
	"mediagate/internal/sessionlog"
)

// doorOf is what looks at connections, without anybody behind it who serves them.
func doorOf(t *testing.T, most int64) (*web, chan *sessionlog.Record) {
	t.Helper()
	records := make(chan *sessionlog.Record, 256)
	w := &web{name: "W", record: func(r *sessionlog.Record) { records <- r }, log: zap.NewNop(),
		first: time.Minute, message: time.Minute, most: most, epoch: "e"}
	w.ctx, w.cancel = context.WithCancel(t.Context())
	t.Cleanup(w.stopAccepting)
	return w, records
}

// frame is where a door is to be.
func frame(t *testing.T) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.152:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() }) // closed already by who served it
	return l
}

// hang lets a door serve a port, with TLS if cert is not nil.
func hang(t *testing.T, w *web, l net.Listener, cert *certificate) {
	t.Helper()
	if cert != nil {
		l = tls.NewListener(meter{l}, cert.config())
	}
	done := make(chan struct{})
	go func() { defer close(done); _ = w.Serve(l) }()
	t.Cleanup(func() { w.stopAccepting(); <-done })
}

func dialDoor(t *testing.T, at, say string) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", at)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
	if _, err := io.WriteString(conn, say); err != nil {
		t.Fatal(err)
	}
	return conn
}

// TestRefused: each that speaks what the port does not have is told so in its own words, and leaves a record.
func TestRefused(t *testing.T) {
	dir := t.TempDir()
	files := config.TLS{Certificate: filepath.Join(dir, "cert.pem"), Key: filepath.Join(dir, "key.pem")}
	writePair(t, files.Certificate, files.Key, "door.test")
	cert, err := newCertificate(files, zap.NewNop())
	if err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct {
		cert      *certificate
		say       string
		answer    string // its begin
		why, end  string
		least     uint64 // bytes
		unanswers bool
	}{
		"garbage":       {nil, "\x00\x01\x02\x03", "HTTP/1.0 400 Bad Request\r\n", "no protocol that is known", "CA", 4, false},
		"a word":        {nil, "HELO there\r\n", "HTTP/1.0 400 Bad Request\r\n", "no protocol that is known", "CA", 12, false},
		"RTSP":          {nil, "OPTIONS * RTSP/1.0\r\nCSeq: 7\r\n\r\n", "RTSP/1.0 501 Not Implemented\r\nCSeq: 7\r\n", "spoke RTSP", "CA", 31, false},
		"TLS":           {nil, "\x16\x03\x01\x00\x05", "\x15\x03\x01\x00\x02\x02\x28", "spoke TLS", "CA", 5, false},
		"MMS":           {nil, "\x01\x00\x00\x00\xce\xfa\x0b\xb0", "", "spoke MMS", "CA", 8, true},
		"half a head":   {nil, "GET /a HTT", "HTTP/1.0 408 Request Timeout\r\n", "did not finish its first request", "cA", 10, false},
		"HTTP, not TLS": {cert, "GET / HTTP/1.0\r\n\r\n", "HTTP/1.0 400 Bad Request\r\n", "did not speak TLS", "CA", 5, false},
		"stalled TLS":   {cert, "\x16\x03\x01\x02\x00\x01\x00", "", "did not finish the TLS handshake", "cA", 7, true},
	} {
		t.Run(name, func(t *testing.T) {
			w, records := doorOf(t, 4)
			switch name { // those that are waited for
			case "half a head":
				w.message = 200 * time.Millisecond
			case "stalled TLS":
				w.first = 200 * time.Millisecond
			}
			l := frame(t)
			conn := dialDoor(t, l.Addr().String(), tc.say) // all is said when the time begins
			hang(t, w, l, tc.cert)
			got, _ := io.ReadAll(conn) // it may end in a reset
			if !strings.HasPrefix(string(got), tc.answer) || tc.unanswers != (len(got) == 0) {
				t.Errorf("answer %q", got)
			}
			r := <-records
			if !strings.Contains(r.Why, tc.why) || r.End.String() != tc.end || r.ControlClient.In < tc.least || r.Client.String() != conn.LocalAddr().String() {
				t.Errorf("record: %v %q, %d bytes from %v", r.End, r.Why, r.ControlClient.In, r.Client)
			}
		})
	}
}

// TestRefusedKeepNobodyOut: connections over the limit that linger do not take the place of one that goes.
func TestRefusedKeepNobodyOut(t *testing.T) {
	w, records := doorOf(t, 1)
	l := frame(t)
	hang(t, w, l, nil)
	at := l.Addr().String()
	held := dialDoor(t, at, "")
	for range 3 {
		_ = dialDoor(t, at, "") // refused; nobody reads the answer
		if r := <-records; r.End.String() != "RA" {
			t.Errorf("record: %v %q", r.End, r.Why)
		}
	}
	_ = held.Close()
	for w.open.Load() != 0 {
		time.Sleep(time.Millisecond)
	}
	if got, _ := io.ReadAll(dialDoor(t, at, "HELO\r\n")); !strings.HasPrefix(string(got), "HTTP/1.0 400") {
		t.Errorf("answer %q", got)
	}
}

// TestFlood: connections far beyond the limit are closed, and do not fill the log.
func TestFlood(t *testing.T) {
	synctest.Test(t, testFlood) // all of them come in one second, however long it takes
}

func testFlood(t *testing.T) {
	const many = 100
	w, records := doorOf(t, 1)
	for range 1 + maxSurplus + many {
		near, far := net.Pipe() // nobody reads what is written to it: what is answered stays
		t.Cleanup(func() { _ = far.Close() })
		w.take(near)
	}
	w.mu.Lock()
	if w.flood.more != many-1 {
		t.Errorf("%d more, want %d", w.flood.more, many-1)
	}
	w.flood.told = w.flood.told.Add(-floodEvery)
	w.mu.Unlock()
	near, far := net.Pipe()
	defer far.Close()
	w.take(near)
	told := 0
	for range maxSurplus + 2 {
		if r := <-records; strings.Contains(r.Why, "99 more were closed unanswered") {
			told++
		}
	}
	if told != 1 || len(records) > 1 {
		t.Errorf("told of the others %d times, %d more records", told, len(records))
	}
}
