package mms

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
	"mediagate/mms/mmswire"
)

// bubble runs f in a world of its own, with fake time.
func bubble(t *testing.T, f func(t *testing.T, w *world), changes ...func(*Config)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, changes...)
		defer w.close()
		f(t, w)
	})
}

// emptyBubble is bubble without a player.
func emptyBubble(t *testing.T, f func(t *testing.T, w *world), changes ...func(*Config)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := newWorldOf(t, 20, changes...)
		defer w.close()
		f(t, w)
	})
}

// part brings a session to where parts/NAME.part leaves it.
func (w *world) part(t *testing.T, name string) {
	t.Helper()
	w.run(t, name, included(t, []line{{"@", name, 0}}))
}

// do runs lines of a dialog.
func (w *world) do(t *testing.T, lines ...string) {
	t.Helper()
	for i, l := range lines {
		lane, text, _ := strings.Cut(l, " ")
		if err := w.step(&line{lane, text, i}, nil); err != nil {
			t.Fatalf("%s: %v", l, err)
		}
	}
}

// TestCloseAtAnyStep runs each dialog as far as line n, for every n, and closes the proxy there.
func TestCloseAtAnyStep(t *testing.T) {
	files, _ := filepath.Glob("../testdata/dialogs/mms/*.dialog")
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".dialog"), func(t *testing.T) {
			lines := included(t, readDialog(t, file))
			for n, l := range lines {
				if !strings.HasSuffix(l.lane, ">") && l.lane != "!" {
					continue // nothing happens in it
				}
				synctest.Test(t, func(t *testing.T) { closeAfter(t, file, lines, n) })
			}
		})
	}
}

func closeAfter(t *testing.T, file string, lines []line, n int) {
	w := dialogWorld(t, lines)
	defer w.close()
	w.run(t, file, lines[:n+1])
	begun := time.Now()
	w.proxy.Close()
	if took := time.Since(begun); took > 3*time.Second {
		t.Errorf("closing after line %d took %s", lines[n].number, took)
	}
	w.nothingLeft(t)
	for len(w.records) > 0 {
		if r := <-w.records; r.End.Who == sessionlog.WhoInternal {
			t.Errorf("after line %d: %s %s", lines[n].number, r.End, r.Why)
		}
	}
}

// TestShutdown: what runs runs on, newcomers are refused; at the deadline players hear of the end, origins get a CloseFile.
func TestShutdown(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.part(t, "tcp-playing")
		ctx, cancel := context.WithTimeout(t.Context(), 15*time.Second)
		defer cancel()
		down := make(chan error, 1)
		go func() { down <- w.proxy.Shutdown(ctx) }()
		time.Sleep(14 * time.Second)
		w.do(t, "O>> Ping", "C>> Pong")
		select {
		case err := <-down:
			t.Fatalf("shut down early: %v", err)
		default:
		}
		time.Sleep(2 * time.Second)
		w.do(t, "C< ReportEndOfStream hr=0xc00d0029", "O< CloseFile playIncarnation=0", "= end GP the gateway was shut down")
		if err := <-down; !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("shutdown says %v", err)
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
				g := &gatewayConn{halfConn: far, local: worldLocal, remote: worldClient}
				e := newEnd(near, g)
				w.proxy.ServeConn(g)
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
	}
}

// stalledWorld is a world in which nobody reads by itself: the player's end and the origin's are the test's.
func stalledWorld(t *testing.T, f func(t *testing.T, w *world, player, origin *halfConn)) {
	t.Helper()
	var dialled chan *halfConn // of the bubble
	emptyBubble(t, func(t *testing.T, w *world) {
		player, far := duplex()
		w.proxy.ServeConn(&gatewayConn{halfConn: far, local: worldLocal, remote: worldClient})
		write := func(c *halfConn, m mmswire.Message) {
			_, _ = c.Write(mmswire.AppendPacket(nil, 0, 0, mmswire.Encode(m)))
		}
		go write(player, usual(mmswire.MIDConnect, 0))
		origin := <-dialled
		fromOrigin, fromPlayer := mmswire.NewReader(player, mmswire.Limits{}), mmswire.NewReader(origin, mmswire.Limits{})
		next := func(r *mmswire.Reader) {
			if _, err := r.Read(); err != nil {
				t.Fatal(err)
			}
		}
		next(fromPlayer)
		go write(origin, usual(mmswire.MIDReportConnectedEX, 0))
		next(fromOrigin)
		go write(player, &mmswire.OpenFile{FileName: "a.wmv"})
		next(fromPlayer)
		go write(origin, usual(mmswire.MIDReportOpenFile, 0))
		next(fromOrigin)
		go write(player, usual(mmswire.MIDStartPlaying, 0))
		next(fromPlayer)
		go write(origin, usual(mmswire.MIDReportStartedPlaying, 0))
		next(fromOrigin)
		f(t, w, player, origin)
		player.Close()
		origin.Close()
		synctest.Wait()
	}, func(c *Config) {
		dialled = make(chan *halfConn, 1)
		c.Dial = func(context.Context, netip.AddrPort, netip.AddrPort) (net.Conn, error) {
			near, far := duplex()
			dialled <- near
			return &gatewayConn{halfConn: far, local: worldLocal, remote: netip.AddrPortFrom(worldNode1, 1755)}, nil
		}
	})
}

