package udprelay

import (
	"encoding/binary"
	"errors"
	"net"
	"net/netip"
	"os"
	"runtime"
	"testing"

	"golang.org/x/sys/unix"
)

// sendTrain sends datagrams of one size, the last may be shorter, as a train.
func (e *end) sendTrain(to netip.AddrPort, size int, b []byte) {
	e.t.Helper()
	control := make([]byte, unix.CmsgSpace(2))
	control[0] = byte(unix.CmsgLen(2)) // on the little-endian machines that tests run on
	control[8], control[12] = unix.SOL_UDP, unix.UDP_SEGMENT
	binary.NativeEndian.PutUint16(control[unix.CmsgLen(0):], uint16(size))
	if _, _, err := e.WriteMsgUDPAddrPort(b, control, to); err != nil {
		e.t.Fatal(err)
	}
}

// fastFlow is a connected flow of the fast engine with its ends.
func fastFlow(t *testing.T, cfg Config) (r *Relay, f *Flow, client, origin *end) {
	t.Helper()
	h := newHosts()
	cfg.Engine, cfg.Linger = EngineFast, -1
	r = newRelay(t, cfg)
	f = reserve(t, r, h.spec())
	client, origin = newEnd(t, h.client, 0), newEnd(t, h.origin, 0)
	connect(t, f, Client, Peer{Addr: h.client, RTP: client.addr().Port(), RTCP: client.addr().Port() + 1})
	connect(t, f, Origin, Peer{Addr: h.origin, RTP: origin.addr().Port(), RTCP: origin.addr().Port() + 1})
	return r, f, client, origin
}

// TestTrain: datagrams that come as one go on as they were, each judged and counted, in order, the shorter last one too.
func TestTrain(t *testing.T) {
	for mode, ports := range modes() {
		t.Run(mode, func(t *testing.T) {
			r, f, client, origin := fastFlow(t, Config{ClientPorts: ports})
			const n = 40
			var all []byte
			for i := range uint16(n) {
				all = append(all, packet(7, i)...)
			}
			all = all[:len(all)-50]
			origin.sendTrain(rtpPort(f.OriginPair()), 200, all)
			for i := range n {
				client.want(rtpPort(f.ClientPair()), all[i*200:min(len(all), i*200+200)])
			}
			eventually(t, "what was sent is counted", func() bool { return f.Stats().ToClient.Packets == n })
			s := f.Stats()
			if s.ToClient.Packets != n || s.ToClient.Bytes != uint64(len(all)) || s.Media.Packets != n || len(s.Drops) != 0 {
				t.Errorf("%+v", s)
			}
			var batches uint64
			for _, l := range r.Load().Loops {
				batches += l.Batches
			}
			if batches > n/2 {
				t.Errorf("%d calls for %d datagrams", batches, n)
			}
		})
	}
}

// TestTrainRefused: a way that cannot carry a train gets its datagrams singly, in order, and is remembered.
func TestTrainRefused(t *testing.T) {
	_, f, client, _ := fastFlow(t, Config{})
	c := f.legs[Client].sock[rtp].conn.(*fastConn)
	out := newBatch(true)
	b := make([]byte, 3*200)
	for i := range 3 {
		b[i*200] = byte(i)
		out.add(c, way{flow: f, side: Client, to: client.addr()}, b[i*200:(i+1)*200], false)
	}
	if out.n != 1 || out.list[0].count != 3 {
		t.Fatalf("%d messages, %d datagrams in the first", out.n, out.list[0].count)
	}
	out.refused(0, unix.EIO)
	for i := range 3 {
		client.want(rtpPort(f.ClientPair()), b[i*200:(i+1)*200])
	}
	if !f.legs[Client].alone.Load() {
		t.Error("not remembered")
	}
	out.n, out.pieces = 0, 0
	out.add(c, way{flow: f, side: Client, to: client.addr()}, b[:200], false)
	out.add(c, way{flow: f, side: Client, to: client.addr()}, b[200:400], false)
	if out.n != 2 {
		t.Errorf("joined again: %d messages", out.n)
	}
	out.refused(0, unix.EAGAIN)
	if s := f.Stats(); s.ToClient.Packets != 3 || s.Drops[DropQueueFull] != 1 {
		t.Errorf("%+v", s)
	}
}

// TestBatchGoesOn: what cannot be sent costs only itself, also in the middle of a call.
func TestBatchGoesOn(t *testing.T) {
	_, f, client, _ := fastFlow(t, Config{})
	c := f.legs[Client].sock[rtp].conn.(*fastConn)
	out := newBatch(true)
	to := client.addr()
	long := make([]byte, 66_000) // more than a datagram carries
	for _, b := range [][]byte{[]byte("first"), long, []byte("second"), long} {
		out.add(c, way{flow: f, side: Client, to: to}, b, false)
	}
	out.flush()
	client.want(rtpPort(f.ClientPair()), []byte("first"))
	client.want(rtpPort(f.ClientPair()), []byte("second"))
	if s := f.Stats(); s.ToClient.Packets != 2 || s.Drops[DropTooLong] != 2 {
		t.Errorf("%+v", s)
	}
}

