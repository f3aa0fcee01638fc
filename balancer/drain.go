package balancer

import (
	"fmt"

	"go.uber.org/zap"
)

// Drain orders that a node take no new sessions (on), or take them again; present sessions run on. It is an operator's
// order: neither a verdict nor a reload that keeps the name lifts it. The error says that the pool has no such node.
func (p *Pool) Drain(name string, on bool) error {
	p.mu.Lock()
	defer p.unlock()
	for _, n := range p.nodes {
		if n.cfg.Name != name {
			continue
		}
		if n.draining != on {
			n.draining = on
			p.noteLocked(zap.InfoLevel, "node drain changed", zap.String("node", name), zap.Bool("draining", on),
				zap.Int("sessions", n.sessions))
		}
		return nil
	}
	return fmt.Errorf("balancer: drain node %q: pool %q has no such node", name, p.cfg.Name)
}
