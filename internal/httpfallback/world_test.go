package httpfallback

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"mediagate/balancer"
	"mediagate/internal/sessionlog"
)

// world is a gateway on 127.0.0.130 with made-up origins on 127.0.0.131 and up.
type world struct {
	t     *testing.T
	proxy *Proxy
	addr  string
	pool  *balancer.Pool

	mu      sync.Mutex
	records []*sessionlog.Record
}

// rawOrigin answers each request on each connection as its function says, byte for byte.
type rawOrigin struct {
	addr netip.AddrPort
	mu   sync.Mutex
	seen []*http.Request // heads, with bodies in bodies
	body []string
}

// script writes the answer to one request, and says whether the connection goes on.
type script func(conn net.Conn, r *http.Request) bool

// newOrigin listens on an address of 127.0.0.131-139.
func newOrigin(t *testing.T, host string, do script) *rawOrigin {
	t.Helper()
	l, err := net.Listen("tcp", host+":0")
	if err != nil {
		t.Fatal(err)
	}
	o := &rawOrigin{addr: netip.MustParseAddrPort(l.Addr().String())}
	var wg sync.WaitGroup
	var mu sync.Mutex
	conns := make(map[net.Conn]bool)
	wg.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			mu.Lock()
			conns[conn] = true
			mu.Unlock()
			wg.Go(func() {
				defer conn.Close()
				o.serve(conn, do)
			})
		}
	})
	t.Cleanup(func() {
		l.Close()
		mu.Lock()
		for c := range conns {
			c.Close()
		}
		mu.Unlock()
		wg.Wait()
	})
	return o
}

func (o *rawOrigin) serve(conn net.Conn, do script) {
	in := bufio.NewReader(conn)
	for {
		r, err := http.ReadRequest(in)
		if err != nil {
			return
		}
		body, _ := io.ReadAll(r.Body)
		o.mu.Lock()
		o.seen, o.body = append(o.seen, r), append(o.body, string(body))
		o.mu.Unlock()
		if !do(conn, r) {
			return
		}
	}
}

func (o *rawOrigin) requests() []*http.Request {
	o.mu.Lock()
	defer o.mu.Unlock()
	return append([]*http.Request(nil), o.seen...)
}

// says answers always the same, and closes.
func says(text string) script {
	return func(conn net.Conn, _ *http.Request) bool {
		io.WriteString(conn, text)
		return false
	}
}

// newWorld starts a gateway in front of the origins, which are nodes a, b, c.
func newWorld(t *testing.T, change func(*Config), origins ...netip.AddrPort) *world {
	t.Helper()
	w := &world{t: t}
	var nodes []balancer.Node
	for i, o := range origins {
		nodes = append(nodes, balancer.Node{Name: string(rune('a' + i)), Addr: o.Addr(), Ports: map[string]uint16{Service: o.Port()}})
	}
	pool, err := balancer.New(balancer.Config{Name: "web", Nodes: nodes, Policy: balancer.RoundRobin()})
	if err != nil {
		t.Fatal(err)
	}
	w.pool = pool
	cfg := Config{
		VirtualServer: "HTTP", Pool: pool, Linger: 50 * time.Millisecond,
		Record: func(r *sessionlog.Record) {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.records = append(w.records, r)
		},
	}
	if change != nil {
		change(&cfg)
	}
	if w.proxy, err = New(cfg); err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.130:0")
	if err != nil {
		t.Fatal(err)
	}
	w.addr = l.Addr().String()
	done := make(chan error, 1)
	go func() { done <- w.proxy.Serve(l) }()
	t.Cleanup(func() {
		w.proxy.Close()
		if err := <-done; err != ErrProxyClosed {
			t.Errorf("Serve: %v", err)
		}
	})
	return w
}

// dial connects a player.
func (w *world) dial() net.Conn {
	w.t.Helper()
	conn, err := net.Dial("tcp", w.addr)
	if err != nil {
		w.t.Fatal(err)
	}
	conn.SetDeadline(time.Now().Add(30 * time.Second))
	w.t.Cleanup(func() { conn.Close() })
	return conn
}

// ask sends bytes on a new connection and returns everything that comes until it closes.
func (w *world) ask(request string) string {
	w.t.Helper()
	conn := w.dial()
	defer conn.Close()
	if _, err := io.WriteString(conn, request); err != nil {
		w.t.Fatal(err)
	}
	got, err := io.ReadAll(conn)
	if err != nil {
		w.t.Fatalf("%v after %q", err, got)
	}
	return string(got)
}

// ended waits for n records and returns them.
func (w *world) ended(n int) []*sessionlog.Record {
	w.t.Helper()
	deadline := time.Now().Add(30 * time.Second)
	for {
		w.mu.Lock()
		got := append([]*sessionlog.Record(nil), w.records...)
		w.mu.Unlock()
		if len(got) >= n {
			return got
		}
		if time.Now().After(deadline) {
			w.t.Fatalf("%d records, want %d", len(got), n)
		}
		<-time.After(2 * time.Millisecond)
	}
}

// over ends the sessions that wait for their players' next requests, as if Linger were over, and returns all records.
func (w *world) over() []*sessionlog.Record {
	w.t.Helper()
	if err := w.proxy.Shutdown(context.Background()); err != nil {
		w.t.Fatal(err)
	}
	return w.ended(0)
}

// eventually waits for a condition.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !ok(); <-time.After(2 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("never: ", what)
		}
	}
}

// packet is a framed packet of [MS-WMSP] 2.2.3 with n bytes behind its header.
func packet(id byte, n int) []byte {
	b := []byte{0x24, id, 0, 0}
	binary.LittleEndian.PutUint16(b[2:], uint16(n))
	return append(b, bytes.Repeat([]byte{id}, n)...)
}

// reason is a packet with a Reason only.
func reason(id byte, hr uint32) []byte {
	return binary.LittleEndian.AppendUint32([]byte{0xa4, id, 4, 0}, hr)
}

// stream is a header, n Data packets of 1000 bytes and what follows.
func stream(n int, rest ...[]byte) string {
	b := packet('H', 300)
	for range n {
		b = append(b, packet('D', 1000)...)
	}
	return string(append(b, bytes.Join(rest, nil)...))
}

const framedHead = "HTTP/1.0 200 OK\r\nServer: Cougar/9.5\r\nContent-Type: application/x-mms-framed\r\nPragma: no-cache, client-id=77, timeout=60000\r\n\r\n"

// requestOf is the head of a request as a player writes it; lines are more fields.
func requestOf(method, path string, lines ...string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s HTTP/1.0\r\nAccept: */*\r\nUser-Agent: NSPlayer/7.10.0.3059\r\nHost: gate.test\r\n", method, path)
	for _, l := range lines {
		b.WriteString(l + "\r\n")
	}
	return b.String() + "Connection: Close\r\n\r\n"
}

func newReader(conn net.Conn) *bufio.Reader { return bufio.NewReader(conn) }
