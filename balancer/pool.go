package balancer

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"
)

// ErrNoNode says that no node of a pool may be used now: all are down, draining or excluded by the key. The error that
// wraps it names each node and why.
var ErrNoNode = errors.New("no usable node")

// What a Config's zero values mean.
const (
	defaultInterval  = 5 * time.Second  // a dead node is found within Interval times Fall
	defaultTimeout   = 2 * time.Second  // longer than a TCP SYN sent twice
	defaultRise      = 2                // one good answer may be luck
	defaultFall      = 3                // a packet or two may be lost
	defaultFailPause = 10 * time.Second // as long as Rise good verdicts take by default
)

// Config is what a Pool is made of.
type Config struct {
	Name      string        // the pool's name in logs and errors
	Nodes     []Node        // at least one; names are unique
	Policy    Policy        // nil: least-sessions; serves one pool only, since policies remember
	Monitor   Monitor       // nil: none; only sessions' own connects tell
	Interval  time.Duration // between two probes of a node; 0: 5 s
	Timeout   time.Duration // of one probe; 0: 2 s
	Rise      int           // good verdicts in a row that bring a node back; 0: 2
	Fall      int           // bad verdicts in a row that take a node out; 0: 3
	FailPause time.Duration // how long a failed connect keeps a node out when no monitor runs; 0: 10 s
	Now       func() time.Time
	Logger    *zap.Logger // state changes of nodes; nil: none
}

// Key says for whom a node is asked.
type Key struct {
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

	mu         sync.Mutex // leaf of the lock order: held over no I/O; only Policy.Choose and the logger are called under it
	nodes      []*node    // as configured, in order
	retired    []*node    // no longer configured, still leased
	monitoring bool       // Run is running with a Monitor
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

func checkTimes(cfg Config) error {
	var faults []error
	for _, f := range []struct {
		name string
		bad  bool
	}{
		{"interval", cfg.Interval < 0}, {"timeout", cfg.Timeout < 0}, {"rise", cfg.Rise < 0}, {"fall", cfg.Fall < 0},
		{"fail pause", cfg.FailPause < 0},
	} {
		if f.bad {
			faults = append(faults, fmt.Errorf("%s is negative", f.name))
		}
	}
	return errors.Join(faults...)
}

func withDefaults(cfg Config) Config {
	cfg.Interval = or(cfg.Interval, defaultInterval)
	cfg.Timeout = or(cfg.Timeout, defaultTimeout)
	cfg.Rise = or(cfg.Rise, defaultRise)
	cfg.Fall = or(cfg.Fall, defaultFall)
	cfg.FailPause = or(cfg.FailPause, defaultFailPause)
	if cfg.Policy == nil {
		cfg.Policy = LeastSessions()
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Logger == nil {
		cfg.Logger = zap.NewNop()
	}
	cfg.Logger = cfg.Logger.With(zap.String("pool", cfg.Name))
	cfg.Nodes = nil // the table is the truth from now on
	return cfg
}

func or[T comparable](v, def T) T {
	var zero T
	if v == zero {
		return def
	}
	return v
}

// Name returns the pool's configured name.
func (p *Pool) Name() string { return p.cfg.Name }

// Acquire gives a lease of the node that Prefer or the policy chooses among the usable ones. The caller releases it.
// The error is ErrNoNode, wrapped, when there is none.
func (p *Pool) Acquire(k Key) (*Lease, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
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
	return &Lease{pool: p, node: n, cfg: n.cfg}, nil
}

func (p *Pool) usableLocked(k Key) []*node {
	now := p.cfg.Now()
	var usable []*node
	for _, n := range p.nodes {
		p.resumeLocked(n, now)
		if n.health != HealthDown && !n.draining && !slices.Contains(k.Exclude, n.cfg.Name) {
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
		case n.cause != nil:
			why = append(why, n.cfg.Name+": down: "+n.cause.Error())
		}
	}
	return strings.Join(why, "; ")
}

// SetNodes replaces the configured nodes. A node that keeps name and address keeps its health, leases and counts; an
// order to drain holds as long as the name stays. Leases of a node that is removed stay valid until they are released.
// On an error nothing changed.
func (p *Pool) SetNodes(nodes []Node) error {
	if err := check(nodes); err != nil {
		return fmt.Errorf("balancer: set nodes of pool %q: %w", p.cfg.Name, err)
	}
	p.mu.Lock()
	p.installLocked(normal(nodes))
	p.mu.Unlock()
	p.poke()
	return nil
}

func (p *Pool) installLocked(nodes []Node) {
	old := p.nodes
	p.nodes = make([]*node, 0, len(nodes))
	table := &addrTable{nodes: make(map[netip.Addr]Node, len(nodes))}
	for _, c := range nodes {
		n := adopt(old, c)
		n.cfg = c
		p.nodes = append(p.nodes, n)
		if _, known := table.nodes[c.Addr]; !known {
			table.addrs = append(table.addrs, c.Addr)
			table.nodes[c.Addr] = c
		}
	}
	for _, n := range old {
		if !slices.Contains(p.nodes, n) {
			n.removed = true
			if n.sessions > 0 {
				p.retired = append(p.retired, n)
			}
		}
	}
	p.byAddr.Store(table)
}

// adopt returns the node of the old table that c goes on with, or a new one.
func adopt(old []*node, c Node) *node {
	fresh := &node{}
	for _, n := range old {
		if n.same(c) {
			return n
		}
		if n.cfg.Name == c.Name {
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

// Snapshot returns the state of each node, in configured order, then of the removed nodes that leases still hold.
func (p *Pool) Snapshot() []NodeState {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.cfg.Now()
	out := make([]NodeState, 0, len(p.nodes)+len(p.retired))
	for _, n := range p.nodes {
		p.resumeLocked(n, now)
		out = append(out, n.stateLocked(n.health != HealthDown && !n.draining))
	}
	for _, n := range p.retired {
		out = append(out, n.stateLocked(false))
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
