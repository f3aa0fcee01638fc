package httpfallback

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"mediagate/internal/sessionlog"
)

// TestWatchStorm: sessions are looked at and killed while their players ask, stream, seek and go, all at once. Each has one
// last record, none comes after it, and nothing is left.
func TestWatchStorm(t *testing.T) {
	o := newOrigin(t, "127.0.0.131", func(conn net.Conn, _ *http.Request) bool {
		io.WriteString(conn, framedHead)
		for range 20 {
			if _, err := io.WriteString(conn, stream(40)); err != nil {
				return false
			}
		}
		conn.Write(reason('E', 0))
		return false
	})
	w := newWorld(t, func(c *Config) { c.Linger, c.Interim = 5*time.Millisecond, time.Millisecond }, o.addr)
	var players, watcher sync.WaitGroup
	var hit atomic.Bool // one was killed: the players wait for who kills, should he be held up
	for n := range 8 {
		random := rand.New(rand.NewPCG(7, uint64(n)))
		players.Go(func() {
			for i := 0; i < 40 || !hit.Load() && i < 4000; i++ {
				conn := w.dial()
				_, _ = io.WriteString(conn, requestOf("GET", fmt.Sprint("/", random.IntN(2)), fmt.Sprintf("Pragma: xClientGUID={%d}", random.IntN(4))))
				_, _ = io.CopyN(io.Discard, conn, random.Int64N(1<<20)) // it may be killed meanwhile
				_ = conn.Close()
			}
		})
	}
	killed := make(map[string]bool)
	stop := make(chan struct{})
	watcher.Go(func() {
		random := rand.New(rand.NewPCG(7, 99))
		for {
			select {
			case <-stop:
				return
			case <-time.After(time.Millisecond):
			}
			for _, r := range w.proxy.Snapshot(context.Background()) {
				if !r.Interim || r.ToClient.Packets > r.FromOrigin.Packets {
					t.Errorf("looked at %+v", r)
				}
				if random.IntN(8) == 0 && w.proxy.Kill(r.ID, "a test") {
					killed[r.ID] = true
					hit.Store(true)
				}
			}
		}
	})
	players.Wait()
	close(stop)
	watcher.Wait()
	eventually(t, "no session is left", func() bool { return w.proxy.Sessions() == 0 })
	if err := w.proxy.Close(); err != nil {
		t.Error(err)
	}
	last := make(map[string]*sessionlog.Record)
	for _, r := range w.ended(1) {
		switch {
		case r.End.Who == sessionlog.WhoInternal:
			t.Errorf("%v %s", r.End, r.Why)
		case last[r.ID] != nil:
			t.Errorf("a record after the last: %+v", r)
		case !r.Interim:
			last[r.ID] = r
		}
	}
	for id := range killed {
		if r := last[id]; r == nil || r.End.Who != sessionlog.WhoKilled {
			t.Errorf("%s was killed: %+v", id, r)
		}
	}
	if len(killed) == 0 || len(last) < len(killed) {
		t.Errorf("%d sessions, %d were killed", len(last), len(killed))
	}
}
