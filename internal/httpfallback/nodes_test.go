package httpfallback

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"mediagate/balancer"
)

const emptyOK = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"

// closed is an address where nobody listens.
func closed(t *testing.T, host string) netip.AddrPort {
	t.Helper()
	l, err := net.Listen("tcp", host+":0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return netip.MustParseAddrPort(l.Addr().String())
}

// TestNextNode: a node that refuses, breaks off or answers 503 is replaced before the player has seen anything.
func TestNextNode(t *testing.T) {
	const busy = "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 4\r\nX-Node: a\r\n\r\nbusy"
	log := requestOf("POST", "/a", "Content-Type: application/x-wms-LogStats", "Content-Length: 6")
	withID := requestOf("POST", "/a", "Pragma: client-id=5", "Content-Length: 6")
	for _, tc := range []struct {
		name    string
		first   script // nil: nobody listens
		second  script
		request string
		status  string
		tried   []string
		body    string // of the request at the second node
	}{
		{"refused", nil, says(emptyOK), requestOf("GET", "/a"), "200", []string{"a", "b"}, ""},
		{"busy", says(busy), says(emptyOK), requestOf("GET", "/a"), "200", []string{"a", "b"}, ""},
		{"broken off", says("HTTP/1.1 2"), says(emptyOK), requestOf("GET", "/a"), "200", []string{"a", "b"}, ""},
		{"all busy", says(busy), says(busy), requestOf("GET", "/a"), "503", []string{"a", "b"}, ""},
		{"busy, then nobody", says(busy), nil, requestOf("GET", "/a"), "502", []string{"a", "b"}, ""},
		{"not found passes", says("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"), says(emptyOK), requestOf("GET", "/a"), "404", []string{"a"}, ""},
		{"nobody", nil, nil, requestOf("GET", "/a"), "502", []string{"a", "b"}, ""},
		{"a body is sent again", nil, says(emptyOK), log + "<XML/>", "200", []string{"a", "b"}, "<XML/>"},
		{"a body is sent again after 503", says(busy), says(emptyOK), log + "<XML/>", "200", []string{"a", "b"}, "<XML/>"},
		{"a body that may have been taken is not", says(""), says(emptyOK), log + "<XML/>", "502", []string{"a"}, ""},
		{"what is about one node's session stays", says(busy), says(emptyOK), withID + "<XML/>", "503", []string{"a"}, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var addrs []netip.AddrPort
			var last *rawOrigin
			for i, do := range []script{tc.first, tc.second} {
				host := fmt.Sprintf("127.0.0.%d", 131+i)
				if do == nil {
					addrs = append(addrs, closed(t, host))
					continue
				}
				last = newOrigin(t, host, do)
				addrs = append(addrs, last.addr)
			}
			w := newWorld(t, nil, addrs...)
			if got := w.ask(tc.request); !strings.HasPrefix(got, "HTTP/1.0 "+tc.status) {
				t.Errorf("got %q", got)
			}
			r := w.ended(1)[0]
			if diff := cmp.Diff(tc.tried, r.NodesTried); diff != "" {
				t.Error(diff)
			}
			if tc.body != "" && last.body[0] != tc.body {
				t.Errorf("body %q", last.body)
			}
		})
	}
}

// TestNoNode: when all are down the record says so.
func TestNoNode(t *testing.T) {
	w := newWorld(t, nil, closed(t, "127.0.0.131"))
	w.ask(requestOf("GET", "/a"))
	if r := w.ended(1)[0]; r.End.String() != "ND" {
		t.Errorf("%v %s", r.End, r.Why)
	}
	if got := w.ask(requestOf("GET", "/a")); !strings.HasPrefix(got, "HTTP/1.0 503") {
		t.Errorf("got %q", got)
	}
	if r := w.ended(2)[1]; r.End.String() != "ND" || !strings.Contains(r.Why, "no usable node") {
		t.Errorf("%v %s", r.End, r.Why)
	}
}

