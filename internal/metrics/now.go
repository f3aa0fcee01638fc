package metrics

import "github.com/prometheus/client_golang/prometheus"

// Live is what is asked for when somebody looks. Its methods are safe for concurrent use and do not wait.
type Live interface {
	// Sessions are those that run, by virtual server.
	Sessions() map[string]int
	Services() []Service
	// Drops are packets to media ports that belong to no session, by reason, since the start.
	Drops() map[string]uint64
	// Loops are the event loops of the relay; none with the plain engine.
	Loops() []Loop
}

// Service is one service of a node.
type Service struct {
	Pool, Node, Service string
	Usable              bool
	Sessions            int // of all services of the node
}

// Loop is one event loop of the relay.
type Loop struct {
	Busy             float64 // share of the last second, 0 to 1
	Packets, Dropped uint64  // since the start; dropped by the kernel because the loop had not read them
}

var (
	running   = prometheus.NewDesc("mediagate_sessions", "Sessions that run.", []string{"virtual_server"}, nil)
	usable    = prometheus.NewDesc("mediagate_node_usable", "1 if new sessions may go to a service of a node.", []string{"pool", "node", "service"}, nil)
	onNode    = prometheus.NewDesc("mediagate_node_sessions", "Sessions that hold a node.", []string{"pool", "node"}, nil)
	strangers = prometheus.NewDesc("mediagate_stray_packets_total", "Packets to media ports that belong to no session, by reason.", []string{"reason"}, nil)
	busy      = prometheus.NewDesc("mediagate_relay_loop_busy_ratio", "Share of the last second that the busiest event loop of the relay worked.", nil, nil)
	moved     = prometheus.NewDesc("mediagate_relay_packets_total", "Packets that the event loops of the relay have read.", nil, nil)
	queue     = prometheus.NewDesc("mediagate_relay_kernel_dropped_packets_total", "Packets that the kernel dropped because the relay had not read those before.", nil, nil)
)

// now is a prometheus.Collector of what is at the moment.
type now struct{ live Live }

// Describe tells what there may be.
func (*now) Describe(to chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{running, usable, onNode, strangers, busy, moved, queue} {
		to <- d
	}
}

// Collect asks.
func (n *now) Collect(to chan<- prometheus.Metric) {
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		to <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	counter := func(d *prometheus.Desc, v uint64, labels ...string) {
		to <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(v), labels...)
	}
	for server, count := range n.live.Sessions() {
		gauge(running, float64(count), server)
	}
	nodes := map[[2]string]int{}
	for _, s := range n.live.Services() {
		up := 0.0
		if s.Usable {
			up = 1
		}
		gauge(usable, up, s.Pool, s.Node, s.Service)
		nodes[[2]string{s.Pool, s.Node}] = s.Sessions
	}
	for name, count := range nodes {
		gauge(onNode, float64(count), name[0], name[1])
	}
	for reason, count := range n.live.Drops() {
		counter(strangers, count, reason)
	}
	loops := n.live.Loops()
	if len(loops) == 0 {
		return
	}
	var most float64
	var packets, dropped uint64
	for _, l := range loops {
		most, packets, dropped = max(most, l.Busy), packets+l.Packets, dropped+l.Dropped
	}
	gauge(busy, most)
	counter(moved, packets)
	counter(queue, dropped)
}
