package rtsp

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"mediagate/internal/sessionlog"
	"mediagate/rtsp/rtspwire"
)

// nothingLeft holds after the end of everything: no conversation, no ID, no port, no lease.
func (w *world) nothingLeft(t *testing.T) {
	t.Helper()
	if n := w.proxy.Sessions(); n != 0 {
		t.Errorf("%d conversations are left", n)
	}
	if n := len(w.proxy.bound); n != 0 {
		t.Errorf("%d session IDs are left", n)
	}
	for _, n := range w.pool.Snapshot() {
		if n.Sessions != 0 {
			t.Errorf("node %s: %d leases are left", n.Node.Name, n.Sessions)
		}
	}
	w.relay.Close()
	if n := w.relay.InUse(); n != 0 {
		t.Errorf("%d flows are left", n)
	}
}

// TestCloseAtAnyStep runs each dialog as far as step n, for every n, and closes the proxy there.
func TestCloseAtAnyStep(t *testing.T) {
	files, _ := filepath.Glob("../testdata/dialogs/rtsp/*.dialog")
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".dialog"), func(t *testing.T) {
			steps := readDialog(t, file)
			for n := range steps {
				if steps[n].lane == "" || steps[n].lane == "#" {
					continue
				}
				synctest.Test(t, func(t *testing.T) {
					w := newWorld(t)
					defer w.close()
					w.run(t, file, steps[:n+1])
					begun := time.Now()
					w.proxy.Close()
					if took := time.Since(begun); took > 3*time.Second {
						t.Errorf("closing after step %d took %s", n, took)
					}
					w.nothingLeft(t)
					for len(w.records) > 0 {
						if r := <-w.records; r.End.Who == sessionlog.WhoInternal {
							t.Errorf("after step %d: %s %s", n, r.End, r.Why)
						}
					}
				})
			}
		})
	}
}

// TestShutdown: what runs runs on, newcomers get 503; at the deadline origins get a TEARDOWN.
func TestShutdown(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.playTCP(t)
		player := w.client()
		ctx, cancel := context.WithTimeout(t.Context(), 15*time.Second)
		defer cancel()
		down := make(chan error, 1)
		go func() { down <- w.proxy.Shutdown(ctx) }()
		synctest.Wait()
		w.connect(worldClient)
		if got := string(w.client().receive(t, 0)); !strings.HasPrefix(got, "RTSP/1.0 503") {
			t.Errorf("a newcomer got %q", got)
		}
		w.clients = append(w.clients, player)
		if err := w.checkFrame(t, "origin 0 > client 0"); err != nil {
			t.Error(err)
		}
		select {
		case err := <-down:
			t.Fatalf("shut down early: %v", err)
		default:
		}
		time.Sleep(15 * time.Second)
		if got := string(w.origin(t).receive(t, 0)); !strings.HasPrefix(got, "TEARDOWN rtsp://198.51.100.1/a RTSP/1.0") {
			t.Errorf("the origin got %q", got)
		}
		if err := <-down; !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("shutdown says %v", err)
		}
		w.mustEnd(t, "GP the gateway was shut down")
		w.nothingLeft(t)
	})
}

// TestShutdownOfLeavers: the drain is over when the last player has left.
func TestShutdownOfLeavers(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.playTCP(t)
		down := make(chan error, 1)
		go func() { down <- w.proxy.Shutdown(t.Context()) }()
		synctest.Wait()
		w.client().conn.Close()
		if err := <-down; err != nil {
			t.Error(err)
		}
		w.nothingLeft(t)
	})
}

// TestCloseMeetsNewcomers: no conversation starts behind Close's back.
func TestCloseMeetsNewcomers(t *testing.T) {
	for range 50 {
		w := newWorld(t)
		start, done := make(chan struct{}), make(chan struct{})
		go func() {
			defer close(done)
			<-start
			for range 20 {
				near, far := duplex()
				e := newEnd(near)
				w.proxy.ServeConn(&namedConn{halfConn: far, local: worldLocal, remote: worldClient})
				near.Close()
				<-e.gone
			}
		}()
		close(start)
		w.proxy.Close()
		if n := w.proxy.Sessions(); n != 0 {
			t.Fatalf("%d conversations run after Close", n)
		}
		<-done
		w.close()
		w.nothingLeft(t)
	}
}