// TestSilentNode: an origin that says nothing costs the response time-out, and the next is asked.
func TestSilentNode(t *testing.T) {
	silent := newOrigin(t, "127.0.0.131", func(conn net.Conn, _ *http.Request) bool {
		_, _ = conn.Read(make([]byte, 1))
		return false
	})
	w := newWorld(t, func(c *Config) { c.Timeouts.Response = 50 * time.Millisecond }, silent.addr)
	if got := w.ask(requestOf("GET", "/a")); !strings.HasPrefix(got, "HTTP/1.0 504") {
		t.Errorf("got %q", got)
	}
	if r := w.ended(1)[0]; r.End.String() != "oD" {
		t.Errorf("%v %s", r.End, r.Why)
	}
}

// wms is an origin that issues client-ids and notes those that it did not issue.
type wms struct {
	mu      sync.Mutex
	next    int
	issued  map[string]bool
	foreign int
}

func (o *wms) answer(conn net.Conn, r *http.Request) bool {
	id := readPragma(r.Header).clientID
	o.mu.Lock()
	switch {
	case id == "":
		o.next++
		id = fmt.Sprint(o.next) // both origins count from one
		o.issued[id] = true
	case !o.issued[id]:
		o.foreign++
	}
	o.mu.Unlock()
	status := "200 OK"
	if r.Method == http.MethodPost {
		status = "204 No Content"
	}
	body := ""
	if r.Method == http.MethodGet {
		body = stream(2, reason('E', 0))
	}
	fmt.Fprintf(conn, "HTTP/1.1 %s\r\nContent-Type: application/x-mms-framed\r\nPragma: no-cache, client-id=%s, timeout=60000\r\nContent-Length: %d\r\n\r\n%s", status, id, len(body), body)
	return true
}

// TestAffinityOnTheWire: no request of any player reaches an origin that did not issue its client-id.
func TestAffinityOnTheWire(t *testing.T) {
	origins := []*wms{{issued: map[string]bool{}}, {issued: map[string]bool{}}}
	a, b := newOrigin(t, "127.0.0.131", origins[0].answer), newOrigin(t, "127.0.0.132", origins[1].answer)
	w := newWorld(t, nil, a.addr, b.addr)
	const players, seeks = 40, 5
	var wg sync.WaitGroup
	var wrong atomic.Int64
	for i := range players {
		wg.Go(func() {
			guid := fmt.Sprintf("Pragma: xClientGUID={%d}", i)
			ask := func(method string, lines ...string) string {
				conn, err := net.Dial("tcp", w.addr)
				if err != nil {
					t.Error(err)
					return ""
				}
				defer conn.Close()
				conn.SetDeadline(time.Now().Add(20 * time.Second))
				io.WriteString(conn, requestOf(method, "/a.wmv", lines...))
				got, err := io.ReadAll(conn)
				if err != nil || !strings.HasPrefix(string(got), "HTTP/1.0 20") {
					wrong.Add(1)
				}
				_, rest, _ := strings.Cut(string(got), "client-id=")
				id, _, _ := strings.Cut(rest, ",")
				return "Pragma: client-id=" + id
			}
			id := ask("GET", guid)
			for range seeks {
				ask("GET", guid, id, "Pragma: xPlayStrm=1")
				ask("POST", id, "Content-Length: 0", "Pragma: xKeepAliveInPause=1")
				ask("POST", id, guid, "Content-Type: application/x-wms-LogStats", "Content-Length: 0")
			}
		})
	}
	wg.Wait()
	if wrong.Load() != 0 {
		t.Errorf("%d requests failed", wrong.Load())
	}
	for i, o := range origins {
		if o.foreign != 0 || o.next < players/3 {
			t.Errorf("origin %d issued %d client-ids and saw %d of others", i, o.next, o.foreign)
		}
	}
}

