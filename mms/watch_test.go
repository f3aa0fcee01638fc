package mms

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"mediagate/mms/mmswire"
)

// TestSnapshot: what runs can be looked at as often as one likes.
func TestSnapshot(t *testing.T) {
	stalledWorld(t, func(t *testing.T, w *world, player, origin *halfConn) {
		go func() { _, _ = origin.Write(dataOf(1)) }()
		if _, err := mmswire.NewReader(player, mmswire.Limits{}).Read(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(5 * time.Second)
		for range 2 {
			all := w.proxy.Snapshot(context.Background())
			if len(all) != 1 {
				t.Fatalf("%d records", len(all))
			}
			r := all[0]
			if !r.Interim || r.End.String() != "-P" || r.ToClient.Packets != 1 || r.Node != "wms1" || r.FirstMedia == nil ||
				time.Duration(r.Duration) != 5*time.Second || r.ControlClient.In == 0 {
				t.Errorf("record: %+v", r)
			}
			if one := w.proxy.Look(context.Background(), r.ID); one == nil || one.ID != r.ID {
				t.Errorf("looked at: %+v", one)
			}
		}
		if r := w.proxy.Look(context.Background(), "nobody"); r != nil {
			t.Errorf("record of nobody: %+v", r)
		}
	})
}

// TestKill: the player hears the end of the stream, the origin a CloseFile, and the record says who did it.
func TestKill(t *testing.T) {
	stalledWorld(t, func(t *testing.T, w *world, player, origin *halfConn) {
		if w.proxy.Kill("nobody", "a test") {
			t.Error("nobody was killed")
		}
		all := w.proxy.Snapshot(context.Background())
		if len(all) != 1 || !w.proxy.Kill(all[0].ID, "an operator") {
			t.Fatalf("%d sessions", len(all))
		}
		for _, tc := range []struct {
			conn *halfConn
			want mmswire.MID
		}{{player, mmswire.MIDReportEndOfStream}, {origin, mmswire.MIDCloseFile}} {
			item, err := mmswire.NewReader(tc.conn, mmswire.Limits{}).Read()
			if p, ok := item.(*mmswire.Packet); err != nil || !ok || p.Messages[0].MID != tc.want {
				t.Errorf("got %v, %v, want %v", item, err, tc.want)
			}
		}
		player.Close()
		origin.Close()
		time.Sleep(2 * time.Second)
		w.do(t, "= end KP killed by an operator")
	})
}

// TestInterim: a session that lasts has a record now and then.
func TestInterim(t *testing.T) {
	emptyBubble(t, func(t *testing.T, w *world) {
		w.connect()
		w.do(t, "C> Connect", "O> ReportConnectedEX")
		for i := range 3 {
			time.Sleep(10 * time.Second)
			synctest.Wait()
			select {
			case r := <-w.records:
				if want := time.Duration(i+1) * 10 * time.Second; !r.Interim || time.Duration(r.Duration) != want || r.Node == "" {
					t.Errorf("record: %+v, want %v", r, want)
				}
			default:
				t.Fatal("no interim record")
			}
		}
	}, func(c *Config) { c.Interim = 10 * time.Second })
}
