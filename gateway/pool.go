package gateway

import (
	"fmt"
	"slices"
	"time"

	"go.uber.org/zap"

	"mediagate/balancer"
	"mediagate/internal/config"
	"mediagate/internal/httpfallback"
	"mediagate/mms"
	"mediagate/rtsp"
)

// newPool makes a pool with a monitor for each protocol that its virtual servers speak; an interval of 0 switches them
// off.
func newPool(c *config.Pool, cfg *config.Config, log *zap.Logger) (*balancer.Pool, error) {
	policy, err := balancer.PolicyByName(c.Policy)
	if err != nil {
		return nil, err
	}
	nodes := make([]balancer.Node, 0, len(c.Nodes))
	for _, n := range c.Nodes {
		nodes = append(nodes, balancer.Node{
			Name: n.Name, Addr: n.Address, Weight: n.Weight,
			Ports: map[string]uint16{rtsp.Service: n.Ports.RTSP, mms.Service: n.Ports.MMS, httpfallback.Service: n.Ports.HTTP},
		})
	}
	pool := balancer.Config{
		Name: c.Name, Nodes: nodes, Policy: policy,
		Interval: time.Duration(c.Monitor.Interval), Timeout: time.Duration(c.Monitor.Timeout),
		Rise: c.Monitor.Rise, Fall: c.Monitor.Fall,
		Logger: log.Named("balancer"),
	}
	if c.Monitor.Interval > 0 {
		pool.Monitors = newMonitors(&c.Monitor, cfg.Protocols(c.Name))
	}
	return balancer.New(pool)
}

func newMonitors(c *config.Monitor, protocols []string) map[string]balancer.Monitor {
	monitors := make(map[string]balancer.Monitor, len(protocols))
	for _, protocol := range protocols {
		switch protocol {
		case config.ProtocolRTSP:
			monitors[rtsp.Service] = rtsp.NewProbe(time.Duration(c.Timeout))
		case config.ProtocolMMS:
			monitors[mms.Service] = mms.NewProbe(time.Duration(c.Timeout), c.MMSPath)
		case config.ProtocolHTTP:
			monitors[httpfallback.Service] = httpfallback.NewProbe(time.Duration(c.Timeout), c.HTTPPath)
		}
	}
	return monitors
}

// router leads a virtual server's sessions to their pools.
type router struct {
	pool   *balancer.Pool // of sessions that no route matches
	routes []route
	byPath bool // what file a session wants says where it goes
}

type route struct {
	config.Route
	pool *balancer.Pool
}

func (g *Gateway) newRouter(c *config.VirtualServer) (*router, error) {
	r := &router{pool: g.pools[c.Pool]}
	for _, rc := range c.Routes {
		r.routes = append(r.routes, route{rc, g.pools[rc.Pool]})
		r.byPath = r.byPath || rc.Path != ""
	}
	names := c.Pools()
	for _, name := range names {
		if g.pools[name] == nil {
			return nil, fmt.Errorf("gateway: find pool %q: there is none", name)
		}
	}
	for _, p := range g.cfg.Pools {
		r.byPath = r.byPath || p.Policy == config.PolicyHashURL && slices.Contains(names, p.Name)
	}
	return r, nil
}

// route returns the pool of the first route that matches. It is called by sessions, at any time.
func (r *router) route(host, path string) *balancer.Pool {
	for _, x := range r.routes {
		if x.Matches(host, path) {
			return x.pool
		}
	}
	return r.pool
}
