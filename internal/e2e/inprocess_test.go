package e2e

import (
	"context"
	"net"
	"path/filepath"
	"testing"
	"time"

	"mediagate/gateway"
	"mediagate/internal/config"
	"mediagate/internal/lab"
)

// inProcess is a gateway in the test's own process, whose goroutines,
// descriptors, ports and leases can be counted.
type inProcess struct {
	*gateway.Gateway
	settings lab.Settings
	before   lab.Snapshot // of the gateway at rest
}

// embed runs a gateway at a loopback address of its own until the end of the
// test, which fails if anything of it is left then.
func embed(t *testing.T, s lab.Settings, nodes ...lab.Node) *inProcess {
	t.Helper()
	lab.Leak(t)
	s.Listen = lab.FreePort(t, lab.Loopback(t))
	s.Nodes = nodes
	s.Monitor = "{interval: 0s}" // its probes come and go while descriptors are counted
	s.Records = filepath.Join(t.TempDir(), "sessions.jsonl")
	return runInProcess(t, s, s.YAML())
}

// runInProcess runs a gateway of a configuration file until the end of the
// test. s says what the test knows of it: where it listens, where its records
// are.
func runInProcess(t *testing.T, s lab.Settings, yaml string) *inProcess {
	t.Helper()
	cfg, err := config.Parse("e2e.yaml", []byte(yaml))
	if err != nil {
		t.Fatalf("configuration: %v", err)
	}
	if e := lab.Engine(); e != "" {
		cfg.Relay.Engine = e
	}
	g, err := gateway.New(cfg, gateway.Options{Version: "e2e"})
	if err != nil {
		t.Fatalf("build gateway: %v", err)
	}
	ended := make(chan error, 1)
	go func() { ended <- g.Run(context.Background()) }()
	select {
	case <-g.Ready():
	case err := <-ended:
		t.Fatalf("run gateway: %v", err)
	}
	t.Cleanup(func() {
		if err := g.Close(); err != nil {
			t.Errorf("close gateway: %v", err)
		}
		if err := <-ended; err != nil {
			t.Errorf("run gateway: %v", err)
		}
	})
	return &inProcess{Gateway: g, settings: s, before: lab.Take()}
}

// URL is the address of a path at the gateway.
func (g *inProcess) URL(path string) string { return lab.URL(g.settings.Listen, path) }

// rests waits until the gateway is as it was before anybody came: no session,
// flow or lease, no goroutine or descriptor more. What the test itself opened
// must be closed.
func (g *inProcess) rests(t *testing.T) {
	t.Helper()
	g.empties(t, recordLimit)
	g.before.Check(t)
}

// empties waits for a time until the gateway has no session, flow or lease.
func (g *inProcess) empties(t *testing.T, limit time.Duration) {
	t.Helper()
	lab.Eventually(limit, func() bool { return g.Sessions() == 0 && g.Flows() == 0 && g.leases() == 0 })
	if s, f, l := g.Sessions(), g.Flows(), g.leases(); s != 0 || f != 0 || l != 0 {
		t.Errorf("left over: %d sessions, %d flows, %d leases", s, f, l)
	}
}

// leases is the number of sessions that hold a node.
func (g *inProcess) leases() (n int) {
	for _, pool := range g.Nodes() {
		for _, state := range pool {
			n += state.Sessions
		}
	}
	return n
}

// stalled connects a client with a small receive buffer that plays interleaved
// and then never reads again.
func stalled(t *testing.T, g *inProcess) *lab.Client {
	t.Helper()
	c := lab.Dial(t, g.settings.Listen)
	if err := c.Conn.(*net.TCPConn).SetReadBuffer(4096); err != nil {
		t.Fatal(err)
	}
	playInterleaved(t, c, g.URL("flood"))
	return c
}

// playInterleaved goes from DESCRIBE to PLAY over TCP.
func playInterleaved(t *testing.T, c *lab.Client, url string) {
	t.Helper()
	if r := c.Do("DESCRIBE", url, "Accept: application/sdp"); r.Status != 200 {
		t.Fatalf("DESCRIBE: %d", r.Status)
	}
	r := c.Do("SETUP", url+"/track1", "Transport: RTP/AVP/TCP;unicast;interleaved=0-1")
	if r.Status != 200 {
		t.Fatalf("SETUP: %d", r.Status)
	}
	if r = c.Do("PLAY", url, "Session: "+r.Session()); r.Status != 200 {
		t.Fatalf("PLAY: %d", r.Status)
	}
}

// within fails the test if something took longer than it may.
func within(t *testing.T, what string, took, limit time.Duration) {
	t.Helper()
	if took > limit {
		t.Errorf("%s took %v, want at most %v", what, took, limit)
	}
}
