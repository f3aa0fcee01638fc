package gateway

import (
	"fmt"
	"net"
	"net/netip"
	"sync"
	"time"

	"go.uber.org/zap"

	"mediagate/balancer"
	"mediagate/internal/config"
	"mediagate/rtsp"
)

// virtualServer is one configured service: protocol, listen addresses, pool.
type virtualServer struct {
	name      string
	cfg       *config.VirtualServer
	server    server
	sessions  func() int
	listeners []net.Listener // set before Run serves, then never changed
	drained   chan struct{}  // closed when the last session has ended
	endOnce   sync.Once
}

func (g *Gateway) newVirtualServer(c *config.VirtualServer) (*virtualServer, error) {
	pool := g.pools[c.Pool]
	if pool == nil {
		return nil, fmt.Errorf("gateway: find pool %q: there is none", c.Pool)
	}
	proxy, err := rtsp.New(rtsp.Config{
		VirtualServer: c.Name,
		Pool:          pool,
		Relay:         g.relay,
		Limits:        rtspLimits(&g.cfg.Limits),
		Timeouts:      rtspTimeouts(&g.cfg.Timeouts),
		Connections:   g.cfg.Limits.Connections,
		Pipeline:      g.cfg.Limits.Pipeline,
		SyntaxErrors:  g.cfg.Limits.SyntaxErrors,
		Record:        g.record,
		Logger:        g.log.Named("rtsp").With(zap.String("virtual_server", c.Name)),
	})
	if err != nil {
		return nil, err
	}
	return &virtualServer{
		name: c.Name, cfg: c, server: proxy, sessions: proxy.Sessions,
		drained: make(chan struct{}),
	}, nil
}

func rtspLimits(l *config.Limits) rtsp.Limits {
	return rtsp.Limits{
		Line: int(l.Line), Field: int(l.Field), Header: int(l.Header), Fields: l.Fields,
		Body: int(l.Body), Garbage: int(l.Garbage),
	}
}

func rtspTimeouts(t *config.Timeouts) rtsp.Timeouts {
	return rtsp.Timeouts{
		FirstRequest: time.Duration(t.FirstRequest),
		Message:      time.Duration(t.Message),
		Connect:      time.Duration(t.Connect),
		Response:     time.Duration(t.Response),
		Write:        time.Duration(t.Write),
		Idle:         time.Duration(t.Idle),
	}
}

// newPool makes a pool with its monitor; an interval of 0 switches the monitor off.
func newPool(c *config.Pool, cfg *config.Config, log *zap.Logger) (*balancer.Pool, error) {
	policy, err := balancer.PolicyByName(c.Policy)
	if err != nil {
		return nil, err
	}
	nodes := make([]balancer.Node, 0, len(c.Nodes))
	for _, n := range c.Nodes {
		nodes = append(nodes, balancer.Node{
			Name: n.Name, Addr: n.Address, Weight: n.Weight,
			Ports: map[string]uint16{rtsp.Service: n.Ports.RTSP},
		})
	}
	pool := balancer.Config{
		Name: c.Name, Nodes: nodes, Policy: policy,
		Interval: time.Duration(c.Monitor.Interval), Timeout: time.Duration(c.Monitor.Timeout),
		Rise: c.Monitor.Rise, Fall: c.Monitor.Fall,
		Logger: log.Named("balancer"),
	}
	if c.Monitor.Interval > 0 {
		pool.Monitors = map[string]balancer.Monitor{rtsp.Service: rtsp.NewProbe(time.Duration(c.Monitor.Timeout))}
	}
	return balancer.New(pool)
}

func (vs *virtualServer) addrs() []netip.AddrPort {
	all := make([]netip.AddrPort, 0, len(vs.listeners))
	for _, l := range vs.listeners {
		if tcp, ok := l.Addr().(*net.TCPAddr); ok {
			ap := tcp.AddrPort()
			all = append(all, netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port()))
		}
	}
	return all
}

// Sessions is the number of conversations that run now.
func (g *Gateway) Sessions() int {
	n := 0
	for _, vs := range g.servers {
		n += vs.sessions()
	}
	return n
}

// Flows is the number of flows whose ports are not free yet, lingering ones included.
func (g *Gateway) Flows() int { return g.relay.InUse() }

// Nodes is the state of each node, by pool.
func (g *Gateway) Nodes() map[string][]balancer.NodeState {
	all := make(map[string][]balancer.NodeState, len(g.pools))
	for name, pool := range g.pools {
		all[name] = pool.Snapshot()
	}
	return all
}

func (g *Gateway) listening() map[string][]string {
	all := make(map[string][]string)
	for name, addrs := range g.Addrs() {
		for _, a := range addrs {
			all[name] = append(all[name], a.String())
		}
	}
	return all
}