// stalled makes a player that has stopped reading: what is written to it waits.
func stalled(w *world) *halfConn {
	near, far := duplex()
	w.proxy.ServeConn(&namedConn{halfConn: far, local: worldLocal, remote: worldClient})
	return near
}

// TestStalledPlayer: a player over TCP that does not read ends after Timeouts.Write; another one runs on meanwhile.
func TestStalledPlayer(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.playTCP(t)
		player, playing := w.client(), w.origin(t)
		conn := stalled(w)
		reader := rtspwire.NewReader(conn, rtspwire.Limits{})
		_, _ = conn.Write(crlf("SETUP rtsp://gw.test/a/track1 RTSP/1.0\nCSeq: 1\nTransport: RTP/AVP/TCP;unicast;interleaved=0-1"))
		w.origin(t).receive(t, 0)
		slow := w.origin(t)
		slow.send(t, crlf("RTSP/1.0 200 OK\nCSeq: 1\nSession: 2\nTransport: RTP/AVP/TCP;unicast;interleaved=0-1"))
		if _, err := reader.Read(); err != nil {
			t.Fatal(err)
		}
		go func() {
			for range 100 {
				_, _ = slow.conn.Write(rtspwire.AppendFrame(nil, 0, rtpPacket(1)))
			}
		}()
		for range 9 {
			time.Sleep(time.Second)
			w.clients, w.origins = append(w.clients, player), append(w.origins, playing)
			if err := w.checkFrame(t, "origin 0 > client 0"); err != nil {
				t.Fatal(err)
			}
		}
		w.mustRun(t)
		time.Sleep(3 * time.Second)
		w.mustEnd(t, "cS the player took nothing for 10s")
		if err := w.checkFrame(t, "origin 0 > client 0"); err != nil {
			t.Error(err)
		}
	})
}

// TestStalledBothWays: neither side reads, both pumps hang in writes; Close is done in seconds all the same.
func TestStalledBothWays(t *testing.T) {
	var dialled chan *halfConn // of the bubble
	bubble(t, func(t *testing.T, w *world) {
		conn := stalled(w)
		go func() {
			_, _ = conn.Write(crlf("SETUP rtsp://gw.test/a/track1 RTSP/1.0\nCSeq: 1\nTransport: RTP/AVP/TCP;unicast;interleaved=0-1"))
		}()
		far := <-dialled
		if _, err := rtspwire.NewReader(far, rtspwire.Limits{}).Read(); err != nil {
			t.Fatal(err)
		}
		_, _ = far.Write(crlf("RTSP/1.0 200 OK\nCSeq: 1\nSession: 2\nTransport: RTP/AVP/TCP;unicast;interleaved=0-1"))
		if _, err := rtspwire.NewReader(conn, rtspwire.Limits{}).Read(); err != nil {
			t.Fatal(err)
		}
		go func() { _, _ = far.Write(rtspwire.AppendFrame(nil, 0, rtpPacket(1))) }()
		go func() { _, _ = conn.Write(rtspwire.AppendFrame(nil, 1, rtpPacket(1))) }()
		time.Sleep(time.Second)
		begun := time.Now()
		w.proxy.Close()
		if took := time.Since(begun); took > 5*time.Second {
			t.Errorf("closing took %s", took)
		}
		conn.Close()
		far.Close()
		w.nothingLeft(t)
	}, func(c *Config) {
		dialled = make(chan *halfConn, 1)
		c.Dial = stalledDial(dialled)
	})
}

// stalledDial gives the origin's end of each connection away; nobody reads it of itself.
func stalledDial(dialled chan<- *halfConn) DialFunc {
	return func(context.Context, netip.AddrPort, netip.AddrPort) (net.Conn, error) {
		near, far := duplex()
		dialled <- near
		return &namedConn{halfConn: far, local: worldLocal, remote: worldLocal}, nil
	}
}

