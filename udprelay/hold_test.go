package udprelay

import (
	"testing"
	"time"
)

// arrived waits until the relay has taken n datagrams from the origin.
func (g *stage) arrived(t *testing.T, n uint64) {
	t.Helper()
	eventually(t, "the relay has the datagrams", func() bool { return g.f.Stats().FromOrigin.Packets == n })
}

// hold holds the media without the time after which they go by themselves, which a busy machine lets pass.
func (g *stage) hold() {
	for {
		g.f.Hold()
		if h := g.f.mms.held.Load(); h != nil && h.timer.Stop() {
			return
		}
	}
}

// TestHold: what the origin sends waits for Release, in order, and before what comes after it; packet pairs do not wait.
func TestHold(t *testing.T) {
	g := newStage(t, newRelay(t, Config{Linger: -1}), newHosts(), 0, 0)
	to, from := rtpPort(g.f.OriginPair()), rtpPort(g.f.ClientPair())
	for range 2 {
		before := g.f.Stats().FromOrigin.Packets
		g.hold()
		g.f.Hold() // it holds already
		for i := range uint32(3) {
			g.origin.send(to, data(i, 2, 4))
		}
		g.arrived(t, before+3)
		pair := data(0xf0f0f000, 0xff, 0x10)
		g.origin.send(to, pair)
		g.client.want(from, pair)
		g.f.Release()
		g.f.Release()
		g.origin.send(to, data(3, 2, 12))
		for i := range uint32(3) {
			g.client.want(from, data(i, 2, 4))
		}
		g.client.want(from, data(3, 2, 12))
		eventually(t, "what went to the client is counted", func() bool { return g.f.Stats().ToClient.Packets == before+5 })
	}
}

// TestHoldEnds: by itself after a time, and when there is more than it takes; nothing is lost then.
func TestHoldEnds(t *testing.T) {
	for name, n := range map[string]uint32{"in time": 1, "when it is full": heldDatagrams + 3} {
		t.Run(name, func(t *testing.T) {
			g := newStage(t, newRelay(t, Config{Linger: -1}), newHosts(), 0, 0)
			g.f.Hold()
			for i := range n {
				g.origin.send(rtpPort(g.f.OriginPair()), data(i, 2, 4))
			}
			for i := range n {
				g.client.want(rtpPort(g.f.ClientPair()), data(i, 2, 4))
			}
			g.media(data(n, 2, 12))
		})
	}
}

// TestHoldClosed: what still waits when the flow ends is counted as late, for the record that is written then.
func TestHoldClosed(t *testing.T) {
	g := newStage(t, newRelay(t, Config{Linger: time.Minute}), newHosts(), 0, 0)
	g.hold()
	g.origin.send(rtpPort(g.f.OriginPair()), data(0, 2, 4))
	g.arrived(t, 1)
	g.f.Close()
	if n := g.f.Stats().Drops[DropClosed]; n != 1 {
		t.Errorf("%d dropped as closed, want 1", n)
	}
}