// TestBatchJoins: only what a train may be is one.
func TestBatchJoins(t *testing.T) {
	_, f, client, _ := fastFlow(t, Config{})
	c := f.legs[Client].sock[rtp].conn.(*fastConn)
	other := netip.AddrPortFrom(client.addr().Addr(), 9)
	for name, tt := range map[string]struct {
		sizes    []int
		to       []netip.AddrPort
		messages int
	}{
		"one":            {[]int{200}, nil, 1},
		"equal":          {[]int{200, 200, 200}, nil, 1},
		"shorter last":   {[]int{200, 200, 10}, nil, 1},
		"after the last": {[]int{200, 10, 10}, nil, 2},
		"longer":         {[]int{200, 201}, nil, 2},
		"empty":          {[]int{200, 0, 200}, nil, 3},
		"two ways":       {[]int{200, 200}, []netip.AddrPort{client.addr(), other}, 2},
		"too large":      {[]int{40_000, 40_000}, nil, 2},
	} {
		out := newBatch(true)
		for i, size := range tt.sizes {
			to := client.addr()
			if tt.to != nil {
				to = tt.to[i]
			}
			out.add(c, way{flow: f, side: Client, to: to}, make([]byte, size), false)
		}
		if out.n != tt.messages {
			t.Errorf("%s: %d messages, want %d", name, out.n, tt.messages)
		}
	}
	out := newBatch(true)
	for range trainSize + 1 {
		out.add(c, way{flow: f, side: Client, to: client.addr()}, make([]byte, 100), false)
	}
	if out.n != 2 {
		t.Errorf("%d datagrams: %d messages", trainSize+1, out.n)
	}
}

// TestFastFlat: flows that come and go leave neither descriptors nor goroutines.
func TestFastFlat(t *testing.T) {
	h := newHosts()
	r := newRelay(t, Config{Engine: EngineFast, ClientPorts: PortRange{5004, 5005}, Linger: -1})
	round := func() {
		var flows []*Flow
		for range 40 {
			flows = append(flows, reserve(t, r, h.spec()))
		}
		for _, f := range flows {
			f.Close()
			<-f.Done()
		}
	}
	files := func() int {
		list, err := os.ReadDir("/proc/self/fd")
		if err != nil {
			t.Fatal(err)
		}
		return len(list)
	}
	round()
	before, routines := files(), runtime.NumGoroutine()
	for range 5 {
		round()
	}
	eventually(t, "as many files and goroutines as before", func() bool {
		return files() <= before && runtime.NumGoroutine() <= routines
	})
}

// TestFastConnClosed: what has been closed sends nothing, and a Conn without a descriptor stays as it is.
func TestFastConnClosed(t *testing.T) {
	_, f, client, _ := fastFlow(t, Config{})
	c := f.legs[Client].sock[rtp].conn
	if _, err := c.WriteToUDPAddrPort([]byte("x"), netip.MustParseAddrPort("[2001:db8::1]:9")); !errors.Is(err, unix.ENETUNREACH) {
		t.Errorf("IPv6 from a socket of IPv4: %v", err)
	}
	f.Close()
	<-f.Done()
	if _, err := c.WriteToUDPAddrPort([]byte("x"), client.addr()); !errors.Is(err, net.ErrClosed) {
		t.Errorf("closed socket: %v", err)
	}
	r := newRelay(t, Config{Engine: EngineFast, Listen: listenNull})
	if got := r.fast.take(&nullConn{}); got != nil {
		t.Errorf("took over %v", got)
	}
}

// TestLoopTicks: the figures of a second are told.
func TestLoopTicks(t *testing.T) {
	r, f, client, origin := fastFlow(t, Config{Loops: 1})
	n := uint16(0)
	eventually(t, "a loop that was busy", func() bool {
		for range 20 { // in each second that may be looked at
			n++
			origin.send(rtpPort(f.OriginPair()), packet(1, n))
			client.want(rtpPort(f.ClientPair()), packet(1, n))
		}
		l := r.Load().Loops
		return len(l) == 1 && l[0].Busy > 0 && l[0].Packets == uint64(n) && l[0].Wakeups > 0
	})
	if r.Engine().Name != "fast" || r.Engine().Loops != 1 || r.Engine().Features[0].Name != "receive-trains" {
		t.Errorf("%+v", r.Engine())
	}
}
