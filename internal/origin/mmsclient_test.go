package origin

import (
	"errors"
	"math"
	"net"
	"net/netip"
	"os"
	"testing"
	"time"

	"mediagate/mms/mmswire"
)

// serveMMS runs an origin with MMS for the test, at an address of its own.
func serveMMS(t *testing.T, address string, cfg Config) *Server {
	t.Helper()
	cfg.MMS = netip.AddrPortFrom(netip.MustParseAddr(address), 0)
	return serve(t, address, cfg)
}

// mmsClient is a hand-written one.
type mmsClient struct {
	t      *testing.T
	s      *Server
	tcp    net.Conn
	reader *mmswire.Reader
	seq    uint16
	data   []mmswire.Data // what came over TCP between messages
}

func dialMMS(t *testing.T, s *Server) *mmsClient {
	t.Helper()
	d := net.Dialer{LocalAddr: net.TCPAddrFromAddrPort(netip.AddrPortFrom(s.Addr().Addr(), 0))}
	tcp, err := d.DialContext(t.Context(), "tcp", s.MMSAddr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = tcp.Close() }) // some tests have closed it
	_ = tcp.SetDeadline(time.Now().Add(20 * time.Second))
	return &mmsClient{t: t, s: s, tcp: tcp, reader: mmswire.NewReader(tcp, mmswire.Limits{})}
}

func (c *mmsClient) send(m mmswire.Message) {
	c.t.Helper()
	b := mmswire.AppendPacket(nil, c.seq, 0, mmswire.Encode(m))
	c.seq++
	if _, err := c.tcp.Write(b); err != nil {
		c.t.Fatal(err)
	}
}

// next is the next message; Data packets before it are kept.
func (c *mmsClient) next() (mmswire.Message, error) {
	for {
		item, err := c.reader.Read()
		if err != nil {
			return nil, err
		}
		if d, ok := item.(*mmswire.Data); ok {
			d := *d
			d.Payload = append([]byte(nil), d.Payload...)
			c.data = append(c.data, d)
			continue
		}
		p := item.(*mmswire.Packet)
		if len(p.Messages) != 1 {
			c.t.Fatalf("%d messages in one packet", len(p.Messages))
		}
		return mmswire.Decode(p.Messages[0])
	}
}

// ask sends a message, unless it is nil, and waits for the answer of type T; pings before it are passed over.
func ask[T mmswire.Message](c *mmsClient, m mmswire.Message) T {
	c.t.Helper()
	if m != nil {
		c.send(m)
	}
	for {
		got, err := c.next()
		if err != nil {
			c.t.Fatalf("after %v: %v", m, err)
		}
		if a, ok := got.(T); ok {
			return a
		}
		if got.MID() != mmswire.MIDPing {
			c.t.Fatalf("after %v: %s", m, got.MID())
		}
	}
}

// ended waits until the origin has closed the connection.
func (c *mmsClient) ended() {
	c.t.Helper()
	if m, err := c.next(); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		c.t.Errorf("the connection goes on: %v, %v", m, err)
	}
}

const subscriber = "NSPlayer/7.0.0.1956; {7E667F5D-A661-495E-A512-F55686DDA178}; Host: 127.0.0.1"

// connect does the first steps and opens the sample; funnel is what to ask for.
func (c *mmsClient) connect(funnel string) *mmswire.ReportOpenFile {
	c.t.Helper()
	ask[*mmswire.ReportConnectedEX](c, &mmswire.Connect{PlayIncarnation: mmswire.DisablePacketPair, SubscriberName: subscriber})
	f := ask[*mmswire.ReportConnectedFunnel](c, &mmswire.ConnectFunnel{FunnelMode: 2, FunnelName: funnel})
	if f.FunnelName != "Funnel Of The Gods" {
		c.t.Errorf("funnel %q", f.FunnelName)
	}
	return ask[*mmswire.ReportOpenFile](c, &mmswire.OpenFile{PlayIncarnation: 1, FileName: "sample.wmv"})
}

func startPlaying(incarnation uint32) *mmswire.StartPlaying {
	return &mmswire.StartPlaying{
		OpenFileID: openFileID, AsfOffset: nowhere, LocationID: nowhere, FrameOffset: noEnd, PlayIncarnation: incarnation,
	}
}

// fromPacket is startPlaying at a packet, as VLC does it.
func fromPacket(n, incarnation uint32) *mmswire.StartPlaying {
	m := startPlaying(incarnation)
	m.LocationID = n
	return m
}

// fromTime is startPlaying at a time in seconds.
func fromTime(seconds float64, incarnation uint32) *mmswire.StartPlaying {
	m := startPlaying(incarnation)
	m.Position = seconds
	return m
}

// fromOffset is startPlaying at a place in the file.
func fromOffset(n, incarnation uint32) *mmswire.StartPlaying {
	m := startPlaying(incarnation)
	m.Position, m.AsfOffset = math.MaxFloat64, n
	return m
}

func file(t *testing.T, s *Server) (header []byte, packets [][]byte) {
	t.Helper()
	f, err := s.library.open("sample.wmv")
	if err != nil {
		t.Fatal(err)
	}
	return f.Header, f.Packets
}

// header puts the pieces of a header together.
func header(t *testing.T, incarnation uint8, data []mmswire.Data) (b []byte) {
	t.Helper()
	for i, d := range data {
		want := uint8(headerPiece)
		if i == len(data)-1 {
			want = headerLast
		}
		if d.LocationID != uint32(i) || d.AFFlags != want || d.PlayIncarnation != incarnation {
			t.Errorf("header piece %d: location %d, flags %#x, incarnation %d", i, d.LocationID, d.AFFlags, d.PlayIncarnation)
		}
		b = append(b, d.Payload...)
	}
	return b
}
