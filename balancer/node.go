package balancer

import (
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"time"
)

// Node is one configured origin server: a value, without run-time state.
type Node struct {
	// Name is how configuration, logs and records call the node; unique in its pool.
	Name string
	// Addr is the node's address.
	Addr netip.Addr
	// Ports holds the port of each service, for example "rtsp": 554. It is shared, not copied, by the values that the
	// pool returns: read only.
	Ports map[string]uint16
	// Weight is the node's share relative to the others, 1 or more; 0 means 1.
	Weight int
}

// AddrPort returns where the node offers the service, or the zero AddrPort if it does not offer it.
func (n Node) AddrPort(service string) netip.AddrPort {
	port, ok := n.Ports[service]
	if !ok {
		return netip.AddrPort{}
	}
	return netip.AddrPortFrom(n.Addr, port)
}

// Health is what is known of a node.
type Health uint8

// The healths of a node. A node of unknown health is used.
const (
	HealthUnknown Health = iota // nothing has been heard of it yet
	HealthUp                    // its monitor met the rise, or it has served again since its pause
	HealthDown                  // its monitor met the fall, or a session's connect failed
)

// String returns "unknown", "up" or "down".
func (h Health) String() string {
	switch h {
	case HealthUnknown:
		return "unknown"
	case HealthUp:
		return "up"
	case HealthDown:
		return "down"
	}
	return fmt.Sprintf("health %d", uint8(h))
}

// NodeState is what a pool knows of one node at one moment.
type NodeState struct {
	Node     Node
	Health   Health
	Passive  bool      // down because a session's connect failed, not by the monitor's verdict
	Draining bool      // takes no new sessions, by an operator's order
	Removed  bool      // no longer configured, still held by leases
	Usable   bool      // Acquire may choose it now
	Reason   string    // why it is down: the text of the last error; "" when it is not down
	Since    time.Time // when Health last changed; zero if it never did
	Sessions int       // leases held now
	Acquired uint64    // leases given since the node was added
	Failures uint64    // connects that failed since the node was added
}

// node is a Node with its run-time state, all of it guarded by the pool's mutex.
type node struct {
	cfg      Node
	health   Health
	passive  bool
	draining bool
	removed  bool
	cause    error
	since    time.Time
	until    time.Time // end of the pause after a passive failure
	good     int       // good verdicts in a row
	bad      int       // bad verdicts in a row
	sessions int
	acquired uint64
	failures uint64
}

// same tells whether c is this node: a node that moved to another address is another machine, whose health is unknown.
func (n *node) same(c Node) bool { return n.cfg.Name == c.Name && n.cfg.Addr == c.Addr }

// forget makes the node one of which nothing has been heard; its leases and counts stay.
func (n *node) forget() {
	n.health, n.passive, n.cause, n.good, n.bad = HealthUnknown, false, nil, 0, 0
}

func (n *node) stateLocked(usable bool) NodeState {
	s := NodeState{
		Node: n.cfg, Health: n.health, Passive: n.passive, Draining: n.draining, Removed: n.removed, Usable: usable,
		Since: n.since, Sessions: n.sessions, Acquired: n.acquired, Failures: n.failures,
	}
	if n.cause != nil {
		s.Reason = n.cause.Error()
	}
	return s
}

// normal returns copies of the nodes that share nothing with the caller, weights filled in.
func normal(nodes []Node) []Node {
	out := slices.Clone(nodes)
	for i := range out {
		out[i].Ports = maps.Clone(out[i].Ports)
		if out[i].Weight == 0 {
			out[i].Weight = 1
		}
	}
	return out
}

// check returns every fault of a list of nodes, joined.
func check(nodes []Node) error {
	var faults []error
	if len(nodes) == 0 {
		faults = append(faults, errors.New("no nodes"))
	}
	seen := make(map[string]bool, len(nodes))
	for i, n := range nodes {
		switch {
		case n.Name == "":
			faults = append(faults, fmt.Errorf("node %d has no name", i))
		case seen[n.Name]:
			faults = append(faults, fmt.Errorf("node %q is there twice", n.Name))
		}
		seen[n.Name] = true
		if !n.Addr.IsValid() || n.Addr.IsUnspecified() {
			faults = append(faults, fmt.Errorf("node %q: address %q is not one to connect to", n.Name, n.Addr))
		}
		if n.Weight < 0 || n.Weight > maxWeight {
			faults = append(faults, fmt.Errorf("node %q: weight %d is not in 1-%d", n.Name, n.Weight, maxWeight))
		}
	}
	return errors.Join(faults...)
}

// maxWeight keeps the products of sessions and weights far from an overflow.
const maxWeight = 1_000_000
