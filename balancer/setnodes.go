package balancer

import (
	"fmt"
	"net/netip"
	"slices"
)

// SetNodes replaces the configured nodes. A node that keeps name and address keeps leases and counts, and the health
// of each service whose port stays; an order to drain holds as long as the name stays. Leases of a node that is removed
// stay valid until they are released.
// On an error nothing changed.
func (p *Pool) SetNodes(nodes []Node) error {
	if err := check(nodes); err != nil {
		return fmt.Errorf("balancer: set nodes of pool %q: %w", p.cfg.Name, err)
	}
	p.mu.Lock()
	p.installLocked(normal(nodes))
	p.unlock()
	p.poke()
	return nil
}

func (p *Pool) installLocked(nodes []Node) {
	old := p.nodes
	known := append(slices.Clone(old), p.retired...)
	p.nodes, p.retired = make([]*node, 0, len(nodes)), nil
	table := &addrTable{nodes: make(map[netip.Addr]Node, len(nodes))}
	for _, c := range nodes {
		p.nodes = append(p.nodes, adopt(known, c))
		if _, twice := table.nodes[c.Addr]; !twice {
			table.addrs = append(table.addrs, c.Addr)
			table.nodes[c.Addr] = c
		}
	}
	for _, n := range known {
		if !slices.Contains(p.nodes, n) {
			n.removed = true
			if n.sessions > 0 {
				p.retired = append(p.retired, n)
			}
		}
	}
	p.byAddr.Store(table)
}

// adopt returns the node that c goes on with, one of the known or a new one, configured as c.
func adopt(known []*node, c Node) *node {
	fresh := &node{cfg: c}
	for _, n := range known {
		switch {
		case n.same(c):
			for service, v := range n.services {
				if n.cfg.Ports[service] != c.Ports[service] || n.removed {
					v.forget() // what was heard at another port, or before it went away, says little of it now
				}
			}
			n.cfg, n.removed = c, false
			return n
		case n.cfg.Name == c.Name && !n.removed:
			fresh.draining = n.draining
		}
	}
	return fresh
}

// poke tells Run that the nodes changed.
func (p *Pool) poke() {
	select {
	case p.changed <- struct{}{}:
	default: // Run has not yet seen the last poke and will see both changes at once
	}
}