// TestSilentConnections: a thousand connections that say nothing end together at Timeouts.FirstRequest.
func TestSilentConnections(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		for range 1000 {
			w.connect(worldClient)
		}
		time.Sleep(9 * time.Second)
		if n := w.proxy.Sessions(); n != 1001 {
			t.Errorf("%d run after 9 s", n)
		}
		time.Sleep(2 * time.Second)
		w.nothingLeft(t)
		for range 1001 {
			if r := <-w.records; r.End.String() != "cA" {
				t.Fatalf("ended %s %s", r.End, r.Why)
			}
		}
	})
}

// TestPanicEndsTheSession: a fault of ours ends its session, says so, and leaves nothing behind.
func TestPanicEndsTheSession(t *testing.T) {
	t.Run("dial", func(t *testing.T) {
		bubble(t, func(t *testing.T, w *world) {
			w.client().send(t, crlf("OPTIONS rtsp://gw.test/a RTSP/1.0\nCSeq: 1"))
			w.mustEnd(t, "ID a fault of the gateway itself")
			w.proxy.Close()
			w.nothingLeft(t)
		}, func(c *Config) {
			c.Dial = func(context.Context, netip.AddrPort, netip.AddrPort) (net.Conn, error) { panic("made up") }
		})
	})
	t.Run("record", func(t *testing.T) {
		bubble(t, func(t *testing.T, w *world) {
			w.playTCP(t)
			w.client().conn.Close()
			synctest.Wait()
			w.proxy.Close()
			w.nothingLeft(t)
		}, func(c *Config) { c.Record = func(*sessionlog.Record) { panic("made up") } })
	})
}

// TestLimitsAreAnswered: RFC 2326, section 7.1.1: 414 for the line, 413 for the rest. The record names the limit, also when
// that was all that the player said.
func TestLimitsAreAnswered(t *testing.T) {
	for _, tc := range []struct {
		name, request string
		want          int
		open          bool
	}{
		{"line", "OPTIONS rtsp://gw.test/" + strings.Repeat("x", 20000) + " RTSP/1.0\nCSeq: 4", 414, true},
		{"field", "OPTIONS rtsp://gw.test/ RTSP/1.0\nCSeq: 4\nX: " + strings.Repeat("x", 70000), 413, true},
		{"fields", "OPTIONS rtsp://gw.test/ RTSP/1.0\nCSeq: 4" + strings.Repeat("\nX: y", 300), 413, false},
		{"body", "OPTIONS rtsp://gw.test/ RTSP/1.0\nCSeq: 4\nContent-Length: 5000000", 413, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			bubble(t, func(t *testing.T, w *world) {
				w.client().send(t, crlf(tc.request))
				if got := string(w.client().receive(t, 0)); !strings.HasPrefix(got, fmt.Sprintf("RTSP/1.0 %d ", tc.want)) || !strings.Contains(got, "CSeq: 4") {
					t.Errorf("got %q", got)
				}
				want := "is closed"
				if tc.open {
					want = "is open"
				}
				if err := w.client().isClosed(want); err != nil {
					t.Error(err)
				}
				end := "CD the player sent what cannot be read: rtspwire: read " + tc.name + ": over the limit of "
				if tc.open {
					w.client().conn.Close()
					end = "CD the player closed its connection before it set anything up after a refusal: rtspwire: read " + tc.name + ": over the limit of "
				}
				w.mustEnd(t, end)
			})
		})
	}
}

// TestFirstWords: a player that goes before its first request, and what it had said.
func TestFirstWords(t *testing.T) {
	for name, tc := range map[string]struct{ sent, end string }{
		"nothing":      {"", "CA the player closed its connection without a word"},
		"a line":       {"hello\r\n", "CA the player closed its connection after 7 bytes, which are no request"},
		"a frame":      {"$\x00\x00\x04abcd", "CA the player closed its connection after 8 bytes, which are no request"},
		"a response":   {"RTSP/1.0 200 OK\r\n\r\n", "CA the player closed its connection after 19 bytes, which are no request"},
		"half a line":  {"OPTIONS rtsp://gw.test/", "CA the player broke its connection off after 23 bytes, which are no request"},
		"much garbage": {strings.Repeat("\x80", 200000), "CA the player sent what cannot be read: rtspwire: read garbage: over the limit of 65536"},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, w *world) {
				if tc.sent != "" {
					w.client().send(t, []byte(tc.sent))
				}
				w.client().conn.Close()
				w.mustEnd(t, tc.end)
			})
		})
	}
}
