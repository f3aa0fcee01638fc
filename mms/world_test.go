package mms

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"mediagate/balancer"
	"mediagate/internal/sessionlog"
	"mediagate/mms/mmswire"
	"mediagate/udprelay"
)

// world is one Proxy with made-up sockets: players, origins and UDP. Addresses are those of RFC 5737.
type world struct {
	proxy   *Proxy
	pool    *balancer.Pool
	relay   *udprelay.Relay
	udp     *fakeUDP
	player  netip.AddrPort // where the next connection of a player comes from
	clients []*end2
	dials   chan *end2
	refuse  int  // dials to refuse
	silent  bool // dials are not answered
	origins []*end2
	records chan *sessionlog.Record
	ended   *sessionlog.Record // the one that the last "= end" took
	down    chan error         // what Shutdown said
}

var (
	worldClient = netip.MustParseAddrPort("203.0.113.9:40000")
	worldLocal  = netip.MustParseAddrPort("192.0.2.1:1755")
	worldNode1  = netip.MustParseAddr("198.51.100.1")
	worldNode2  = netip.MustParseAddr("198.51.100.2")
)

// newWorld makes a gateway with two nodes, and a player's first connection.
func newWorld(t testing.TB, changes ...func(*Config)) *world {
	t.Helper()
	w := newWorldOf(t, 20, changes...)
	w.connect()
	return w
}

