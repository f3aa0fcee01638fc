package gateway

import (
	"mediagate/internal/metrics"
)

// live is the gateway as internal/metrics sees it.
type live struct{ g *Gateway }

// Sessions are those that run, by virtual server.
func (l live) Sessions() map[string]int {
	all := make(map[string]int, len(l.g.servers))
	for _, vs := range l.g.servers {
		all[vs.name] = vs.sessions()
	}
	return all
}

// Services are those of all nodes.
func (l live) Services() []metrics.Service {
	var all []metrics.Service
	for _, n := range view(l).Nodes() {
		for name, s := range n.Services {
			all = append(all, metrics.Service{Pool: n.Pool, Node: n.Name, Service: name, Usable: s.Usable, Sessions: n.Sessions})
		}
	}
	return all
}

// Drops are packets that belong to no session, by reason.
func (l live) Drops() map[string]uint64 {
	all := map[string]uint64{}
	for reason, n := range l.g.relay.Drops() {
		all[reason.String()] = n
	}
	return all
}

// Loops are those of the relay.
func (l live) Loops() []metrics.Loop {
	var all []metrics.Loop
	for _, each := range l.g.relay.Load().Loops {
		all = append(all, metrics.Loop{Busy: each.Busy, Packets: each.Packets, Led: each.Led, Bypassed: each.Bypassed,
			Calls: each.Batches, Dropped: each.KernelDropped})
	}
	return all
}

// Flows are those whose ports are not free.
func (l live) Flows() int { return l.g.relay.InUse() }

// RecordsDropped are the lines that the session logs lost.
func (l live) RecordsDropped() (n uint64) {
	for _, w := range l.g.logs() {
		n += w.Dropped()
	}
	return n
}
