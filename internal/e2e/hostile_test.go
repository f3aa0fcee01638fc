package e2e

import (
	"net"
	"regexp"
	"strconv"
	"sync"
	"testing"
	"time"

	"mediagate/internal/lab"
)

// TestSilentConnections: 1,000 connections that say nothing disturb nobody,
// end at the time-out, and leave nothing.
func TestSilentConnections(t *testing.T) {
	origin := lab.StartScriptOrigin(t, lab.Loopback(t), lab.Script{At: "never"})
	g := embed(t, lab.Settings{Timeouts: map[string]string{"first_request": "8s"}}, node("one", origin.Addr))
	const count = 1000
	start := time.Now()
	conns := make([]net.Conn, 0, count)
	for range count {
		c, err := net.Dial("tcp", g.settings.Listen.String())
		if err != nil {
			t.Fatalf("connection %d: %v", len(conns), err)
		}
		conns = append(conns, c)
	}
	served := time.Now()
	c := lab.Dial(t, g.settings.Listen)
	playInterleaved(t, c, g.URL("a"))
	within(t, "play among silent connections", time.Since(served), 6*time.Second)
	_ = c.Close()
	for i, c := range conns {
		if err := c.SetReadDeadline(start.Add(playLimit)); err != nil {
			t.Fatal(err)
		}
		// A 408 may come before the end; RFC 2326, section 7.1.1.
		if _, err := readAll(c); err != nil {
			t.Fatalf("connection %d was not ended: %v", i, err)
		}
		_ = c.Close()
	}
	within(t, "ending them", time.Since(start), 20*time.Second)
	tellsOfAll(t, g, count)
	g.rests(t)
}

// tellsOfAll wants records with end cA of so many connections; of those that
// are left out, the next ones tell the number: these are made here.
func tellsOfAll(t *testing.T, g *inProcess, count int) {
	t.Helper()
	more := regexp.MustCompile(`; (\d+) more connections without a request`)
	written, told, knocks := 0, 0, 0
	lab.Eventually(recordLimit, func() bool {
		written, told = 0, 0
		for _, r := range lab.Records(t, g.settings.Records) {
			if r.End == "cA" || r.End == "CA" {
				written++
			}
			if m := more.FindStringSubmatch(r.Why); m != nil {
				n, _ := strconv.Atoi(m[1]) // it is digits
				told += n
			}
		}
		if written+told == count+knocks {
			return true
		}
		c := lab.Dial(t, g.settings.Listen)
		knocks++
		_ = c.Close()
		time.Sleep(200 * time.Millisecond) // room for one more
		return false
	})
	if written+told != count+knocks || written < 100 {
		t.Errorf("%d records tell of %d more, want all %d connections", written, told, count+knocks)
	}
}

// readAll reads until the other side closes; only a time-out is an error.
func readAll(c net.Conn) (n int, err error) {
	b := make([]byte, 512)
	for {
		m, err := c.Read(b)
		n += m
		if e, ok := err.(net.Error); ok && e.Timeout() {
			return n, err
		}
		if err != nil {
			return n, nil
		}
	}
}

// TestSlowLoris: a request that comes in byte by byte ends at the message
// time-out, however lively the connection looks.
func TestSlowLoris(t *testing.T) {
	cases := []struct {
		name, first, then string
		end               string
	}{
		{"line", "", "DESCRIBE rtsp://x/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa RTSP/1.0\r\n", "cA"},
		{"field", "OPTIONS * RTSP/1.0\r\nCSeq: 1\r\n", "X-Slow: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "cA"},
		{"body", "ANNOUNCE rtsp://x/a RTSP/1.0\r\nCSeq: 1\r\nContent-Length: 100\r\n\r\n", "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=slow\r\nt=0 0\r\n", "cA"},
		{"frame", "$\x00\x01\x00", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "cA"},
	}
	origin := lab.StartScriptOrigin(t, lab.Loopback(t), lab.Script{At: "never"})
	g := embed(t, lab.Settings{Timeouts: map[string]string{"first_request": "4s", "message": "2s"}}, node("one", origin.Addr))
	var wg sync.WaitGroup
	for _, tc := range cases {
		c := lab.Dial(t, g.settings.Listen)
		wg.Go(func() {
			start := time.Now()
			done := make(chan struct{})
			go func() {
				defer close(done)
				_, _ = c.Write([]byte(tc.first))
				for i := range len(tc.then) {
					if _, err := c.Write([]byte(tc.then[i : i+1])); err != nil {
						return
					}
					time.Sleep(200 * time.Millisecond)
				}
			}()
			// All is said after nine seconds; a time-out of each byte would end it two seconds after that.
			c.WaitClose(20 * time.Second)
			if took := time.Since(start); took < time.Second || took > 9*time.Second {
				t.Errorf("%s: ended after %v, want the time-out of 2 s", tc.name, took)
			}
			_ = c.Close()
			<-done
		})
	}
	wg.Wait()
	lab.Eventually(recordLimit, func() bool { return len(lab.Records(t, g.settings.Records)) == len(cases) })
	for _, r := range lab.Records(t, g.settings.Records) {
		if r.End != "cA" {
			t.Errorf("end %q (%s), want cA", r.End, r.Why)
		}
	}
	g.rests(t)
}

// TestStalledClient: a client that stops reading its interleaved media is
// ended at the write time-out, holds a bounded number of bytes, and does not
// slow another one down.
func TestStalledClient(t *testing.T) {
	origin := lab.StartScriptOrigin(t, lab.Loopback(t), lab.Script{At: "never", Flood: true})
	g := embed(t, lab.Settings{Timeouts: map[string]string{"write": "8s"}}, node("one", origin.Addr))
	reader := lab.Dial(t, g.settings.Listen)
	playInterleaved(t, reader, g.URL("flood"))
	c := stalled(t, g)
	stall := time.Now()
	var frames, slowest = 0, time.Duration(0)
	for last := time.Now(); time.Since(stall) < 12*time.Second; frames++ {
		if _, err := reader.ReadFrame(); err != nil {
			t.Fatalf("the other client, after %d frames: %v", frames, err)
		}
		slowest = max(slowest, time.Since(last))
		last = time.Now()
	}
	if frames < 10000 {
		t.Errorf("the other client got %d frames in 12 s", frames)
	}
	// The write that waits for the stalled one takes 8 s; what is shorter is the machine.
	within(t, "the longest gap of the other client", slowest, 6*time.Second)
	r := lab.WaitRecord(t, g.settings.Records, recordLimit, func(lab.Record) bool { return true })
	if r.End != "cP" || r.Duration > 20 {
		t.Errorf("the stalled session: end %q after %v s (%s), want cP", r.End, r.Duration, r.Why)
	}
	_, _ = c.Close(), reader.Close()
	origin.Close()
	g.rests(t)
}
