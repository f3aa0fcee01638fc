package rtsp

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"mediagate/balancer"
	"mediagate/internal/sessionlog"
	"mediagate/rtsp/rtspwire"
	"mediagate/udprelay"
)

// world is one Proxy with made-up sockets: players, origins and UDP. Addresses are those of RFC 5737.
type world struct {
	proxy   *Proxy
	pool    *balancer.Pool
	relay   *udprelay.Relay
	udp     *fakeUDP
	clients []*end2
	dials   chan *end2
	refuse  int // dials to refuse
	silent  bool
	origins []*end2
	records chan *sessionlog.Record
	ended   *sessionlog.Record // the one that the last "= end" took
}

var (
	worldClient = netip.MustParseAddrPort("203.0.113.9:40000")
	worldLocal  = netip.MustParseAddrPort("192.0.2.1:554")
	worldNode1  = netip.MustParseAddr("198.51.100.1")
	worldNode2  = netip.MustParseAddr("198.51.100.2")
)

func newWorld(t *testing.T, changes ...func(*Config)) *world {
	t.Helper()
	return newWorldOf(t, 20, changes...)
}

// newWorldOf is a world with so many UDP ports towards origins.
func newWorldOf(t *testing.T, ports int, changes ...func(*Config)) *world {
	t.Helper()
	w := &world{dials: make(chan *end2, 2000), udp: newFakeUDP(), records: make(chan *sessionlog.Record, 2000)}
	var err error
	w.pool, err = balancer.New(balancer.Config{Name: "windows-media", Policy: balancer.RoundRobin(), Nodes: []balancer.Node{
		{Name: "wms1", Addr: worldNode1, Ports: map[string]uint16{Service: 554}},
		{Name: "wms2", Addr: worldNode2, Ports: map[string]uint16{Service: 8554}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	w.relay, err = udprelay.New(udprelay.Config{
		ClientPorts: udprelay.PortRange{Lo: 5004, Hi: 5005}, OriginPorts: udprelay.PortRange{Lo: 20000, Hi: 20000 + uint16(ports) - 1}, Listen: w.udp.listen,
	})
	if err != nil {
		t.Fatal(err)
	}
	cfg := Config{
		VirtualServer: "RTSP Control", Pool: w.pool, Relay: w.relay, Dial: w.dial,
		Record: func(r *sessionlog.Record) { w.records <- r },
	}
	for _, change := range changes {
		change(&cfg)
	}
	w.proxy, err = New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	w.connect(worldClient)
	return w
}

func (w *world) close() {
	for _, e := range append(w.clients, w.origins...) {
		e.conn.Close()
	}
	w.proxy.Close()
	w.relay.Close()
}

// connect opens one more player connection.
func (w *world) connect(from netip.AddrPort) {
	near, far := duplex()
	w.clients = append(w.clients, newEnd(near))
	w.proxy.ServeConn(&namedConn{halfConn: far, local: worldLocal, remote: from})
}

// client is the player's newest connection.
func (w *world) client() *end2 { return w.clients[len(w.clients)-1] }

// origin is the newest origin connection, waiting for one if there is none.
func (w *world) origin(t *testing.T) *end2 {
	t.Helper()
	for {
		select {
		case e := <-w.dials:
			w.origins = append(w.origins, e)
			continue
		default:
		}
		synctest.Wait()
		select {
		case e := <-w.dials:
			w.origins = append(w.origins, e)
		default:
			if len(w.origins) == 0 {
				t.Fatal("the gateway has dialled no origin")
			}
			return w.origins[len(w.origins)-1]
		}
	}
}

func (w *world) dial(ctx context.Context, _, to netip.AddrPort) (net.Conn, error) {
	if w.silent {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	if w.refuse > 0 {
		w.refuse--
		return nil, &net.OpError{Op: "dial", Net: "tcp", Err: syscall.ECONNREFUSED}
	}
	near, far := duplex()
	e := newEnd(near)
	e.node = to
	w.dials <- e
	local := netip.MustParseAddrPort("192.0.2.1:33000")
	if to.Addr().Is6() {
		local = netip.MustParseAddrPort("[2001:db8::5]:33000")
	}
	return &namedConn{halfConn: far, local: local, remote: to}, nil
}

// happen does what a "!" line says.
func (w *world) happen(t *testing.T, what string) error {
	t.Helper()
	var n int
	switch {
	case scan(what, "%d dials are refused", &n):
		w.refuse = n
	case what == "nodes have IPv6":
		return w.pool.SetNodes([]balancer.Node{{Name: "wms6", Addr: netip.MustParseAddr("2001:db8::1"), Ports: map[string]uint16{Service: 554}}})
	case what == "client connects by IPv6":
		near, far := duplex()
		w.clients = append(w.clients, newEnd(near))
		w.proxy.ServeConn(&namedConn{halfConn: far, local: netip.MustParseAddrPort("[2001:db8::5]:8554"), remote: netip.MustParseAddrPort("[2001:db8::9]:40000")})
	case what == "no UDP port is free":
		w.udp.full = true
	case what == "dials are not answered":
		w.silent = true
	case what == "origin closes":
		w.origin(t).conn.Close()
	case what == "client shuts its write side down":
		if err := w.client().conn.CloseWrite(); err != nil {
			return err
		}
	case what == "client closes":
		w.client().conn.Close()
	case what == "client reconnects":
		w.connect(netip.AddrPortFrom(worldClient.Addr(), worldClient.Port()+uint16(len(w.clients))))
	case what == "somebody else connects":
		w.connect(netip.MustParseAddrPort("203.0.113.66:40000"))
	case scan(what, "%d seconds pass", &n):
		time.Sleep(time.Duration(n) * time.Second)
	default:
		return fmt.Errorf("no such event %q", what)
	}
	synctest.Wait()
	return nil
}

func scan(what, format string, n *int) bool {
	got, err := fmt.Sscanf(what, format, n)
	return err == nil && got == 1 && what == fmt.Sprintf(format, *n)
}

// check holds what a "=" line says against the world.
func (w *world) check(t *testing.T, what string) error {
	t.Helper()
	synctest.Wait()
	kind, rest, _ := strings.Cut(what, " ")
	switch kind {
	case "flow":
		return w.checkFlow(rest)
	case "frame":
		return w.checkFrame(t, rest)
	case "report":
		return w.checkReport(rest)
	case "drops":
		return w.checkDrops(rest)
	case "stray":
		return w.checkStray(t, rest)
	case "node":
		if got := w.origin(t).node.String(); got != rest {
			return fmt.Errorf("origin connection goes to %s, want %s", got, rest)
		}
		return nil
	case "end":
		return w.checkEnd(rest)
	case "tried":
		if got := strings.Join(w.ended.NodesTried, " "); got != rest {
			return fmt.Errorf("nodes tried %q, want %q", got, rest)
		}
		return nil
	case "client":
		return w.client().isClosed(rest)
	case "origin":
		return w.origin(t).isClosed(rest)
	case "flows":
		if got := fmt.Sprint(w.relay.InUse()); got != rest {
			return fmt.Errorf("%s flows in use, want %s", got, rest)
		}
		return nil
	}
	return fmt.Errorf("no such check %q", what)
}

// checkFlow: "origin 198.51.100.1:6970 > 20000 | 5004 > client 50000": a packet from there to our port leaves here to there.
func (w *world) checkFlow(rest string) error {
	var from string
	var in, out, to uint16
	_, err := fmt.Sscanf(rest, "origin %s > %d | %d > client %d", &from, &in, &out, &to)
	packet := rtpPacket(in)
	if err != nil {
		return fmt.Errorf("flow %q: %w", rest, err)
	}
	w.udp.deliver(in, netip.MustParseAddrPort(from), packet)
	synctest.Wait()
	client := worldClient.Addr()
	if strings.HasPrefix(from, "[") {
		client = netip.MustParseAddr("2001:db8::9")
	}
	want := fmt.Sprintf("%d > %s", out, netip.AddrPortFrom(client, to))
	if got := w.udp.sent(packet); got != want {
		return fmt.Errorf("packet from %s to our %d left as %q, want %q", from, in, got, want)
	}
	return nil
}

// checkFrame: "origin 0 > client 2" or "client 1 > origin 9": an interleaved frame changes its channel on the way.
func (w *world) checkFrame(t *testing.T, rest string) error {
	var from, to string
	var in, out uint8
	if _, err := fmt.Sscanf(rest, "%s %d > %s %d", &from, &in, &to, &out); err != nil {
		return fmt.Errorf("frame %q: %w", rest, err)
	}
	a, b := w.origin(t), w.client()
	if from == "client" {
		a, b = b, a
	}
	a.send(t, rtspwire.AppendFrame(nil, in, rtpPacket(uint16(in))))
	if got, want := string(b.receive(t, 0)), string(rtspwire.AppendFrame(nil, out, rtpPacket(uint16(in)))); got != want {
		return fmt.Errorf("frame arrived as %q, want %q", got, want)
	}
	return nil
}

// checkReport: "client 50001 > 5005 | 20001 > origin 6971": a receiver report from the player reaches the origin's port.
func (w *world) checkReport(rest string) error {
	var from, in, out, to uint16
	if _, err := fmt.Sscanf(rest, "client %d > %d | %d > origin %d", &from, &in, &out, &to); err != nil {
		return fmt.Errorf("report %q: %w", rest, err)
	}
	packet := []byte{0x80, 201, 0, 1, 0, 0, byte(in >> 8), byte(in)}
	w.udp.deliver(in, netip.AddrPortFrom(worldClient.Addr(), from), packet)
	synctest.Wait()
	want := fmt.Sprintf("%d > %s", out, netip.AddrPortFrom(worldNode1, to))
	if got := w.udp.sent(packet); got != want {
		return fmt.Errorf("report to our %d left as %q, want %q", in, got, want)
	}
	return nil
}

// checkDrops: "unknown-channel 4": the record of a session that has ended counts so many.
func (w *world) checkDrops(rest string) error {
	reason, want, _ := strings.Cut(rest, " ")
	select {
	case r := <-w.records:
		if got := fmt.Sprint(r.Drops[reason]); got != want {
			return fmt.Errorf("%s drops of %s, want %s", got, reason, want)
		}
		return nil
	default:
		return errors.New("no session has ended")
	}
}

// checkStray: "origin 4": a frame on that channel of that side goes nowhere.
func (w *world) checkStray(t *testing.T, rest string) error {
	var from string
	var channel uint8
	if _, err := fmt.Sscanf(rest, "%s %d", &from, &channel); err != nil {
		return fmt.Errorf("stray %q: %w", rest, err)
	}
	a, b := w.origin(t), w.client()
	if from == "client" {
		a, b = b, a
	}
	a.send(t, rtspwire.AppendFrame(nil, channel, rtpPacket(uint16(channel))))
	return b.isClosed("gets nothing")
}

func rtpPacket(seq uint16) []byte {
	return []byte{0x80, 96, byte(seq >> 8), byte(seq), 0, 0, 0, 1, 0, 0, 0, 9, 'x'}
}

func (w *world) checkEnd(rest string) error {
	want, why, _ := strings.Cut(rest, " ")
	select {
	case r := <-w.records:
		w.ended = r
		if r.End.String() != want || !strings.Contains(r.Why, why) {
			return fmt.Errorf("the session ended %s %q, want %s with %q", r.End, r.Why, want, why)
		}
		return nil
	default:
		return errors.New("no session has ended")
	}
}

// end2 is the test's end of a pipe: it reads all the time, so that nobody ever waits for the test.
type end2 struct {
	conn *halfConn
	node netip.AddrPort
	read *rtspwire.Reader
	got  chan []byte
	gone chan struct{}
	err  error // of the reading, once gone is closed
}

func newEnd(conn *halfConn) *end2 {
	e := &end2{conn: conn, read: rtspwire.NewReader(conn, rtspwire.Limits{}), got: make(chan []byte, 64), gone: make(chan struct{})}
	go func() {
		defer close(e.gone)
		defer conn.Close() // as players and servers do when the other side has closed
		for {
			item, err := e.read.Read()
			if err != nil {
				e.err = err
				return
			}
			e.got <- item.Append(nil)
		}
	}()
	return e
}

func (e *end2) send(t *testing.T, b []byte) {
	t.Helper()
	if _, err := e.conn.Write(b); err != nil && !errors.Is(err, io.ErrClosedPipe) {
		t.Fatal(err)
	}
	synctest.Wait()
}

func (e *end2) receive(t *testing.T, line int) []byte {
	t.Helper()
	synctest.Wait()
	select {
	case b := <-e.got:
		return b
	default:
		t.Fatalf("line %d: nothing was received", line)
		return nil
	}
}

func (e *end2) isClosed(rest string) error {
	closed, silent := false, true
	select {
	case <-e.gone:
		closed = true
	default:
	}
	select {
	case b := <-e.got:
		silent = false
		e.got <- b
	default:
	}
	switch {
	case rest == "is closed" && !closed:
		return errors.New("the connection is open")
	case rest == "is open" && closed:
		return errors.New("the connection is closed")
	case rest == "gets nothing" && !silent:
		return errors.New("something was received")
	}
	return nil
}

// namedConn gives a pipe the addresses of a TCP connection.
type namedConn struct {
	*halfConn
	local, remote netip.AddrPort
}

func (c *namedConn) LocalAddr() net.Addr  { return net.TCPAddrFromAddrPort(c.local) }
func (c *namedConn) RemoteAddr() net.Addr { return net.TCPAddrFromAddrPort(c.remote) }

// fakeUDP is the machine's UDP: sockets by port, and what they sent.
type fakeUDP struct {
	full  bool // every port is taken; set before use
	mu    sync.Mutex
	socks map[uint16]*fakeSocket
	out   []string
}

type datagram struct {
	b    []byte
	from netip.AddrPort
}

type fakeSocket struct {
	net    *fakeUDP
	at     netip.AddrPort
	in     chan datagram
	closed chan struct{}
	once   sync.Once
}

func newFakeUDP() *fakeUDP { return &fakeUDP{socks: make(map[uint16]*fakeSocket)} }

func (u *fakeUDP) listen(at netip.AddrPort) (udprelay.Conn, error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.full || u.socks[at.Port()] != nil {
		return nil, syscall.EADDRINUSE
	}
	s := &fakeSocket{net: u, at: at, in: make(chan datagram), closed: make(chan struct{})}
	u.socks[at.Port()] = s
	return s, nil
}

func (u *fakeUDP) deliver(port uint16, from netip.AddrPort, b []byte) {
	u.mu.Lock()
	s := u.socks[port]
	u.mu.Unlock()
	if s != nil {
		s.in <- datagram{b, from}
	}
}

// sent finds how packet left: "5004 > 203.0.113.9:50000".
func (u *fakeUDP) sent(packet []byte) string {
	u.mu.Lock()
	defer u.mu.Unlock()
	for i := len(u.out) - 1; i >= 0; i-- {
		if way, ok := strings.CutSuffix(u.out[i], string(packet)); ok {
			return strings.TrimSpace(way)
		}
	}
	return ""
}

func (s *fakeSocket) ReadFromUDPAddrPort(b []byte) (int, netip.AddrPort, error) {
	select {
	case d := <-s.in:
		return copy(b, d.b), d.from, nil
	case <-s.closed:
		return 0, netip.AddrPort{}, net.ErrClosed
	}
}

func (s *fakeSocket) WriteToUDPAddrPort(b []byte, to netip.AddrPort) (int, error) {
	s.net.mu.Lock()
	defer s.net.mu.Unlock()
	s.net.out = append(s.net.out, fmt.Sprintf("%d > %s ", s.at.Port(), to)+string(b))
	return len(b), nil
}

func (s *fakeSocket) LocalAddrPort() netip.AddrPort { return s.at }

func (s *fakeSocket) Close() error {
	s.once.Do(func() {
		close(s.closed)
		s.net.mu.Lock()
		defer s.net.mu.Unlock()
		delete(s.net.socks, s.at.Port())
	})
	return nil
}
