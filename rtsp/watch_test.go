package rtsp

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"mediagate/internal/sessionlog"
)

// TestSnapshot: what runs can be looked at as often as one likes, and the record at the end counts everything once.
func TestSnapshot(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		id := w.playTCP(t)
		w.origin(t).send(t, []byte("$\x00\x00\x10\x80\x60\x00\x01\x00\x00\x00\x00\x00\x00\x00\x01data"))
		w.client().receive(t, 0)
		time.Sleep(5 * time.Second)
		for range 2 {
			all := w.proxy.Snapshot(context.Background())
			if len(all) != 1 {
				t.Fatalf("%d records", len(all))
			}
			r := all[0]
			if !r.Interim || r.End.String() != "-P" || r.ToClient != (sessionlog.Traffic{Packets: 1, Bytes: 16}) || r.Requests != 2 ||
				r.Node != "wms1" || r.Transport != sessionlog.TransportInterleaved || time.Duration(r.Duration) != 5*time.Second ||
				r.FirstMedia == nil || r.ControlClient.In == 0 || r.ControlOrigin.Out == 0 {
				t.Errorf("record: %+v", r)
			}
			if one := w.proxy.Look(context.Background(), r.ID); one == nil || one.ID != r.ID {
				t.Errorf("looked at: %+v", one)
			}
		}
		if r := w.proxy.Look(context.Background(), "nobody"); r != nil {
			t.Errorf("record of nobody: %+v", r)
		}
		w.ask(t, "TEARDOWN rtsp://gw.test/a RTSP/1.0\nCSeq: 3\nSession: "+id, "RTSP/1.0 200 OK\nCSeq\nSession: 1")
		w.client().conn.Close()
		synctest.Wait()
		if r := <-w.records; r.Interim || r.ToClient.Packets != 1 || r.Requests != 3 {
			t.Errorf("last record: %+v", r)
		}
		if all := w.proxy.Snapshot(context.Background()); len(all) != 0 {
			t.Errorf("%d sessions are left", len(all))
		}
	})
}

// TestSnapshotOfStalled: a session that waits in a write does not hold up who looks.
func TestSnapshotOfStalled(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		stalled := &session{id: "stalled", asks: make(chan chan<- *sessionlog.Record), gone: make(chan struct{})}
		w.proxy.enter(stalled)
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		if all := w.proxy.Snapshot(ctx); len(all) != 1 || all[0].ID == "stalled" {
			t.Errorf("%d records", len(all))
		}
		go func() { // it takes the question and ends before it answers
			<-stalled.asks
			close(stalled.gone)
		}()
		if all := w.proxy.Snapshot(context.Background()); len(all) != 1 {
			t.Errorf("%d records", len(all))
		}
	})
}

// TestKill: the origin hears a TEARDOWN, the record says who did it.
func TestKill(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.playTCP(t)
		if w.proxy.Kill("nobody", "a test") {
			t.Error("nobody was killed")
		}
		if !w.proxy.Kill(w.session(t).id, "an operator at 127.0.0.1") {
			t.Fatal("no such session")
		}
		if got := string(w.origin(t).receive(t, 0)); len(got) < 8 || got[:8] != "TEARDOWN" {
			t.Errorf("the origin got %q", got)
		}
		w.origin(t).conn.Close()
		time.Sleep(2 * time.Second)
		w.mustEnd(t, "KP killed by an operator at 127.0.0.1")
	})
}

// TestInterim: a session that lasts has a record now and then.
func TestInterim(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.playTCP(t)
		for i := range 3 {
			w.origin(t).send(t, []byte("$\x00\x00\x0c\x80\x60\x00\x01\x00\x00\x00\x00\x00\x00\x00\x01"))
			w.client().receive(t, 0)
			time.Sleep(10 * time.Second)
			synctest.Wait()
			select {
			case r := <-w.records:
				if want := time.Duration(i+1) * 10 * time.Second; !r.Interim || time.Duration(r.Duration) != want || r.ToClient.Packets != uint64(i+1) {
					t.Errorf("record: %+v, want %v", r, want)
				}
			default:
				t.Fatal("no interim record")
			}
		}
	}, func(c *Config) { c.Interim = 10 * time.Second })
}