// TestClientIDStaysHome: a player that must move does not take its client-id to a node where it is somebody else's.
func TestClientIDStaysHome(t *testing.T) {
	var down atomic.Bool
	first := &wms{issued: map[string]bool{}}
	a := newOrigin(t, "127.0.0.131", func(conn net.Conn, r *http.Request) bool {
		if down.Load() {
			return says("HTTP/1.1 503 x\r\nContent-Length: 0\r\n\r\n")(conn, r)
		}
		return first.answer(conn, r)
	})
	b := newOrigin(t, "127.0.0.132", says(emptyOK))
	w := newWorld(t, nil, a.addr, b.addr)
	w.ask(requestOf("GET", "/a", "Pragma: xClientGUID={1}"))
	down.Store(true)
	w.ask(requestOf("GET", "/a", "Pragma: no-cache, client-id=1", "Pragma: xClientGUID={1}"))
	if got := b.requests(); len(got) != 1 || readPragma(got[0].Header).clientID != "" || !strings.Contains(got[0].Header.Get("Pragma"), "no-cache") {
		t.Errorf("the second node got %v", got)
	}
}

// TestRedirects: no node's address reaches a player.
func TestRedirects(t *testing.T) {
	final := newOrigin(t, "127.0.0.132", says("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 4\r\n\r\nhere"))
	const wmsp, ordinary = "User-Agent: NSPlayer/9.0\r\n", "User-Agent: VLC/3.0.24\r\n"
	for _, tc := range []struct{ name, agent, location, want string }{
		{"player, another node", wmsp, "http://" + final.addr.String() + "/new?x=1", "here"},
		{"browser, another node", ordinary, "http://" + final.addr.String() + "/new?x=1", "Location: http://gate.test:8080/new?x=1\r\n"},
		{"browser, its node", ordinary, "http://127.0.0.131/new", "Location: http://gate.test:8080/new\r\n"},
		{"another protocol", ordinary, "rtsp://127.0.0.132:554/x", "Location: rtsp://gate.test/x\r\n"},
		{"relative", ordinary, "/x", "Location: /x\r\n"},
		{"the gateway's own name", wmsp, "http://gate.test:8080/x", "Location: http://gate.test:8080/x\r\n"},
		{"a name", wmsp, "http://other.test/x", "Location: http://other.test/x\r\n"},
		{"an address that is nobody's", wmsp, "http://10.1.2.3/x", "502 Bad Gateway"},
		{"another port of a node", wmsp, "http://127.0.0.131:1/x", "502 Bad Gateway"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			o := newOrigin(t, "127.0.0.131", says("HTTP/1.1 302 Found\r\nLocation: "+tc.location+"\r\nContent-Length: 0\r\n\r\n"))
			w := newWorld(t, nil, o.addr, final.addr)
			got := w.ask("GET /old HTTP/1.1\r\nHost: gate.test:8080\r\n" + tc.agent + "Connection: close\r\n\r\n")
			if !strings.Contains(got, tc.want) || strings.Contains(got, "127.0.0.13") {
				t.Errorf("got %q", got)
			}
		})
	}
	if r := final.requests()[0]; r.RequestURI != "/new?x=1" {
		t.Errorf("asked for %s", r.RequestURI)
	}
}

// TestRedirectRing: redirects are followed three times.
func TestRedirectRing(t *testing.T) {
	o := newOrigin(t, "127.0.0.131", says("HTTP/1.1 302 Found\r\nLocation: http://127.0.0.131/ring\r\nContent-Length: 0\r\n\r\n"))
	w := newWorld(t, nil, o.addr)
	if got := w.ask(requestOf("GET", "/a")); !strings.Contains(got, "Location: http://gate.test/ring") || len(o.requests()) != 4 {
		t.Errorf("got %q after %d requests", got, len(o.requests()))
	}
}

// TestNTLM: the messages of a handshake go over one connection, to one node, and no other client's.
func TestNTLM(t *testing.T) {
	for _, version := range []string{"HTTP/1.0", "HTTP/1.1"} {
		t.Run(version, func(t *testing.T) { testNTLM(t, version) })
	}
}

