package e2e

import (
	"net"
	"syscall"
	"testing"
	"time"

	"mediagate/internal/lab"
)

// TestDrain: SIGTERM refuses new sessions while the present one plays on; at
// the end of the drain it is ended by the gateway, its origin is told, and the
// program exits with 0.
func TestDrain(t *testing.T) {
	lab.Need(t, "ffmpeg")
	origin := lab.StartSampleOrigin(t, lab.Loopback(t), "")
	const drain = 10 * time.Second // longer than a busy machine holds somebody up
	gw := program(t, lab.Settings{Timeouts: map[string]string{"drain": drain.String()}}, node("one", origin.Addr))
	p := lab.Play(t, lab.FFmpeg("udp"), gw.URL("test"), nil)
	p.WaitFrames(10, 0, playLimit)
	begun := time.Now()
	gw.Signal(syscall.SIGTERM)
	if !lab.Eventually(drain/2, func() bool { return refuses(gw) }) {
		t.Error("a draining gateway takes new connections")
	}
	before, _ := p.Frames()
	p.WaitFrames(before+25, 0, drain)
	if code := gw.WaitExit(drain + recordLimit); code != 0 {
		t.Errorf("exit code %d", code)
	}
	if took := time.Since(begun); took < drain || took > 2*drain {
		t.Errorf("the drain took %v, want %v", took, drain)
	}
	r := lab.WaitRecord(t, gw.Records, recordLimit, func(r lab.Record) bool { return r.FirstMedia != nil })
	if r.End != "GP" {
		t.Errorf("end %q (%s), want GP", r.End, r.Why)
	}
	if !lab.Eventually(recordLimit, func() bool { return origin.Readers() == 0 }) {
		t.Errorf("the origin still serves %d sessions", origin.Readers())
	}
}

// refuses says whether a new client gets no session: no connection, or 503.
func refuses(gw *lab.Gateway) bool {
	conn, err := net.DialTimeout("tcp", gw.Addr.String(), time.Second)
	if err != nil {
		return true
	}
	defer func() { _ = conn.Close() }()
	if _, err := conn.Write([]byte("OPTIONS * RTSP/1.0\r\nCSeq: 1\r\n\r\n")); err != nil {
		return true
	}
	_ = conn.SetReadDeadline(time.Now().Add(time.Second)) // a fresh connection takes it
	b := make([]byte, 12)
	n, _ := conn.Read(b)
	return n == 0 || string(b[:n]) == "RTSP/1.0 503"
}
