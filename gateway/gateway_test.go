package gateway

import (
	"bufio"
	"context"
	"errors"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"mediagate/internal/config"
	"mediagate/internal/lab"
	"mediagate/udprelay"
)

func TestMain(m *testing.M) { os.Exit(lab.Quiet(m)) }

// origin answers OPTIONS as a server would, so that monitors find it well.
func origin(t *testing.T, at string) netip.AddrPort {
	t.Helper()
	l, err := net.Listen("tcp", at)
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go answerAll(conn)
		}
	}()
	t.Cleanup(func() {
		l.Close()
		<-done
	})
	return l.Addr().(*net.TCPAddr).AddrPort()
}

func answerAll(conn net.Conn) {
	defer conn.Close()
	r := bufio.NewReader(conn)
	cseq := ""
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			return
		}
		line = strings.TrimSpace(line)
		if rest, ok := strings.CutPrefix(line, "CSeq: "); ok {
			cseq = rest
		}
		if line == "" {
			if _, err := conn.Write([]byte("RTSP/1.0 200 OK\r\nCSeq: " + cseq + "\r\nPublic: DESCRIBE\r\n\r\n")); err != nil {
				return
			}
		}
	}
}

// build makes a gateway on 127.0.0.5 in front of node, with ports that no other test uses.
func build(t *testing.T, listen string, node netip.AddrPort, log string) *Gateway {
	t.Helper()
	cfg, err := config.ForOrigin(node.String())
	if err != nil {
		t.Fatal(err)
	}
	at, err := config.ParseListen(listen)
	if err != nil {
		t.Fatal(err)
	}
	cfg.VirtualServers = cfg.VirtualServers[:1]
	cfg.VirtualServers[0].Listen = []config.Listen{at}
	cfg.Sessions.Log = log
	g, err := New(cfg, Options{})
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// start runs g and returns what Run returns.
func start(t *testing.T, g *Gateway) <-chan error {
	t.Helper()
	ran := make(chan error, 1)
	go func() { ran <- g.Run(context.Background()) }()
	t.Cleanup(func() { g.Close() })
	select {
	case <-g.Ready():
	case err := <-ran:
		t.Fatalf("the gateway did not start: %v", err)
	}
	return ran
}

func dial(t *testing.T, g *Gateway) (net.Conn, *bufio.Reader) {
	t.Helper()
	for _, addrs := range g.Addrs() {
		conn, err := net.Dial("tcp", addrs[0].String())
		if err != nil {
			t.Fatal(err)
		}
		if err := conn.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { conn.Close() })
		return conn, bufio.NewReader(conn)
	}
	t.Fatal("no virtual server")
	return nil, nil
}

func ask(t *testing.T, conn net.Conn, r *bufio.Reader) string {
	t.Helper()
	if _, err := conn.Write([]byte("OPTIONS rtsp://127.0.0.5/a RTSP/1.0\r\nCSeq: 7\r\n\r\n")); err != nil {
		t.Fatal(err)
	}
	status := ""
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			t.Fatal(err)
		}
		if status == "" {
			status = strings.TrimSpace(line)
		}
		if strings.TrimSpace(line) == "" {
			return status
		}
	}
}

func TestSessionThroughGateway(t *testing.T) {
	log := filepath.Join(t.TempDir(), "sessions.jsonl")
	g := build(t, "127.0.0.5:0", origin(t, "127.0.0.1:0"), log)
	ran := start(t, g)
	conn, r := dial(t, g)
	if got := ask(t, conn, r); got != "RTSP/1.0 200 OK" {
		t.Fatalf("answer %q", got)
	}
	if n := g.Sessions(); n != 1 {
		t.Errorf("%d sessions, want 1", n)
	}
	if states := g.Nodes()["windows-media"]; len(states) != 1 || states[0].Sessions != 1 {
		t.Errorf("nodes %+v, want one that holds one session", states)
	}
	conn.Close()
	if err := g.Shutdown(t.Context()); err != nil {
		t.Errorf("shutdown: %v", err)
	}
	if err := <-ran; err != nil {
		t.Errorf("run: %v", err)
	}
	data, err := os.ReadFile(log)
	if err != nil || strings.Count(string(data), "\n") != 1 || !strings.Contains(string(data), `"node":"origin"`) {
		t.Errorf("session log %q, %v: want one record that names the node", data, err)
	}
	if n := g.Flows(); n != 0 {
		t.Errorf("%d flows left", n)
	}
}