// newWorldOf is a world with so many UDP ports towards origins, without a player.
func newWorldOf(t testing.TB, ports int, changes ...func(*Config)) *world {
	t.Helper()
	w := &world{player: worldClient, dials: make(chan *end2, 2000), udp: newFakeUDP(), records: make(chan *sessionlog.Record, 5000), down: make(chan error, 1)}
	var err error
	w.pool, err = balancer.New(balancer.Config{Name: "windows-media", Policy: balancer.RoundRobin(), Nodes: []balancer.Node{
		{Name: "wms1", Addr: worldNode1, Ports: map[string]uint16{Service: 1755}},
		{Name: "wms2", Addr: worldNode2, Ports: map[string]uint16{Service: 1756}},
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
		VirtualServer: "MMS", Pool: w.pool, Relay: w.relay, Dial: w.dial,
		Record: func(r *sessionlog.Record) { w.records <- r },
	}
	for _, change := range changes {
		change(&cfg)
	}
	w.proxy, err = New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	w.proxy.via = strings.Replace(w.proxy.via, w.proxy.epoch, "epoch234", 1) // the same in each run
	w.proxy.epoch = "epoch234"
	return w
}

func (w *world) close() {
	for _, e := range append(w.clients, w.origins...) {
		e.conn.Close()
	}
	w.proxy.Close()
	w.relay.Close()
	for len(w.dials) > 0 {
		(<-w.dials).conn.Close()
	}
}

// connect opens one more player connection.
func (w *world) connect() {
	local := worldLocal
	if w.player.Addr().Is6() {
		local = netip.MustParseAddrPort("[2001:db8::5]:1755")
	}
	near, far := duplex()
	g := &gatewayConn{halfConn: far, local: local, remote: w.player}
	w.clients = append(w.clients, newEnd(near, g))
	w.proxy.ServeConn(g)
}

// client is the player's newest connection.
func (w *world) client() *end2 { return w.clients[len(w.clients)-1] }

// origin is the newest origin connection, nil if there is none.
func (w *world) origin() *end2 {
	synctest.Wait()
	for len(w.dials) > 0 {
		w.origins = append(w.origins, <-w.dials)
	}
	if len(w.origins) == 0 {
		return nil
	}
	return w.origins[len(w.origins)-1]
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
	local := netip.MustParseAddrPort("192.0.2.1:33000")
	if to.Addr().Is6() {
		local = netip.MustParseAddrPort("[2001:db8::5]:33000")
	}
	g := &gatewayConn{halfConn: far, local: local, remote: to}
	w.dials <- newEnd(near, g)
	return g, nil
}

// happen does what a "!" line says.
func (w *world) happen(what string) error {
	var n int
	origin := w.origin()
	switch {
	case scan(what, "%d dials are refused", &n):
		w.refuse = n
	case scan(what, "%d seconds pass", &n):
		time.Sleep(time.Duration(n) * time.Second)
	case scan(what, "%d milliseconds pass", &n):
		time.Sleep(time.Duration(n) * time.Millisecond)
	case what == "nodes have IPv6":
		return w.pool.SetNodes([]balancer.Node{{Name: "wms6", Addr: netip.MustParseAddr("2001:db8::1"), Ports: map[string]uint16{Service: 1755}}})
	case strings.HasPrefix(what, "a player connects from "):
		addr, err := netip.ParseAddr(strings.TrimPrefix(what, "a player connects from "))
		if err != nil {
			return err
		}
		w.player = netip.AddrPortFrom(addr, 40000+uint16(len(w.clients)))
		w.connect()
	case what == "no UDP port is free":
		w.udp.setFull(true)
	case what == "UDP ports are free":
		w.udp.setFull(false)
	case what == "dials are not answered":
		w.silent = true
	case what == "dials are answered":
		w.silent = false
	case strings.HasPrefix(what, "origin "):
		if origin == nil {
			return errors.New("there is no origin connection")
		}
		origin.gateway.reset.Store(what == "origin resets")
		if what == "origin resets" || what == "origin closes" {
			return origin.conn.Close()
		}
		return fmt.Errorf("no such event %q", what)
	case what == "client shuts its write side down":
		return w.client().conn.CloseWrite()
	case what == "client closes", what == "client resets":
		w.client().gateway.reset.Store(what == "client resets")
		return w.client().conn.Close()
	case what == "the gateway closes":
		return w.proxy.Close()
	case what == "the gateway is drained":
		go func() { w.down <- w.proxy.Shutdown(context.Background()) }()
	default:
		return fmt.Errorf("no such event %q", what)
	}
	return nil
}

func scan(what, format string, n *int) bool {
	got, err := fmt.Sscanf(what, format, n)
	return err == nil && got == 1 && what == fmt.Sprintf(format, *n)
}

// end2 is the test's end of a pipe: it reads all the time, so that nobody ever waits for the test.
type end2 struct {
	conn    *halfConn
	gateway *gatewayConn
	seq     uint16 // of the next packet sent
	got     chan string
	gone    chan struct{}
	err     error // of the reading, once gone is closed
}

func newEnd(conn *halfConn, gateway *gatewayConn) *end2 {
	e := &end2{conn: conn, gateway: gateway, got: make(chan string, 4000), gone: make(chan struct{})}
	go func() {
		defer close(e.gone)
		defer conn.Close() // as players and servers do when the other side has closed
		read := mmswire.NewReader(conn, mmswire.Limits{Message: 1 << 20})
		for next := uint16(0); ; {
			item, err := read.Read()
			if err != nil {
				e.err = err
				return
			}
			line := lineOf(item)
			if p, ok := item.(*mmswire.Packet); ok {
				if p.Seq != next {
					line += fmt.Sprintf(" (sequence number %d, not %d)", p.Seq, next)
				}
				next++
			}
			e.got <- line
		}
	}()
	return e
}

// send writes bytes; a gateway that has closed is no fault.
func (e *end2) send(b []byte) error {
	_ = e.conn.SetWriteDeadline(time.Now().Add(time.Second))
	_, err := e.conn.Write(b)
	synctest.Wait()
	if errors.Is(err, io.ErrClosedPipe) {
		return nil
	}
	return err
}

// say sends lines as the messages of one packet, or what else they are.
func (e *end2) say(lines ...string) error {
	var messages []mmswire.Raw
	for _, line := range lines {
		m, b, err := parseLine(line)
		if err != nil {
			return err
		}
		if m == nil {
			return e.send(b)
		}
		messages = append(messages, *m)
	}
	e.seq++
	return e.send(mmswire.AppendPacket(nil, e.seq-1, 0, messages...))
}

// receive is the next line that came, "" if none did.
func (e *end2) receive() string {
	synctest.Wait()
	select {
	case line := <-e.got:
		return line
	default:
		return ""
	}
}

func (e *end2) closed() bool {
	synctest.Wait()
	select {
	case <-e.gone:
		return true
	default:
		return false
	}
}
