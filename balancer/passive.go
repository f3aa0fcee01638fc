package balancer

import (
	"time"

	"go.uber.org/zap"
)

// fail takes a node out because a session's connect failed: the next session must not pay for what this one learned.
func (p *Pool) fail(n *node, err error) {
	p.mu.Lock()
	defer p.unlock()
	now := p.cfg.Now()
	n.failures++
	n.good = 0
	n.until = now.Add(p.cfg.FailPause)
	n.cause = err
	if n.health == HealthDown {
		return // known already; the pause begins again
	}
	n.passive = true
	n.health, n.since = HealthDown, now
	if !n.removed {
		p.noteLocked(zap.WarnLevel, "node failed a connect and is out", zap.String("node", n.cfg.Name), zap.Error(err))
	}
}

// resumeLocked lets a node that failed passively come back after its pause. While a monitor runs its rise decides
// instead: it knows more than a clock.
func (p *Pool) resumeLocked(n *node, now time.Time) {
	if !n.passive || p.monitoring || now.Before(n.until) {
		return
	}
	n.health, n.passive, n.cause, n.since = HealthUnknown, false, nil, now
	p.noteLocked(zap.InfoLevel, "node is used again after its pause", zap.String("node", n.cfg.Name))
}
