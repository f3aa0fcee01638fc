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

// offers reports whether the node has a port for the service; "" is any.
func (n Node) offers(service string) bool {
	_, ok := n.Ports[service]
	return ok || service == ""
}

// Health is what is known of a service of a node.
type Health uint8

// The healths of a service. One of unknown health is used.
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
	Draining bool   // takes no new sessions, by an operator's order
	Removed  bool   // no longer configured, still held by leases
	Sessions int    // leases held now, of all services
	Acquired uint64 // leases given since the node was added
	// Services holds the state of each service that the node has a port for or was asked for. The map is the caller's.
	Services map[string]ServiceState
}

// ServiceState is what a pool knows of one service of a node.
type ServiceState struct {
	Health   Health
	Passive  bool      // down because a session's connect failed, not by the monitor's verdict
	Usable   bool      // Acquire may choose the node for this service now
	Reason   string    // why it is down: the text of the last error; "" when it is not down
	Since    time.Time // when Health last changed; zero if it never did
	Failures uint64    // connects that failed since the node was added
}

// node is a Node with its run-time state, all of it guarded by the pool's mutex.
type node struct {
	cfg      Node
	draining bool
	removed  bool
	sessions int
	acquired uint64
	services map[string]*standing // of the services that something has been heard of
}

// standing is what is known of one service of a node.
type standing struct {
	health   Health
	passive  bool
	cause    error
	since    time.Time
	until    time.Time // end of the pause after a passive failure
	good     int       // good verdicts in a row
	bad      int       // bad verdicts in a row
	failures uint64
}

// same tells whether c is this node: a node that moved to another address is another machine, whose health is unknown.
func (n *node) same(c Node) bool { return n.cfg.Name == c.Name && n.cfg.Addr == c.Addr }

// standingLocked returns the service's standing, a new one if nothing has been heard of it.
func (n *node) standingLocked(service string) *standing {
	v := n.services[service]
	if v == nil {
		v = new(standing)
		if n.services == nil {
			n.services = make(map[string]*standing)
		}
		n.services[service] = v
	}
	return v
}

// health is what is known of a service, without remembering that it was asked for.
func (n *node) health(service string) Health {
	if v := n.services[service]; v != nil {
		return v.health
	}
	return HealthUnknown
}

// usableLocked reports whether the node may serve a new session of the service.
func (n *node) usableLocked(service string) bool {
	return !n.removed && !n.draining && n.cfg.offers(service) && n.health(service) != HealthDown
}

// forget makes the service one of which nothing has been heard; its count stays.
func (v *standing) forget() {
	v.health, v.passive, v.cause, v.good, v.bad = HealthUnknown, false, nil, 0, 0
}

func (n *node) stateLocked() NodeState {
	s := NodeState{
		Node: n.cfg, Draining: n.draining, Removed: n.removed, Sessions: n.sessions, Acquired: n.acquired,
		Services: make(map[string]ServiceState, len(n.cfg.Ports)),
	}
	for service := range n.cfg.Ports {
		s.Services[service] = ServiceState{Usable: n.usableLocked(service)}
	}
	for service, v := range n.services {
		st := ServiceState{
			Health: v.health, Passive: v.passive, Usable: n.usableLocked(service), Since: v.since, Failures: v.failures,
		}
		if v.cause != nil {
			st.Reason = v.cause.Error()
		}
		s.Services[service] = st
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