func testNTLM(t *testing.T, version string) {
	var mu sync.Mutex
	state := make(map[net.Conn]int)
	ntlm := func(conn net.Conn, r *http.Request) bool {
		mu.Lock()
		defer mu.Unlock()
		challenge := func(what string) {
			io.WriteString(conn, "HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: "+what+"\r\nContent-Length: 2\r\n\r\nno")
		}
		auth := r.Header.Get("Authorization")
		switch {
		case state[conn] == 2:
			io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nfirst")
		case auth == "NTLM one":
			state[conn] = 1
			challenge("NTLM two")
		case auth == "NTLM three" && state[conn] == 1:
			state[conn] = 2
			io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nin")
		default:
			challenge("Negotiate, NTLM")
		}
		return true
	}
	a, b := newOrigin(t, "127.0.0.131", ntlm), newOrigin(t, "127.0.0.132", ntlm)
	w := newWorld(t, nil, a.addr, b.addr)
	conns := []net.Conn{w.dial(), w.dial(), w.dial(), w.dial()}
	ask := func(i int, auth string) int {
		io.WriteString(conns[i], fmt.Sprintf("GET /a %s\r\nHost: g\r\nUser-Agent: NSPlayer/9.0\r\nConnection: Keep-Alive\r\nPragma: xClientGUID={%d}\r\n%s\r\n", version, i, auth))
		res, err := http.ReadResponse(newReader(conns[i]), nil)
		if err != nil {
			t.Fatal(err)
		}
		io.Copy(io.Discard, res.Body)
		return res.StatusCode
	}
	for _, step := range []struct {
		auth string
		want int
	}{{"", 401}, {"Authorization: NTLM one\r\n", 401}, {"Authorization: NTLM three\r\n", 200}, {"", 200}} {
		for i := range conns { // the four handshakes run side by side
			if got := ask(i, step.auth); got != step.want {
				t.Errorf("connection %d, %q: %d, want %d", i, step.auth, got, step.want)
			}
		}
	}
	if got := w.ask(requestOf("GET", "/a", "Pragma: xClientGUID={0}")); !strings.HasPrefix(got, "HTTP/1.0 401") {
		t.Errorf("a connection of another client was used: %q", got)
	}
	if len(state) != len(conns) {
		t.Errorf("%d connections were authenticated", len(state))
	}
}

// TestPinnedNodeFails: an authenticated connection is not moved.
func TestPinnedNodeFails(t *testing.T) {
	var n atomic.Int64
	a := newOrigin(t, "127.0.0.131", func(conn net.Conn, _ *http.Request) bool {
		if n.Add(1) == 1 {
			io.WriteString(conn, "HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: NTLM\r\nContent-Length: 0\r\n\r\n")
			return true
		}
		io.WriteString(conn, "HTTP/1.1 503 x\r\nContent-Length: 0\r\n\r\n")
		return true
	})
	b := newOrigin(t, "127.0.0.132", says(emptyOK))
	w := newWorld(t, nil, a.addr, b.addr)
	get := "GET /a HTTP/1.1\r\nHost: g\r\n"
	got := w.ask(get + "\r\n" + get + "Connection: close\r\nAuthorization: NTLM x\r\n\r\n")
	if !strings.Contains(got, "401") || !strings.Contains(got, "503") || len(b.requests()) != 0 {
		t.Errorf("got %q", got)
	}
}

