package rtsp

import (
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"

	"mediagate/balancer"
)

var worldArchive = netip.MustParseAddr("198.51.100.9")

// archive routes /archive and old.test to a pool of its own, and notes what it was asked.
type archive struct {
	pool  *balancer.Pool
	asked []string
}

func newArchive(t *testing.T) *archive {
	t.Helper()
	pool, err := balancer.New(balancer.Config{Name: "archive", Nodes: []balancer.Node{
		{Name: "old1", Addr: worldArchive, Ports: map[string]uint16{Service: 554}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	return &archive{pool: pool}
}

func (a *archive) route(host, path string) *balancer.Pool {
	a.asked = append(a.asked, host+" "+path)
	if host == "old.test" || strings.HasPrefix(path, "/archive") {
		return a.pool
	}
	return nil
}

func TestRoute(t *testing.T) {
	for _, tc := range []struct {
		name  string
		urls  string // of OPTIONS and DESCRIBE in turn
		nodes string // of each answer: a is the archive's
		asked string
	}{
		{"no route", "O:rtsp://gw.test/a D:rtsp://gw.test/a", "pp", "gw.test /a"},
		{"path", "O:rtsp://gw.test:554/archive/a D:rtsp://gw.test/archive/a", "aa", "gw.test /archive/a"},
		{"host", "D:rtsp://u:p@old.test:8554/a", "a", "old.test /a"},
		{"IPv6", "D:rtsp://[2001:db8::1]:554/archive", "a", "2001:db8::1 /archive"},
		{"query", "D:rtsp://gw.test/archive?x=1", "a", "gw.test /archive?x=1"},
		{"a path alone", "D:/archive/a", "a", " /archive/a"},
		{"OPTIONS says nothing yet", "O:* D:rtsp://gw.test/archive", "pa", " ,gw.test /archive"},
		{"OPTIONS of the server", "O:rtsp://gw.test D:rtsp://gw.test/archive", "pa", "gw.test /,gw.test /archive"},
		{"OPTIONS of the server, no route", "O:rtsp://gw.test/ D:rtsp://gw.test/a", "pp", "gw.test /,gw.test /a"},
		{"the first presentation counts", "D:rtsp://gw.test/a D:rtsp://gw.test/archive", "pp", "gw.test /a"},
		{"the first presentation counts, other way", "D:rtsp://gw.test/archive D:rtsp://gw.test/a", "aa", "gw.test /archive"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a := newArchive(t)
				w := newWorld(t, func(c *Config) { c.Route = a.route })
				defer w.close()
				nodes := ""
				for _, u := range strings.Fields(tc.urls) {
					method := map[string]string{"O": "OPTIONS", "D": "DESCRIBE"}[u[:1]]
					w.ask(t, method+" "+u[2:]+" RTSP/1.0\nCSeq: 1", "RTSP/1.0 200 OK\nCSeq")
					letter := "p"
					if w.origin(t).node.Addr() == worldArchive {
						letter = "a"
					}
					nodes += letter
				}
				if asked := strings.Join(a.asked, ","); nodes != tc.nodes || asked != tc.asked {
					t.Errorf("nodes %s, asked %q; want %s, %q", nodes, asked, tc.nodes, tc.asked)
				}
			})
		})
	}
}

// A redirect within the routed pool is followed, and its nodes are the ones whose addresses are rewritten.
func TestRoutedPoolsNodes(t *testing.T) {
	a := (*archive)(nil)
	bubble(t, func(t *testing.T, w *world) {
		answer := w.ask(t, "DESCRIBE rtsp://gw.test/archive/a RTSP/1.0\nCSeq: 1",
			"RTSP/1.0 302 Moved\nCSeq\nLocation: rtsp://198.51.100.1/archive/a")
		if !strings.HasPrefix(answer, "RTSP/1.0 302") || !strings.Contains(answer, "Location: rtsp://198.51.100.1/archive/a") {
			t.Errorf("a redirect to a node of another pool is the player's to follow: %q", answer)
		}
		if err := a.pool.SetNodes([]balancer.Node{
			{Name: "old1", Addr: worldArchive, Ports: map[string]uint16{Service: 554}},
			{Name: "old2", Addr: worldArchive.Next(), Ports: map[string]uint16{Service: 554}},
		}); err != nil {
			t.Fatal(err)
		}
		w.client().send(t, crlf("DESCRIBE rtsp://gw.test/archive/a RTSP/1.0\nCSeq: 2"))
		got := string(w.origin(t).receive(t, 0))
		_, rest, _ := strings.Cut(got, "CSeq: ")
		cseq, _, _ := strings.Cut(rest, "\r\n")
		w.origin(t).send(t, crlf("RTSP/1.0 302 Moved\nCSeq: "+cseq+"\nLocation: rtsp://198.51.100.10/archive/a"))
		if at := w.origin(t).node.Addr(); at != worldArchive.Next() {
			t.Errorf("went to %v, want the node that the redirect names", at)
		}
	}, func(c *Config) {
		a = newArchive(t)
		c.Route = a.route
	})
}

func TestNoUDP(t *testing.T) {
	for _, tc := range []struct{ name, transport, want string }{
		{"UDP", "RTP/AVP;unicast;client_port=40000-40001", "RTSP/1.0 461 "},
		{"UDP by name", "RTP/AVP/UDP;unicast;client_port=40000-40001", "RTSP/1.0 461 "},
		{"TCP", "RTP/AVP/TCP;unicast;interleaved=0-1", "RTSP/1.0 200 "},
		{"both", "RTP/AVP;unicast;client_port=40000-40001,RTP/AVP/TCP;unicast;interleaved=0-1", "RTSP/1.0 200 "},
	} {
		t.Run(tc.name, func(t *testing.T) {
			bubble(t, func(t *testing.T, w *world) {
				w.client().send(t, crlf("SETUP rtsp://gw.test/a/track1 RTSP/1.0\nCSeq: 1\nTransport: "+tc.transport))
				if strings.Contains(tc.want, "200") {
					got := string(w.origin(t).receive(t, 0))
					if strings.Contains(got, "client_port") {
						t.Errorf("the origin was asked for UDP: %q", got)
					}
					w.origin(t).send(t, crlf("RTSP/1.0 200 OK\nCSeq: 1\nSession: 7\nTransport: RTP/AVP/TCP;unicast;interleaved=0-1"))
				}
				if got := string(w.client().receive(t, 0)); !strings.HasPrefix(got, tc.want) {
					t.Errorf("answer %q, want %s", got, tc.want)
				}
				if len(w.origins) > 0 != strings.Contains(tc.want, "200") {
					t.Errorf("%d origins were dialled", len(w.origins))
				}
			}, func(c *Config) { c.NoUDP = true })
		})
	}
}
