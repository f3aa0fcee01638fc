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

// discard is a connection that takes everything.
type discard struct{ net.Conn }

func (discard) Write(b []byte) (int, error)      { return len(b), nil }
func (discard) SetWriteDeadline(time.Time) error { return nil }

// relaying is a session with one stream over TCP, as relayFrame needs it.
func relaying() (*session, *rtspwire.Frame) {
	s := new(session)
	to := &peer{side: sideClient, out: writer{conn: discard{}, timeout: time.Second}}
	r := &route{to: to, channel: 2, media: true, meter: new(udprelay.Meter)}
	s.routes[sideOrigin].Store((*routes)(nil).with(0, r))
	payload := make([]byte, 1400)
	copy(payload, rtpPacket(1))
	return s, &rtspwire.Frame{Channel: 0, Payload: payload}
}

// TestRelayFrameDoesNotAllocate: nothing is allocated for a frame, wherever it goes.
func TestRelayFrameDoesNotAllocate(t *testing.T) {
	s, f := relaying()
	from := &peer{side: sideOrigin}
	stray := &rtspwire.Frame{Channel: 9, Payload: f.Payload}
	if n := testing.AllocsPerRun(1000, func() {
		_ = s.relayFrame(from, f)
		_ = s.relayFrame(from, stray)
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkRelayFrame(b *testing.B) {
	s, f := relaying()
	from := &peer{side: sideOrigin}
	b.SetBytes(int64(len(f.Payload)))
	b.ReportAllocs()
	for b.Loop() {
		f.Payload[3]++
		if err := s.relayFrame(from, f); err != nil {
			b.Fatal(err)
		}
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
