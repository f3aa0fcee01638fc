package balancer

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
)

// ErrNoNode says that no node of a pool may be used now: all are down, draining or excluded by the key. The error that
// wraps it names each node and why.
var ErrNoNode = errors.New("no usable node")

// Key says for whom a node is asked.
type Key struct {
	Service string     // what it is to serve, a name of Node.Ports: its health counts; "": any, health of its own
	Client  netip.Addr // the player's address
	URL     string     // what it asked for
	Exclude []string   // names of nodes already tried
	Prefer  string     // name of the node to use if it is usable, "" for none; it goes before the policy
}

// Pool is a group of nodes of which each session gets one. Its methods may be called from any goroutine.
type Pool struct {
	cfg     Config
	changed chan struct{} // capacity 1; a full channel already says that the nodes changed
	byAddr  atomic.Pointer[addrTable]

	mu         sync.Mutex // held over no I/O; of what is not ours only Policy.Choose is called under it. Given back by unlock
	nodes      []*node    // as configured, in order
	retired    []*node    // no longer configured, still leased
	monitoring bool       // Run is running with a monitor
	notes      []note     // state changes to be logged when the lock is given back
}

// addrTable answers Addrs and Node without the lock; it is replaced whole, never changed.
type addrTable struct {
	addrs []netip.Addr
	nodes map[netip.Addr]Node
}

// New checks cfg and returns a pool of its nodes. It starts nothing. The error joins every fault.
func New(cfg Config) (*Pool, error) {
	if err := errors.Join(check(cfg.Nodes), checkTimes(cfg)); err != nil {
		return nil, fmt.Errorf("balancer: new pool %q: %w", cfg.Name, err)
	}
	p := &Pool{cfg: withDefaults(cfg), changed: make(chan struct{}, 1)}
	p.installLocked(normal(cfg.Nodes))
	return p, nil
}

// Name returns the pool's configured name.
func (p *Pool) Name() string { return p.cfg.Name }

// Acquire gives a lease of the node that Prefer or the policy chooses among the usable ones. The caller releases it.
// The error is ErrNoNode, wrapped, when there is none.
func (p *Pool) Acquire(k Key) (*Lease, error) {
	p.mu.Lock()
	defer p.unlock()
	usable := p.usableLocked(k)
	if len(usable) == 0 {
		return nil, fmt.Errorf("balancer: acquire from pool %q: %w (%s)", p.cfg.Name, ErrNoNode, p.whyNoneLocked(k))
	}
	n, err := p.chooseLocked(usable, k)
	if err != nil {
		return nil, fmt.Errorf("balancer: acquire from pool %q: %w", p.cfg.Name, err)
	}
	n.sessions++
	n.acquired++
	return &Lease{pool: p, node: n, service: k.Service, cfg: n.cfg}, nil
}

func (p *Pool) usableLocked(k Key) []*node {
	now := p.cfg.Now()
	var usable []*node
	for _, n := range p.nodes {
		p.resumeLocked(n, k.Service, now)
		if n.usableLocked(k.Service) && !slices.Contains(k.Exclude, n.cfg.Name) {
			usable = append(usable, n)
		}
	}
	return usable
}

func (p *Pool) chooseLocked(usable []*node, k Key) (*node, error) {
	c := make([]Candidate, len(usable))
	for i, n := range usable {
		if k.Prefer != "" && n.cfg.Name == k.Prefer {
			return n, nil
		}
		c[i] = Candidate{Node: n.cfg, Sessions: n.sessions}
	}
	i := p.cfg.Policy.Choose(c, k)
	if i < 0 || i >= len(usable) {
		return nil, fmt.Errorf("policy chose candidate %d of %d", i, len(usable))
	}
	return usable[i], nil
}

// whyNoneLocked names each node and what keeps it from use, for the person who reads the session's record.
func (p *Pool) whyNoneLocked(k Key) string {
	why := make([]string, 0, len(p.nodes))
	for _, n := range p.nodes {
		switch {
		case slices.Contains(k.Exclude, n.cfg.Name):
			why = append(why, n.cfg.Name+": already tried")
		case n.draining:
			why = append(why, n.cfg.Name+": draining")
		case !n.cfg.offers(k.Service):
			why = append(why, n.cfg.Name+": has no port for "+k.Service)
		case n.health(k.Service) == HealthDown:
			why = append(why, n.cfg.Name+": down: "+n.services[k.Service].cause.Error())
		}
	}
	return strings.Join(why, "; ")
}

// Snapshot returns the state of each node, in configured order, then of the removed nodes that leases still hold.
func (p *Pool) Snapshot() []NodeState {
	p.mu.Lock()
	defer p.unlock()
	now := p.cfg.Now()
	out := make([]NodeState, 0, len(p.nodes)+len(p.retired))
	for _, n := range p.nodes {
		for service := range n.services {
			p.resumeLocked(n, service, now)
		}
		out = append(out, n.stateLocked())
	}
	for _, n := range p.retired {
		out = append(out, n.stateLocked())
	}
	return out
}

// Node returns the configured node of that address, whatever its health; the first in order if several share it. It
// takes no lock.
func (p *Pool) Node(addr netip.Addr) (Node, bool) {
	n, ok := p.byAddr.Load().nodes[addr]
	return n, ok
}

// Addrs returns the addresses of the configured nodes, each once, in order. It takes no lock; the slice is the
// caller's.
func (p *Pool) Addrs() []netip.Addr { return slices.Clone(p.byAddr.Load().addrs) }
