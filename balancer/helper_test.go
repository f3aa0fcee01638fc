package balancer

import (
	"errors"
	"net/netip"
	"os"
	"testing"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"mediagate/internal/lab"
)

func TestMain(m *testing.M) { os.Exit(lab.Quiet(m)) }

var errRefused = errors.New("connection refused")

// three returns nodes a, b, c at 192.0.2.1-3 with the given weights.
func three(weights ...int) []Node {
	nodes := make([]Node, 3)
	for i := range nodes {
		nodes[i] = Node{
			Name: string(rune('a' + i)), Addr: netip.AddrFrom4([4]byte{192, 0, 2, byte(i + 1)}),
			Ports: map[string]uint16{"rtsp": 554},
		}
		if i < len(weights) {
			nodes[i].Weight = weights[i]
		}
	}
	return nodes
}

func newPool(t *testing.T, cfg Config) *Pool {
	t.Helper()
	if cfg.Name == "" {
		cfg.Name = "media"
	}
	if cfg.Nodes == nil {
		cfg.Nodes = three()
	}
	p, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func acquire(t *testing.T, p *Pool, k Key) *Lease {
	t.Helper()
	l, err := p.Acquire(k)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// names acquires n leases, released at once if hold is false, and returns the nodes' names in a row.
func names(t *testing.T, p *Pool, n int, hold bool) string {
	t.Helper()
	var s string
	for range n {
		l := acquire(t, p, Key{Service: "rtsp"})
		s += l.Node().Name
		if !hold {
			l.Release()
		}
	}
	return s
}

// seen is a node's state with that of one of its services.
type seen struct {
	NodeState
	ServiceState
}

// state is what is known of a node and its RTSP service.
func state(t *testing.T, p *Pool, name string) seen { return stateOf(t, p, name, "rtsp") }

func stateOf(t *testing.T, p *Pool, name, service string) seen {
	t.Helper()
	for _, s := range p.Snapshot() {
		if s.Node.Name == name && !s.Removed {
			return seen{s, s.Services[service]}
		}
	}
	t.Fatalf("no node %q", name)
	return seen{}
}

func rtspOnly(m Monitor) map[string]Monitor { return map[string]Monitor{"rtsp": m} }

func observed() (*zap.Logger, *observer.ObservedLogs) {
	core, logs := observer.New(zapcore.DebugLevel)
	return zap.New(core), logs
}

func messages(logs *observer.ObservedLogs) []string {
	var m []string
	for _, e := range logs.All() {
		m = append(m, e.Message)
	}
	return m
}
