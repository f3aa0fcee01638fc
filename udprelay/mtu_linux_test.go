package udprelay

import (
	"errors"
	"runtime"
	"testing"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"mediagate/internal/lab"
)

// withMTU runs a part of a test in a network namespace of its own, whose loopback has an MTU. The thread is of no use to others
// after that, and ends.
func withMTU(t *testing.T, mtu int, part func()) {
	t.Helper()
	lab.NeedRoot(t)
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread()
		if err := errors.Join(unix.Unshare(unix.CLONE_NEWNET), loopbackUp(mtu)); err != nil {
			t.Error(err)
			return
		}
		part()
	}()
	<-done
}

func loopbackUp(mtu int) error {
	lo, err := netlink.LinkByName("lo")
	if err != nil {
		return err
	}
	return errors.Join(netlink.LinkSetMTU(lo, mtu), netlink.LinkSetUp(lo))
}

// TestOverMTU: what does not fit the way's MTU is sent in fragments, alone or out of a train, as origins of Windows Media send it; what
// fits goes whole before and after, and nothing is lost.
func TestOverMTU(t *testing.T) {
	withMTU(t, 1400, func() {
		_, f, client, origin := fastFlow(t, Config{})
		c := f.legs[Client].sock[rtp].conn.(*fastConn)
		expect := func(n int, whole bool) {
			t.Helper()
			b := append(packet(1, uint16(n)), make([]byte, n)...)
			origin.send(rtpPort(f.OriginPair()), b)
			client.want(rtpPort(f.ClientPair()), b)
			if c.whole.Load() != whole {
				t.Errorf("%d bytes: it sends unfragmented: %v", len(b), c.whole.Load())
			}
		}
		expect(100, true)
		expect(8000, false)
		expect(100, false)

		out := newBatch(true)
		large := make([]byte, 3*2000)
		for i := range 3 {
			large[i*2000] = byte(i)
			out.add(c, way{flow: f, side: Client, to: client.addr()}, large[i*2000:][:2000], false)
		}
		if out.n != 1 {
			t.Fatalf("%d messages", out.n)
		}
		out.flush()
		for i := range 3 {
			client.want(rtpPort(f.ClientPair()), large[i*2000:][:2000])
		}
		if !f.legs[Client].alone.Load() {
			t.Error("the way's refusal of trains is not remembered")
		}
		eventually(t, "all is counted", func() bool { return f.Stats().ToClient.Packets == 6 })
		if s := f.Stats(); len(s.Drops) != 0 {
			t.Errorf("%+v", s)
		}
	})
}

// TestTooLong: what the way takes not even in fragments is counted, and costs only itself.
func TestTooLong(t *testing.T) {
	_, f, client, _ := fastFlow(t, Config{})
	c := f.legs[Client].sock[rtp].conn.(*fastConn)
	out := newBatch(true)
	out.add(c, way{flow: f, side: Client, to: client.addr()}, make([]byte, 66_000), false)
	out.add(c, way{flow: f, side: Client, to: client.addr()}, packet(1, 1), false)
	out.flush()
	client.want(rtpPort(f.ClientPair()), packet(1, 1))
	if s := f.Stats(); s.Drops[DropTooLong] != 1 || s.ToClient.Packets != 1 {
		t.Errorf("%+v", s)
	}
}
