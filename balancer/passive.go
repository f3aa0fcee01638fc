package balancer

import (
	"time"

	"go.uber.org/zap"
)

// fail takes a node's service out because a session's connect failed: the next session must not pay for what this one learned.
func (p *Pool) fail(n *node, service string, err error) {
	p.mu.Lock()
	defer p.unlock()
	now := p.cfg.Now()
	v := n.standingLocked(service)
	v.failures++
	v.good = 0
	v.until = now.Add(p.cfg.FailPause)
	v.cause = err
	if v.health == HealthDown {
		return // known already; the pause begins again
	}
	v.passive = true
	v.health, v.since = HealthDown, now
	if !n.removed {
		p.noteLocked(zap.WarnLevel, "node failed a connect and is out", zap.String("node", n.cfg.Name),
			zap.String("service", service), zap.Error(err))
	}
}

// resumeLocked lets a service that failed passively come back after its pause. While a monitor of it runs its rise
// decides instead: it knows more than a clock.
func (p *Pool) resumeLocked(n *node, service string, now time.Time) {
	v := n.services[service]
	if v == nil || !v.passive || now.Before(v.until) || p.monitoring && p.cfg.Monitors[service] != nil {
		return
	}
	v.health, v.passive, v.cause, v.since = HealthUnknown, false, nil, now
	p.noteLocked(zap.InfoLevel, "node is used again after its pause", zap.String("node", n.cfg.Name), zap.String("service", service))
}