// TestDrainedNodeKeepsItsSessions: within a session the lease holds.
func TestDrainedNodeKeepsItsSessions(t *testing.T) {
	a, b := newOrigin(t, "127.0.0.131", says(emptyOK)), newOrigin(t, "127.0.0.132", says(emptyOK))
	w := newWorld(t, func(c *Config) { c.Linger = time.Minute }, a.addr, b.addr)
	w.ask(requestOf("GET", "/a", "Pragma: xClientGUID={1}"))
	if err := w.pool.Drain("a", true); err != nil {
		t.Fatal(err)
	}
	w.ask(requestOf("GET", "/a", "Pragma: xClientGUID={1}", "Pragma: xPlayStrm=1"))
	w.ask(requestOf("GET", "/a", "Pragma: xClientGUID={2}"))
	if len(a.requests()) != 2 || len(b.requests()) != 1 || w.proxy.Sessions() != 2 {
		t.Errorf("%d and %d requests, %d sessions", len(a.requests()), len(b.requests()), w.proxy.Sessions())
	}
}

// TestViewerAndRoute: the gateway's own knowledge of a viewer goes before the policy; a path has its pool.
func TestViewerAndRoute(t *testing.T) {
	a, b := newOrigin(t, "127.0.0.131", says(emptyOK)), newOrigin(t, "127.0.0.132", says(emptyOK))
	c := newOrigin(t, "127.0.0.133", says(emptyOK))
	other, err := balancer.New(balancer.Config{Name: "other", Nodes: []balancer.Node{{Name: "c", Addr: c.addr.Addr(), Ports: map[string]uint16{Service: c.addr.Port()}}}})
	if err != nil {
		t.Fatal(err)
	}
	var seen []Sighting
	w := newWorld(t, func(cfg *Config) {
		cfg.Viewer = func(s Sighting) Viewer {
			seen = append(seen, s)
			return Viewer{ID: "v1", Node: "b"}
		}
		cfg.Route = func(host, path string) *balancer.Pool {
			if host == "gate.test" && strings.HasPrefix(path, "/c/") {
				return other
			}
			return nil
		}
	}, a.addr, b.addr)
	w.ask(requestOf("GET", "/a?x", "Pragma: xClientGUID={1}"))
	w.ask(requestOf("GET", "/c/a", "Pragma: xClientGUID={1}"))
	if len(a.requests()) != 0 || len(b.requests()) != 1 || len(c.requests()) != 1 {
		t.Errorf("%d, %d, %d requests", len(a.requests()), len(b.requests()), len(c.requests()))
	}
	want := Sighting{Client: netip.MustParseAddr("127.0.0.1"), GUID: "{1}", URL: "/a?x"}
	if len(seen) != 2 || seen[0] != want {
		t.Errorf("sighted %+v", seen)
	}
	if r := w.ended(1)[0]; r.Viewer != "v1" {
		t.Errorf("viewer %q", r.Viewer)
	}
}

func TestProbe(t *testing.T) {
	for _, tc := range []struct {
		name, answer string
		well         bool
	}{
		{"well", framedHead + stream(1), true},
		{"no body", emptyOK, true},
		{"not found", "HTTP/1.0 404 Not Found\r\n\r\n", true},
		{"busy", "HTTP/1.0 503 Busy\r\n\r\n", false},
		{"broken off", "HTTP/1.0 200 OK\r\nContent-Length: 5\r\n", false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			o := newOrigin(t, "127.0.0.131", says(tc.answer))
			n := balancer.Node{Name: "a", Addr: o.addr.Addr(), Ports: map[string]uint16{Service: o.addr.Port()}}
			err := NewProbe(5*time.Second, "a.wmv")(context.Background(), n)
			if tc.well != (err == nil) {
				t.Errorf("verdict %v", err)
			}
			if r := o.requests()[0]; r.RequestURI != "/a.wmv" || !speaksWMSP(r.Header, readPragma(r.Header)) {
				t.Errorf("asked %+v", r)
			}
		})
	}
	n := balancer.Node{Name: "a", Addr: netip.MustParseAddr("127.0.0.131"), Ports: map[string]uint16{Service: closed(t, "127.0.0.131").Port()}}
	if err := NewProbe(time.Second, "")(context.Background(), n); err == nil || !strings.Contains(err.Error(), `httpfallback: probe node "a"`) {
		t.Errorf("verdict %v", err)
	}
}
