package player_test

import (
	"bufio"
	"encoding/base64"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"mediagate/internal/origin"
	"mediagate/internal/player"
)

// gate is a server of tunnels in front of an RTSP origin: what Apple's paper says, and no more.
type gate struct {
	l      net.Listener
	to     string
	answer string // head of the answer to a GET
	wg     sync.WaitGroup

	mu    sync.Mutex // guards what follows
	conns []net.Conn
	ups   map[string]net.Conn // to the origin, by cookie
	posts []int64             // bytes promised
	heads []http.Header
}

const opened = "HTTP/1.0 200 OK\r\nContent-Type: application/x-rtsp-tunnelled\r\n\r\n"

func openGate(t *testing.T, to, answer string) *gate {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.128:0")
	if err != nil {
		t.Fatal(err)
	}
	g := &gate{l: l, to: to, answer: answer, ups: map[string]net.Conn{}}
	g.wg.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			g.keep(c)
			g.wg.Go(func() {
				defer c.Close()
				g.serve(c)
			})
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		g.mu.Lock()
		for _, c := range g.conns {
			_ = c.Close()
		}
		g.mu.Unlock()
		g.wg.Wait()
	})
	return g
}

func (g *gate) keep(c net.Conn) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.conns = append(g.conns, c)
}

func (g *gate) serve(c net.Conn) {
	br := bufio.NewReader(c)
	req, err := http.ReadRequest(br)
	if err != nil {
		return
	}
	cookie := req.Header.Get("X-Sessioncookie")
	g.mu.Lock()
	g.heads = append(g.heads, req.Header)
	up := g.ups[cookie]
	if req.Method == "POST" {
		g.posts = append(g.posts, req.ContentLength)
	}
	g.mu.Unlock()
	if req.Method == "POST" {
		g.pour(up, req.Body)
		return
	}
	if up, err = net.Dial("tcp", g.to); err != nil {
		return
	}
	g.keep(up)
	g.mu.Lock()
	g.ups[cookie] = up
	g.mu.Unlock()
	if _, err = io.WriteString(c, g.answer); err == nil {
		_, _ = io.Copy(c, up)
	}
}

// pour decodes what a POST brings, each request with its own padding.
func (g *gate) pour(up net.Conn, body io.Reader) {
	var four [4]byte
	for {
		if _, err := io.ReadFull(body, four[:]); err != nil {
			return
		}
		b, err := base64.StdEncoding.DecodeString(string(four[:]))
		if err != nil {
			return
		}
		if _, err := up.Write(b); err != nil {
			return
		}
	}
}

func TestTunnel(t *testing.T) {
	s := start(t, "127.0.0.129", origin.Config{Speed: 8})
	want := uint64(len(samplePackets(t).Packets))
	for _, c := range []struct {
		name, scheme string
		opts         player.Options
	}{
		{"by scheme", "rtsph", player.Options{PacketPair: true}},
		{"by option", "rtsp", player.Options{Transport: "tunnel"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			g := openGate(t, s.Addr().String(), opened)
			c.opts.URL = c.scheme + "://" + g.l.Addr().String() + "/sample.wmv"
			r := play(t, c.opts)
			if r.Transport != "tunnel" || r.Packets != want || r.Lost > 0 || !r.EndOfStream || len(r.Local) != 2 {
				t.Errorf("report %+v", r)
			}
			g.mu.Lock()
			defer g.mu.Unlock()
			if !slices.Equal(g.posts, []int64{32767}) || len(g.ups) != 1 || g.heads[0].Get("Accept") != "application/x-rtsp-tunnelled" ||
				g.heads[1].Get("Content-Type") != "application/x-rtsp-tunnelled" {
				t.Errorf("POSTs %v, cookies %d, heads %v", g.posts, len(g.ups), g.heads)
			}
		})
	}
}

func TestTunnelRefused(t *testing.T) {
	for _, c := range []struct{ answer, want string }{
		{"HTTP/1.0 503 Service Unavailable\r\n\r\n", "503"},
		{"RTSP/1.0 400 Bad Request\r\n\r\n", "malformed HTTP"},
		{"", "EOF"},
	} {
		l, err := net.Listen("tcp", "127.0.0.128:0")
		if err != nil {
			t.Fatal(err)
		}
		done := make(chan struct{})
		go func() {
			defer close(done)
			if up, err := l.Accept(); err == nil {
				_ = up.Close()
			}
		}()
		g := openGate(t, l.Addr().String(), c.answer)
		_, err = player.Play(t.Context(), player.Options{URL: "rtsph://" + g.l.Addr().String() + "/x"})
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("error %v, want %q", err, c.want)
		}
		_ = l.Close()
		<-done
	}
}
