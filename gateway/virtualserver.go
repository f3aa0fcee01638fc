package gateway

import (
	"fmt"
	"net"
	"net/netip"
	"strings"
	"sync"
	"time"

	"go.uber.org/zap"

	"mediagate/balancer"
	"mediagate/internal/config"
	"mediagate/mms"
	"mediagate/rtsp"
)

// virtualServer is one configured service: protocol, listen addresses, pool.
type virtualServer struct {
	name      string
	cfg       *config.VirtualServer
	server    server
	cert      *certificate // nil: no TLS
	sessions  func() int
	listeners []net.Listener // set before Run serves, then never changed
	drained   chan struct{}  // closed when the last session has ended
	endOnce   sync.Once
}

// proxy is one protocol's part of a virtual server.
type proxy interface {
	server
	Sessions() int
}

func (g *Gateway) newVirtualServer(c *config.VirtualServer) (*virtualServer, error) {
	var p proxy
	route, err := g.newRouter(c)
	if err == nil {
		switch c.Protocol {
		case config.ProtocolRTSP, config.ProtocolRTSPS:
			p, err = g.newRTSP(c, route)
		case config.ProtocolMMS:
			p, err = g.newMMS(c, route)
		case config.ProtocolHTTP, config.ProtocolHTTPS:
			p, err = g.newWeb(c, route)
		default:
			err = fmt.Errorf("gateway: choose protocol %q: there is none", c.Protocol)
		}
	}
	if err != nil {
		return nil, err
	}
	vs := &virtualServer{
		name: c.Name, cfg: c, server: p, sessions: p.Sessions,
		drained: make(chan struct{}),
	}
	if c.TLS.Certificate != "" {
		vs.cert, err = newCertificate(c.TLS, g.log.Named("tls").With(zap.String("virtual_server", c.Name)))
	}
	return vs, err
}

func (g *Gateway) newRTSP(c *config.VirtualServer, r *router) (*rtsp.Proxy, error) {
	return rtsp.New(rtsp.Config{
		VirtualServer: c.Name,
		Pool:          r.pool,
		Route:         r.route,
		Relay:         g.relay,
		Dial:          g.seen.dialer(),
		Transparent:   g.seen.asker(),
		NoUDP:         !c.UDP,
		Limits:        rtspLimits(&g.cfg.Limits),
		Timeouts:      rtspTimeouts(&g.cfg.Timeouts),
		Connections:   g.cfg.Limits.Connections,
		Pipeline:      g.cfg.Limits.Pipeline,
		SyntaxErrors:  g.cfg.Limits.SyntaxErrors,
		Record:        g.record,
		Interim:       time.Duration(g.cfg.Sessions.Interim),
		Viewer:        g.sightRTSP,
		Book:          g.book,
		Met:           g.viewers.met,
		Logger:        g.log.Named("rtsp").With(zap.String("virtual_server", c.Name)),
	})
}

func (g *Gateway) newMMS(c *config.VirtualServer, r *router) (*mms.Proxy, error) {
	cfg := mms.Config{
		VirtualServer: c.Name,
		Pool:          r.pool,
		Route:         r.route,
		ByPath:        r.byPath,
		Relay:         g.relay,
		Dial:          g.seen.dialer(),
		Transparent:   g.seen.asker(),
		NoUDP:         !c.UDP,
		Timeouts:      mmsTimeouts(&g.cfg.Timeouts),
		Connections:   g.cfg.Limits.Connections,
		Record:        g.record,
		Interim:       time.Duration(g.cfg.Sessions.Interim),
		Viewer:        g.sightMMS,
		Book:          g.book,
		Met:           g.viewers.met,
		Refused:       g.viewers.refused,
		Logger:        g.log.Named("mms").With(zap.String("virtual_server", c.Name)),
	}
	if words := strings.Fields(g.opt.Version); len(words) > 0 {
		cfg.Version = words[0] // what it was built with is no player's concern
	}
	cfg.Limits.Message = int(g.cfg.Limits.MMSMessage)
	return mms.New(cfg)
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

func mmsTimeouts(t *config.Timeouts) mms.Timeouts {
	return mms.Timeouts{
		FirstRequest: time.Duration(t.FirstRequest),
		Message:      time.Duration(t.Message),
		Connect:      time.Duration(t.Connect),
		Response:     time.Duration(t.Response),
		Write:        time.Duration(t.Write),
		Idle:         time.Duration(t.Idle),
	}
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
