package balancer

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"go.uber.org/zap"
)

// Monitor asks one node whether it can serve: nil is a good verdict, an error a bad one that says why. It must return
// soon after ctx ends (the pool's Timeout); it runs on a goroutine of its own, one at a time per node.
type Monitor func(ctx context.Context, n Node) error

// errRunning keeps two Runs from counting each verdict twice.
var errRunning = errors.New("already running")

// Run asks the monitor of each node every Interval until ctx ends, then waits for the probes under way and returns nil.
// The nodes' first probes are spread over one Interval, so that they do not come all at once. A node's first verdict
// counts whole, since there is nothing that it could contradict; after it Rise and Fall decide. Without a Monitor Run
// only waits. The last verdicts hold after Run.
func (p *Pool) Run(ctx context.Context) error {
	if p.cfg.Monitor == nil {
		<-ctx.Done()
		return nil
	}
	if !p.beginMonitoring() {
		return fmt.Errorf("balancer: run pool %q: %w", p.cfg.Name, errRunning)
	}
	defer p.endMonitoring()
	var wg sync.WaitGroup
	defer wg.Wait()
	probers := make(map[*node]context.CancelFunc)
	for {
		p.matchProbers(ctx, &wg, probers)
		select {
		case <-ctx.Done():
			return nil // ends every prober's context with it
		case <-p.changed:
		}
	}
}

func (p *Pool) beginMonitoring() bool {
	p.mu.Lock()
	defer p.unlock()
	was := p.monitoring
	p.monitoring = true
	return !was
}

func (p *Pool) endMonitoring() {
	p.mu.Lock()
	defer p.unlock()
	p.monitoring = false
}

// matchProbers starts a prober for each node that has none and ends those of nodes that are gone.
func (p *Pool) matchProbers(ctx context.Context, wg *sync.WaitGroup, probers map[*node]context.CancelFunc) {
	var fresh []*node
	p.mu.Lock()
	for _, n := range p.nodes {
		if probers[n] == nil {
			fresh = append(fresh, n)
		}
	}
	for n, cancel := range probers {
		if n.removed {
			cancel()
			delete(probers, n)
		}
	}
	p.unlock()
	for i, n := range fresh {
		nctx, cancel := context.WithCancel(ctx)
		probers[n] = cancel
		delay := p.cfg.Interval * time.Duration(i) / time.Duration(len(fresh))
		wg.Go(func() { p.probe(nctx, n, delay) })
	}
}

// probe asks one node again and again, Interval from start to start. A probe that takes longer than that delays the
// next one; it never doubles up.
func (p *Pool) probe(ctx context.Context, n *node, delay time.Duration) {
	timer := time.NewTimer(delay)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		}
		timer.Reset(p.cfg.Interval)
		err := p.ask(ctx, n)
		if ctx.Err() != nil {
			return // we stopped asking, which says nothing of the node
		}
		p.verdict(n, err)
	}
}

// ask runs the monitor once. A panic in it is a bad verdict: what a node answers must not end the process.
func (p *Pool) ask(ctx context.Context, n *node) (err error) {
	ctx, cancel := context.WithTimeout(ctx, p.cfg.Timeout)
	defer cancel()
	p.mu.Lock()
	cfg := n.cfg
	p.unlock()
	defer func() {
		if r := recover(); r != nil {
			p.cfg.Logger.Error("monitor panicked", zap.String("node", cfg.Name), zap.Any("panic", r), zap.Stack("stack"))
			err = fmt.Errorf("balancer: monitor node %q: panic: %v", cfg.Name, r)
		}
	}()
	return p.cfg.Monitor(ctx, cfg)
}

// verdict counts one answer of the monitor and changes the node's health when rise or fall is met.
func (p *Pool) verdict(n *node, err error) {
	p.mu.Lock()
	defer p.unlock()
	first := n.health == HealthUnknown
	if err == nil {
		n.good++
		n.bad = 0
		if first || n.health == HealthDown && n.good >= p.cfg.Rise {
			p.raiseLocked(n)
		}
		return
	}
	n.bad++
	n.good = 0
	switch {
	case n.health == HealthDown:
		n.cause = err // the newest reason is the one an operator wants to see
		n.passive = n.passive && n.bad < p.cfg.Fall
	case first || n.bad >= p.cfg.Fall:
		n.health, n.cause, n.since = HealthDown, err, p.cfg.Now()
		p.noteLocked(zap.WarnLevel, "node is down by its monitor's verdict", zap.String("node", n.cfg.Name), zap.Error(err))
	}
}

func (p *Pool) raiseLocked(n *node) {
	was := n.health
	n.health, n.passive, n.cause, n.since = HealthUp, false, nil, p.cfg.Now()
	if was == HealthDown {
		p.noteLocked(zap.InfoLevel, "node is up again by its monitor's verdict", zap.String("node", n.cfg.Name))
	}
}
