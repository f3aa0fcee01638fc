package balancer

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"go.uber.org/zap"
)

// Monitor asks one node whether it can serve one service: nil is a good verdict, an error a bad one that says why. It must return
// soon after ctx ends (the pool's Timeout); it runs on a goroutine of its own, one at a time per node and service.
type Monitor func(ctx context.Context, n Node) error

// errRunning keeps two Runs from counting each verdict twice.
var errRunning = errors.New("already running")

// Run asks the monitors of each node every Interval until ctx ends, then waits for the probes under way and returns nil.
// The first probes are spread over one Interval, so that they do not come all at once. The first verdict on a service
// counts whole, since there is nothing that it could contradict; after it Rise and Fall decide. A node is asked only for
// the services that it has a port for. Without a monitor Run only waits. The last verdicts hold after Run.
func (p *Pool) Run(ctx context.Context) error {
	if len(p.cfg.Monitors) == 0 {
		<-ctx.Done()
		return nil
	}
	if !p.beginMonitoring() {
		return fmt.Errorf("balancer: run pool %q: %w", p.cfg.Name, errRunning)
	}
	defer p.endMonitoring()
	var wg sync.WaitGroup
	defer wg.Wait()
	probers := make(map[target]context.CancelFunc)
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

// target is what a prober asks about: one service of one node.
type target struct {
	node    *node
	service string
}

// matchProbers starts a prober for each target that has none and ends those of targets that are gone.
func (p *Pool) matchProbers(ctx context.Context, wg *sync.WaitGroup, probers map[target]context.CancelFunc) {
	services := slices.Sorted(maps.Keys(p.cfg.Monitors))
	var fresh []target
	p.mu.Lock()
	for _, n := range p.nodes {
		for _, service := range services {
			if t := (target{n, service}); probers[t] == nil && n.cfg.offers(service) {
				fresh = append(fresh, t)
			}
		}
	}
	for t, cancel := range probers {
		if t.node.removed || !t.node.cfg.offers(t.service) {
			cancel()
			delete(probers, t)
		}
	}
	p.unlock()
	for i, t := range fresh {
		tctx, cancel := context.WithCancel(ctx)
		probers[t] = cancel
		delay := p.cfg.Interval * time.Duration(i) / time.Duration(len(fresh))
		wg.Go(func() { p.probe(tctx, t, delay) })
	}
}

// probe asks about one target again and again, Interval from start to start. A probe that takes longer than that delays the
// next one; it never doubles up.
func (p *Pool) probe(ctx context.Context, t target, delay time.Duration) {
	timer := time.NewTimer(delay)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		}
		timer.Reset(p.cfg.Interval)
		err := p.ask(ctx, t)
		if ctx.Err() != nil {
			return // we stopped asking, which says nothing of the node
		}
		p.verdict(t, err)
	}
}

// ask runs the monitor once. A panic in it is a bad verdict: what a node answers must not end the process.
func (p *Pool) ask(ctx context.Context, t target) (err error) {
	ctx, cancel := context.WithTimeout(ctx, p.cfg.Timeout)
	defer cancel()
	p.mu.Lock()
	cfg := t.node.cfg
	p.unlock()
	defer func() {
		if r := recover(); r != nil {
			p.cfg.Logger.Error("monitor panicked", zap.String("node", cfg.Name), zap.String("service", t.service),
				zap.Any("panic", r), zap.Stack("stack"))
			err = fmt.Errorf("balancer: monitor %s of node %q: panic: %v", t.service, cfg.Name, r)
		}
	}()
	return p.cfg.Monitors[t.service](ctx, cfg)
}

// verdict counts one answer of a monitor and changes the health when rise or fall is met.
func (p *Pool) verdict(t target, err error) {
	p.mu.Lock()
	defer p.unlock()
	v := t.node.standingLocked(t.service)
	first := v.health == HealthUnknown
	if err == nil {
		v.good++
		v.bad = 0
		if first || v.health == HealthDown && v.good >= p.cfg.Rise {
			p.raiseLocked(t, v)
		}
		return
	}
	v.bad++
	v.good = 0
	switch {
	case v.health == HealthDown:
		v.cause = err // the newest reason is the one an operator wants to see
		v.passive = v.passive && v.bad < p.cfg.Fall
	case first || v.bad >= p.cfg.Fall:
		v.health, v.cause, v.since = HealthDown, err, p.cfg.Now()
		p.noteLocked(zap.WarnLevel, "node is down by its monitor's verdict", zap.String("node", t.node.cfg.Name),
			zap.String("service", t.service), zap.Error(err))
	}
}

func (p *Pool) raiseLocked(t target, v *standing) {
	was := v.health
	v.health, v.passive, v.cause, v.since = HealthUp, false, nil, p.cfg.Now()
	if was == HealthDown {
		p.noteLocked(zap.InfoLevel, "node is up again by its monitor's verdict", zap.String("node", t.node.cfg.Name),
			zap.String("service", t.service))
	}
}