// TestStalledPlayer: a player over TCP that does not read ends after Timeouts.Write, and its file is closed.
func TestStalledPlayer(t *testing.T) {
	stalledWorld(t, func(t *testing.T, w *world, player, origin *halfConn) {
		go func() {
			for n := range 100 {
				_, _ = origin.Write(dataOf(n))
			}
		}()
		time.Sleep(9 * time.Second)
		if n := len(w.records); n != 0 {
			t.Fatalf("%s ended early", (<-w.records).Why)
		}
		item, err := mmswire.NewReader(origin, mmswire.Limits{}).Read()
		if p, ok := item.(*mmswire.Packet); err != nil || !ok || p.Messages[0].MID != mmswire.MIDCloseFile {
			t.Errorf("the origin got %v, %v, want CloseFile", item, err)
		}
		origin.Close()
		time.Sleep(3 * time.Second)
		w.do(t, "= end cP the player took nothing for 10s", "= drops map[write-error:1]")
	})
}

// TestStalledBothWays: neither side reads, both pumps hang in writes; Close is done in seconds all the same.
func TestStalledBothWays(t *testing.T) {
	stalledWorld(t, func(t *testing.T, w *world, player, origin *halfConn) {
		go func() { _, _ = origin.Write(dataOf(1)) }()
		go func() {
			_, _ = player.Write(mmswire.AppendPacket(nil, 0, 0, mmswire.Encode(&mmswire.Pong{})))
		}()
		time.Sleep(time.Second)
		begun := time.Now()
		w.proxy.Close()
		if took := time.Since(begun); took > 5*time.Second {
			t.Errorf("closing took %s", took)
		}
		w.nothingLeft(t)
	})
}

// TestStalledOrigin: an origin that takes nothing ends the session after Timeouts.Write.
func TestStalledOrigin(t *testing.T) {
	stalledWorld(t, func(t *testing.T, w *world, player, _ *halfConn) {
		go func() {
			_, _ = player.Write(mmswire.AppendPacket(nil, 0, 0, mmswire.Encode(&mmswire.Pong{})))
			read := mmswire.NewReader(player, mmswire.Limits{})
			for {
				if _, err := read.Read(); err != nil {
					player.Close()
					return
				}
			}
		}()
		time.Sleep(15 * time.Second)
		w.do(t, "= end oP origin wms1 took nothing for 10s")
	})
}

// TestSilentConnections: a thousand connections that say nothing end together at Timeouts.FirstRequest.
func TestSilentConnections(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		for range 1000 {
			w.connect()
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
			w.do(t, "C> Connect", "= end ID a fault of the gateway itself")
			w.nothingLeft(t)
		}, func(c *Config) {
			c.Dial = func(context.Context, netip.AddrPort, netip.AddrPort) (net.Conn, error) { panic("made up") }
		})
	})
	t.Run("record", func(t *testing.T) {
		bubble(t, func(t *testing.T, w *world) {
			w.part(t, "tcp-playing")
			w.do(t, "! client closes", "O< CloseFile playIncarnation=0")
			w.proxy.Close()
			w.nothingLeft(t)
		}, func(c *Config) { c.Record = func(*sessionlog.Record) { panic("made up") } })
	})
}

// TestHugeNames: names of 60 kB in the messages that the gateway reads and edits.
func TestHugeNames(t *testing.T) {
	long := strings.Repeat("x", 30000)
	bubble(t, func(t *testing.T, w *world) {
		w.do(t, fmt.Sprintf(`C> Connect subscriberName="NSPlayer/7.0.0.1956; Host: %s"`, long))
		if got := w.origin().receive(); !strings.Contains(got, "Host: 198.51.100.1:1755") || strings.Contains(got, "xxx") {
			t.Errorf("the origin got %d characters", len(got))
		}
		w.do(t, "O>> ReportConnectedEX")
		for _, funnel := range []string{`\\` + long + `\UDP\7000`, `\\203.0.113.9\UDP\` + strings.Repeat("0", 30000) + "7"} {
			w.do(t, fmt.Sprintf("C> ConnectFunnel funnelName=`%s`", funnel))
			if got := w.client().receive() + w.origin().receive(); len(got) > 200 {
				t.Errorf("what came of the funnel has %d characters", len(got))
			}
		}
		w.proxy.Close()
		w.nothingLeft(t)
		if r := <-w.records; len(r.URL) > 40000 {
			t.Errorf("the record's URL has %d bytes", len(r.URL))
		}
	})
}

// TestGreedyPlayer: a player that asks and asks without waiting ends when too much waits for its origin.
func TestGreedyPlayer(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.part(t, "tcp-open")
		for range maxPending {
			w.do(t, "C>> ReadBlock")
		}
		w.do(t, "C> ReadBlock", "= client is closed", "O< CloseFile playIncarnation=0", "= end CD the player asks and asks without waiting for answers")
	})
}

// TestManyMessagesBehindTheEnd: an origin that speaks on and on behind the end of a stream does not fill the memory.
func TestManyMessagesBehindTheEnd(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.part(t, "udp-playing")
		w.do(t, "O> ReportEndOfStream")
		for range maxTail - 2 {
			w.do(t, "O> Ping", "= client gets nothing")
		}
		w.do(t, "O> Ping", "C< ReportEndOfStream")
		for range maxTail - 1 {
			w.do(t, "C< Ping")
		}
		w.do(t, "O>> Ping")
	})
}
