package mms

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"mediagate/internal/sessionlog"
	"mediagate/mms/mmswire"
)

// answering is an origin that grants everything, at once, and gives everybody the same identifier. Some break off.
func answering(c *halfConn, breaks func() bool) {
	defer c.Close()
	read := mmswire.NewReader(c, mmswire.Limits{})
	for seq := uint16(0); ; seq++ {
		item, err := read.Read()
		if err != nil || breaks() {
			return
		}
		p, ok := item.(*mmswire.Packet)
		if !ok {
			continue
		}
		for _, m := range p.Messages {
			for _, r := range table {
				if len(r.answers) > 0 && r.answers[0] == m.MID && r.mid != mmswire.MIDReportDisconnectedFunnel && r.mid != mmswire.MIDReportRedirect && r.mid != mmswire.MIDSecurityChallenge {
					answer := usual(r.mid, 0)
					if info, ok := answer.(*mmswire.ReportFunnelInfo); ok {
						info.NCubs = 7
					}
					if _, err := c.Write(mmswire.AppendPacket(nil, seq, 0, mmswire.Encode(answer))); err != nil {
						return
					}
					break
				}
			}
		}
	}
}

// visit is one player's conversation: it says what players say, and leaves at some point.
func visit(c net.Conn, r *rand.Rand) {
	defer c.Close()
	read := mmswire.NewReader(c, mmswire.Limits{})
	funnel := &mmswire.ConnectFunnel{FunnelName: fmt.Sprintf(`\\203.0.113.9\UDP\%d`, 7000+r.IntN(20))}
	if r.IntN(3) == 0 {
		funnel.FunnelName = `\\192.168.0.1\TCP\1037`
	}
	for i, m := range []mmswire.Message{
		usual(mmswire.MIDConnect, 0), usual(mmswire.MIDFunnelInfo, 0), funnel, &mmswire.OpenFile{PlayIncarnation: 1, FileName: "a.wmv"},
		usual(mmswire.MIDReadBlock, 0), usual(mmswire.MIDStartPlaying, 0), usual(mmswire.MIDStopPlaying, 0),
	} {
		if r.IntN(12) == 0 {
			return
		}
		if _, err := c.Write(mmswire.AppendPacket(nil, uint16(i), 0, mmswire.Encode(m))); err != nil {
			return
		}
		if _, err := read.Read(); err != nil {
			return
		}
	}
	if r.IntN(2) == 0 {
		_, _ = c.Write(mmswire.AppendPacket(nil, 7, 0, mmswire.Encode(usual(mmswire.MIDCloseFile, 0))))
	}
}

// storm lets many players of one address come and go at once. Some lines of theirs end in the middle, some origins break.
func storm(t *testing.T, byPath bool) {
	synctest.Test(t, func(t *testing.T) {
		var origins, players sync.WaitGroup
		w := newWorldOf(t, 200, func(c *Config) {
			c.ByPath = byPath
			c.Dial = func(_ context.Context, _, to netip.AddrPort) (net.Conn, error) {
				near, far := duplex()
				origins.Go(func() { answering(near, func() bool { return rand.IntN(40) == 0 }) })
				return &gatewayConn{halfConn: far, local: worldLocal, remote: to}, nil
			}
		})
		defer w.close()
		for p := range 12 {
			players.Go(func() {
				r := rand.New(rand.NewPCG(1, uint64(p)))
				for range 30 {
					near, far := duplex()
					g := &gatewayConn{halfConn: far, local: worldLocal, remote: worldClient}
					w.proxy.ServeConn(g)
					visit(near, r)
					if err := g.wrote(); err != nil {
						t.Error(err)
					}
				}
			})
		}
		players.Wait()
		begun := time.Now()
		w.proxy.Close()
		if took := time.Since(begun); took > 3*time.Second {
			t.Errorf("closing took %s", took)
		}
		origins.Wait()
		w.nothingLeft(t)
		if n := len(w.records); n != 12*30 {
			t.Errorf("%d records", n)
		}
		for len(w.records) > 0 {
			if r := <-w.records; r.End.Who == sessionlog.WhoInternal {
				t.Errorf("%s %s", r.End, r.Why)
			}
		}
	})
}

func TestPlayersComeAndGo(t *testing.T) {
	t.Run("choose at Connect", func(t *testing.T) { storm(t, false) })
	t.Run("choose by path", func(t *testing.T) { storm(t, true) })
}

// TestCloseInAStorm: Close in the midst of all that; whoever comes later is refused.
func TestCloseInAStorm(t *testing.T) {
	for n := range 20 {
		synctest.Test(t, func(t *testing.T) {
			var origins, players sync.WaitGroup
			w := newWorldOf(t, 200, func(c *Config) {
				c.Dial = func(_ context.Context, _, to netip.AddrPort) (net.Conn, error) {
					near, far := duplex()
					origins.Go(func() { answering(near, func() bool { return false }) })
					return &gatewayConn{halfConn: far, local: worldLocal, remote: to}, nil
				}
			})
			defer w.close()
			for p := range 8 {
				players.Go(func() {
					r := rand.New(rand.NewPCG(uint64(n), uint64(p)))
					for range 10 {
						near, far := duplex()
						w.proxy.ServeConn(&gatewayConn{halfConn: far, local: worldLocal, remote: worldClient})
						visit(near, r)
					}
				})
			}
			w.proxy.Close()
			players.Wait()
			origins.Wait()
			w.nothingLeft(t)
		})
	}
}
