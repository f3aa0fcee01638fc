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
	// Flows are the flows whose media ports are not free: those of sessions, and for a while those that have ended.
	Flows() int
	// RecordsDropped is how many lines of session logs were lost since the start.
	RecordsDropped() uint64
}

// Service is one service of a node.
type Service struct {
	Pool, Node, Service string
	Usable              bool
	Sessions            int // of all services of the node
}

// Loop is one event loop of the relay.
type Loop struct {
	Busy float64 // share of the last second, 0 to 1
	// Since the start: read; read by the socket that receives for all flows; taken from interfaces by AF_XDP; calls that sent;
	// dropped by the kernel because the loop had not read them.
	Packets, Led, Bypassed, Calls, Dropped uint64
}

var (
	running   = prometheus.NewDesc("mediagate_sessions", "Sessions that run.", []string{"virtual_server"}, nil)
	usable    = prometheus.NewDesc("mediagate_node_usable", "1 if new sessions may go to a service of a node.", []string{"pool", "node", "service"}, nil)
	onNode    = prometheus.NewDesc("mediagate_node_sessions", "Sessions that hold a node.", []string{"pool", "node"}, nil)
	strangers = prometheus.NewDesc("mediagate_stray_packets_total", "Packets to media ports that belong to no session, by reason.", []string{"reason"}, nil)
	busy      = prometheus.NewDesc("mediagate_relay_loop_busy_ratio", "Share of the last second that the busiest event loop of the relay worked.", nil, nil)
	moved     = prometheus.NewDesc("mediagate_relay_packets_total", "Packets that the event loops of the relay have read.", nil, nil)
	led       = prometheus.NewDesc("mediagate_relay_steered_packets_total", "Packets that the kernel led to the socket that receives for all flows.", nil, nil)
	bypassed  = prometheus.NewDesc("mediagate_relay_xdp_packets_total", "Packets that were taken from network interfaces before the kernel's own stack had them.", nil, nil)
	calls     = prometheus.NewDesc("mediagate_relay_send_calls_total", "System calls in which the event loops of the relay have sent.", nil, nil)
	flows     = prometheus.NewDesc("mediagate_relay_flows", "Media flows whose ports are not free.", nil, nil)
	unwritten = prometheus.NewDesc("mediagate_session_log_dropped_records_total", "Lines of session logs that were lost: the disk was full, a pipe was not read.", nil, nil)
	queue     = prometheus.NewDesc("mediagate_relay_kernel_dropped_packets_total", "Packets that the kernel dropped because the relay had not read those before.", nil, nil)
)

// now is a prometheus.Collector of what is at the moment.
type now struct{ live Live }

// Describe tells what there may be.
func (*now) Describe(to chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{running, usable, onNode, strangers, busy, moved, led, bypassed, calls, queue, flows, unwritten} {
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
	gauge(flows, float64(n.live.Flows()))
	counter(unwritten, n.live.RecordsDropped())
	loops := n.live.Loops()
	if len(loops) == 0 {
		return
	}
	var most float64
	var sum Loop
	for _, l := range loops {
		most = max(most, l.Busy)
		sum.Packets, sum.Led, sum.Bypassed = sum.Packets+l.Packets, sum.Led+l.Led, sum.Bypassed+l.Bypassed
		sum.Calls, sum.Dropped = sum.Calls+l.Calls, sum.Dropped+l.Dropped
	}
	gauge(busy, most)
	counter(moved, sum.Packets)
	counter(led, sum.Led)
	counter(bypassed, sum.Bypassed)
	counter(calls, sum.Calls)
	counter(queue, sum.Dropped)
}