// A drain lets the present session run on and refuses the next.
func TestShutdownDrains(t *testing.T) {
	g := build(t, "127.0.0.5:0", origin(t, "127.0.0.1:0"), "")
	start(t, g)
	addr := g.Addrs()["RTSP Control"][0].String()
	conn, r := dial(t, g)
	ask(t, conn, r)
	ended := make(chan error, 1)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	go func() { ended <- g.Shutdown(ctx) }()
	for deadline := time.Now().Add(20 * time.Second); ; {
		if c, err := net.Dial("tcp", addr); err != nil {
			break // the listener is closed
		} else {
			c.Close()
		}
		if time.Now().After(deadline) {
			t.Fatal("the listener still accepts")
		}
	}
	if got := ask(t, conn, r); got != "RTSP/1.0 200 OK" {
		t.Errorf("the present session was disturbed: %q", got)
	}
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("shutdown at its deadline: %v, want %v", err, context.Canceled)
	}
	if _, err := r.ReadByte(); err == nil {
		t.Error("the session outlived the deadline")
	}
}

func TestListenErrorsSayWhatToDo(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.5:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	media, err := net.ListenPacket("udp", "127.0.0.6:5005")
	if err != nil {
		t.Fatal(err)
	}
	defer media.Close()
	node := netip.MustParseAddrPort("127.0.0.1:9")
	for _, tc := range []struct{ name, listen, want string }{
		{"port in use", taken.Addr().String(), "another program holds this port"},
		{"foreign address", "192.0.2.77:8554", "not an address of this machine"},
		{"media port in use", "127.0.0.6:0", "5005"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			g := build(t, tc.listen, node, "")
			err := g.Run(t.Context())
			if err == nil || !strings.Contains(err.Error(), tc.want) || !strings.Contains(err.Error(), "gateway: ") {
				t.Errorf("run: %v, want a sentence with %q", err, tc.want)
			}
			if n := g.Flows(); n != 0 {
				t.Errorf("%d flows left", n)
			}
		})
	}
}

func TestRunTwice(t *testing.T) {
	g := build(t, "127.0.0.5:0", netip.MustParseAddrPort("127.0.0.1:9"), "")
	start(t, g)
	if err := g.Run(t.Context()); !errors.Is(err, ErrRunning) {
		t.Errorf("second run: %v, want %v", err, ErrRunning)
	}
	if err := g.Close(); err != nil {
		t.Errorf("close: %v", err)
	}
	if err := g.Close(); err != nil {
		t.Errorf("second close: %v", err)
	}
}

// A gateway that drains is not ready, though its sessions run on: who sends it players has to hear that.
func TestNotReadyWhileDraining(t *testing.T) {
	g := build(t, "127.0.0.5:0", origin(t, "127.0.0.1:0"), "")
	ran := start(t, g)
	conn, r := dial(t, g)
	ask(t, conn, r)
	if err := (view{g}).Ready(); err != nil {
		t.Errorf("ready while it serves: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = g.Shutdown(ctx) // its time runs out below
	}()
	for deadline := time.Now().Add(10 * time.Second); (view{g}).Ready() == nil; {
		if time.Now().After(deadline) {
			t.Fatal("ready while it drains")
		}
		runtime.Gosched()
	}
	if n := g.Sessions(); n != 1 {
		t.Errorf("%d sessions while it drains, want 1", n)
	}
	cancel()
	<-ended
	if err := <-ran; err != nil {
		t.Errorf("run: %v", err)
	}
}

// The end of Run's context is as Close.
func TestContextEndsRun(t *testing.T) {
	g := build(t, "127.0.0.5:0", origin(t, "127.0.0.1:0"), "")
	ctx, cancel := context.WithCancel(t.Context())
	ran := make(chan error, 1)
	go func() { ran <- g.Run(ctx) }()
	<-g.Ready()
	conn, r := dial(t, g)
	ask(t, conn, r)
	cancel()
	if err := <-ran; err != nil {
		t.Errorf("run: %v", err)
	}
}

func TestNewDrops(t *testing.T) {
	before := map[udprelay.DropReason]uint64{udprelay.DropUnknownSource: 3, udprelay.DropAmbiguous: 1}
	now := map[udprelay.DropReason]uint64{udprelay.DropUnknownSource: 5, udprelay.DropAmbiguous: 1}
	if got := newDrops(before, now); len(got) != 1 || got[0].Key != "unknown-source" || got[0].Integer != 2 {
		t.Errorf("new drops %v, want two of unknown-source", got)
	}
	if got := newDrops(now, now); got != nil {
		t.Errorf("new drops %v where nothing came", got)
	}
}
