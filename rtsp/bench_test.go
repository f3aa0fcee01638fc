package rtsp

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/netip"
	"testing"
	"time"

	"mediagate/balancer"
	"mediagate/rtsp/rtspwire"
	"mediagate/udprelay"
)

// counter is a connection that takes everything.
type counter struct {
	net.Conn
	writes int
}

func (c *counter) Write(b []byte) (int, error)      { c.writes++; return len(b), nil }
func (c *counter) SetWriteDeadline(time.Time) error { return nil }

// relaying is the origin's pump of a session with one stream over TCP, that reads so many frames of media at once and one
// of a channel that nobody set up.
func relaying(frames int) (p *peer, to *counter, next func() error) {
	s := new(session)
	to = new(counter)
	client := &peer{side: sideClient, out: writer{conn: to, timeout: time.Second}}
	s.routes[sideOrigin].Store((*routes)(nil).with(0, &route{to: client, channel: 2, media: true, meter: new(udprelay.Meter)}))
	payload := make([]byte, 1316)
	copy(payload, rtpPacket(1))
	var chunk []byte
	for range frames {
		chunk = rtspwire.AppendFrame(chunk, 0, payload)
	}
	chunk = rtspwire.AppendFrame(chunk, 9, nil)
	p = &peer{side: sideOrigin, reader: rtspwire.NewReader(repeated(chunk), rtspwire.Limits{})}
	p.owner.Store(s)
	return p, to, func() error {
		for range frames + 1 {
			item, err := p.reader.Read()
			if err != nil {
				return err
			}
			if err := p.relay(item.(*rtspwire.Frame)); err != nil {
				return err
			}
		}
		return nil
	}
}

// repeated gives itself to each Read, whole if it fits.
type repeated []byte

func (r repeated) Read(b []byte) (int, error) { return copy(b, r), nil }

// TestRelayDoesNotAllocate: nothing is allocated for a frame, wherever it goes, and frames that came together are one
// write.
func TestRelayDoesNotAllocate(t *testing.T) {
	_, to, next := relaying(3)
	if err := next(); err != nil { // the buffers find their sizes
		t.Fatal(err)
	}
	to.writes = 0
	const rounds = 1000
	if n := testing.AllocsPerRun(rounds, func() {
		if err := next(); err != nil {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
	if to.writes != rounds+1 { // AllocsPerRun warms up once
		t.Errorf("%d writes in %d rounds", to.writes, rounds+1)
	}
}

// BenchmarkRelayFrames is what frames cost of our own: reading, metering, writing to nobody.
func BenchmarkRelayFrames(b *testing.B) {
	for _, n := range []int{1, 16} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			_, to, next := relaying(n)
			b.SetBytes(int64(n * 1316))
			b.ReportAllocs()
			for b.Loop() {
				if err := next(); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(n*b.N), "ns/frame")
			b.ReportMetric(float64(to.writes)/float64(n*b.N), "writes/frame")
		})
	}
}

// BenchmarkSetup is a SETUP over TCP and its TEARDOWN, there and back on loopback, with an origin that answers at once.
func BenchmarkSetup(b *testing.B) {
	origin := listen(b)
	go answerAll(origin)
	pool, err := balancer.New(balancer.Config{Name: "p", Nodes: []balancer.Node{{
		Name: "n", Addr: netip.MustParseAddr("127.0.0.1"), Ports: map[string]uint16{Service: addrPortOf(origin.Addr()).Port()},
	}}})
	if err != nil {
		b.Fatal(err)
	}
	relay, err := udprelay.New(udprelay.Config{ClientPorts: udprelay.PortRange{Lo: 5004, Hi: 5005}, OriginPorts: udprelay.PortRange{Lo: 20000, Hi: 20009}})
	if err != nil {
		b.Fatal(err)
	}
	proxy, err := New(Config{Pool: pool, Relay: relay})
	if err != nil {
		b.Fatal(err)
	}
	front := listen(b)
	go func() { _ = proxy.Serve(front) }()
	player, err := net.Dial("tcp", front.Addr().String())
	if err != nil {
		b.Fatal(err)
	}
	read := rtspwire.NewReader(player, rtspwire.Limits{})
	ask := func(request string) string {
		if _, err := io.WriteString(player, request); err != nil {
			b.Fatal(err)
		}
		item, err := read.Read()
		if err != nil {
			b.Fatal(err)
		}
		return item.(*rtspwire.Response).Header.Get("Session")
	}
	b.ReportAllocs()
	for b.Loop() {
		id := ask("SETUP rtsp://gw/a RTSP/1.0\r\nCSeq: 1\r\nTransport: RTP/AVP/TCP;unicast;interleaved=0-1\r\n\r\n")
		ask("TEARDOWN rtsp://gw/a RTSP/1.0\r\nCSeq: 2\r\nSession: " + id + "\r\n\r\n")
	}
	player.Close()
	proxy.Close()
	relay.Close()
	origin.Close()
}

func listen(b *testing.B) net.Listener {
	l, err := new(net.ListenConfig).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	return l
}

func answerAll(l net.Listener) {
	conn, err := l.Accept()
	if err != nil {
		return
	}
	defer conn.Close()
	read := rtspwire.NewReader(conn, rtspwire.Limits{})
	for {
		item, err := read.Read()
		if err != nil {
			return
		}
		req := item.(*rtspwire.Request)
		transport := ""
		if req.Method == methodSetup {
			transport = "Transport: " + req.Header.Get("Transport") + "\r\n"
		}
		fmt.Fprintf(conn, "RTSP/1.0 200 OK\r\nCSeq: %s\r\nSession: 1\r\n%s\r\n", req.Header.Get("CSeq"), transport)
	}
}
