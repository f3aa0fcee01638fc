package mms

import (
	"testing"
	"testing/synctest"
	"time"

	"mediagate/mms/mmswire"
)

// TestLastWords: a player that closes with media still unread resets its connection (RFC 1122, section 4.2.2.13), so that
// writing to it fails before its Logging and CloseFile are read. They count, and go to the origin.
func TestLastWords(t *testing.T) {
	for _, tc := range []struct {
		name  string
		words []mmswire.MID
		want  string
	}{
		{"CloseFile", []mmswire.MID{mmswire.MIDLogging, mmswire.MIDCloseFile}, "= end -T the player closed the file"},
		{"nothing", nil, "= end CP the player closed its connection without a CloseFile"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			stalledWorld(t, func(t *testing.T, w *world, player, origin *halfConn) {
				if err := player.in.Close(); err != nil {
					t.Fatal(err)
				}
				if _, err := origin.Write(dataOf(1)); err != nil {
					t.Fatal(err)
				}
				synctest.Wait()
				read := mmswire.NewReader(origin, mmswire.Limits{})
				for _, mid := range tc.words {
					go func() { _, _ = player.Write(mmswire.AppendPacket(nil, 0, 0, mmswire.Encode(usual(mid, 0)))) }()
					item, err := read.Read()
					if p, ok := item.(*mmswire.Packet); err != nil || !ok || p.Messages[0].MID != mid {
						t.Fatalf("the origin got %v, %v, want %v", item, err, mid)
					}
				}
				player.Close()
				origin.Close()
				time.Sleep(time.Second)
				w.do(t, tc.want)
			})
		})
	}
}

// TestNoLastWords: a player of which nothing comes any more is let go all the same.
func TestNoLastWords(t *testing.T) {
	stalledWorld(t, func(t *testing.T, w *world, player, origin *halfConn) {
		if err := player.in.Close(); err != nil {
			t.Fatal(err)
		}
		if _, err := origin.Write(dataOf(1)); err != nil {
			t.Fatal(err)
		}
		time.Sleep(closeGrace + 100*time.Millisecond)
		origin.Close()
		time.Sleep(time.Second)
		w.do(t, "= end CP the player broke its connection off without a CloseFile")
	})
}
