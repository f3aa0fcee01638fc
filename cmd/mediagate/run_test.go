package main

import (
	"context"
	"errors"
	"os"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
	"go.uber.org/zap"
)

// fakeGateway runs until it is shut down; draining takes as long as its sessions do.
type fakeGateway struct {
	ready    chan struct{}
	sessions time.Duration
	fails    error

	mu       sync.Mutex // guards what follows
	reopened int
	drained  bool
	end      chan struct{}
}

func (g *fakeGateway) Ready() <-chan struct{} { return g.ready }

func (g *fakeGateway) Run(ctx context.Context) error {
	if g.fails != nil {
		return g.fails
	}
	select {
	case <-ctx.Done():
	case <-g.end:
	}
	return nil
}

func (g *fakeGateway) Shutdown(ctx context.Context) error {
	select {
	case <-time.After(g.sessions):
		g.mu.Lock()
		g.drained = true
		g.mu.Unlock()
	case <-ctx.Done():
	}
	close(g.end)
	return ctx.Err()
}

func (g *fakeGateway) ReopenLogs() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.reopened++
	return nil
}

// at is a signal at a second.
type at struct {
	second int
	signal os.Signal
}

type superviseCase struct {
	name     string
	ready    int // second
	sessions time.Duration
	signals  []at
	ends     int // second
	drained  bool
	reopened int
}

// TestSupervise sends signals at given seconds and looks when and how the program ended.
func TestSupervise(t *testing.T) {
	tests := []superviseCase{
		{"nobody there", 0, 0, []at{{1, syscall.SIGTERM}}, 1, true, 0},
		{"sessions run on", 0, 7 * time.Second, []at{{1, syscall.SIGINT}}, 8, true, 0},
		{"sessions outlast the drain", 0, time.Hour, []at{{1, syscall.SIGTERM}}, 31, false, 0},
		{"second signal", 0, time.Hour, []at{{1, syscall.SIGTERM}, {3, syscall.SIGINT}}, 3, false, 0},
		{"hangup", 0, 0, []at{{1, syscall.SIGHUP}, {2, syscall.SIGHUP}, {3, syscall.SIGTERM}}, 3, true, 2},
		{"user signal", 0, 0, []at{{1, syscall.SIGUSR1}, {3, syscall.SIGTERM}}, 3, true, 1},
		{"hangup while draining", 0, 5 * time.Second, []at{{1, syscall.SIGTERM}, {2, syscall.SIGHUP}}, 6, true, 1},
		{"before it is ready", 3, 2 * time.Second, []at{{1, syscall.SIGTERM}}, 5, true, 0},
		{"never ready", 60, 0, []at{{1, syscall.SIGTERM}}, 31, false, 0},
		{"never ready, second signal", 60, 0, []at{{1, syscall.SIGTERM}, {3, syscall.SIGTERM}}, 3, false, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, tt.run)
		})
	}
}

func (tt superviseCase) run(t *testing.T) {
	g := &fakeGateway{ready: make(chan struct{}), sessions: tt.sessions, end: make(chan struct{})}
	if tt.ready == 0 {
		close(g.ready)
	} else {
		late := time.AfterFunc(time.Duration(tt.ready)*time.Second, func() { close(g.ready) })
		defer late.Stop()
	}
	signals := make(chan os.Signal, 3)
	for _, s := range tt.signals {
		time.AfterFunc(time.Duration(s.second)*time.Second, func() { signals <- s.signal })
	}
	begin := time.Now()
	if err := supervise(t.Context(), g, 30*time.Second, signals, zap.NewNop()); err != nil {
		t.Error(err)
	}
	if got := time.Since(begin); got != time.Duration(tt.ends)*time.Second {
		t.Errorf("ended after %s, want %ds", got, tt.ends)
	}
	if g.drained != tt.drained || g.reopened != tt.reopened {
		t.Errorf("drained %t, reopened %d; want %t, %d", g.drained, g.reopened, tt.drained, tt.reopened)
	}
}

func TestSuperviseFault(t *testing.T) {
	defer goleak.VerifyNone(t)
	fault := errors.New("port in use")
	g := &fakeGateway{ready: make(chan struct{}), fails: fault}
	if err := supervise(t.Context(), g, time.Second, nil, zap.NewNop()); !errors.Is(err, fault) {
		t.Errorf("got %v, want %v", err, fault)
	}
}
