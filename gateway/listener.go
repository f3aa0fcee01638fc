package gateway

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"syscall"

	"mediagate/internal/config"
)

// listen binds every listener and the shared media ports of the addresses that they serve. On an error everything that was
// bound is closed again.
func (g *Gateway) listen(ctx context.Context) (err error) {
	defer func() {
		if err == nil {
			return
		}
		for _, vs := range g.servers {
			for _, l := range vs.listeners {
				_ = l.Close() // it has served nobody
			}
			vs.listeners = nil
		}
	}()
	var lc net.ListenConfig
	var faults []error
	for _, vs := range g.servers {
		for _, at := range vs.cfg.Listen {
			network := "tcp"
			if at.Addr.Is4() {
				network = "tcp4" // else 0.0.0.0 would be every IPv6 address too
			}
			l, err := lc.Listen(ctx, network, at.String())
			if err != nil {
				faults = append(faults, &ListenError{VirtualServer: vs.name, At: at, Err: err})
				continue
			}
			if vs.cert != nil {
				l = tls.NewListener(meter{l}, vs.cert.config())
			}
			vs.listeners = append(vs.listeners, l)
		}
	}
	if len(faults) > 0 {
		return errors.Join(faults...)
	}
	return g.openMedia()
}

// openMedia binds the UDP ports that players know: the shared pair, and for MMS the port that requests of lost packets
// come to, which has the number of the TCP port ([MS-MMSP] 1.9).
func (g *Gateway) openMedia() error {
	media, resend := g.mediaAddrs()
	var faults []error
	for _, addr := range media {
		if err := g.relay.Open(addr); err != nil {
			faults = append(faults, fmt.Errorf("gateway: open media ports: %w", err))
		}
	}
	for _, at := range resend {
		if err := g.relay.OpenResend(at); err != nil {
			faults = append(faults, fmt.Errorf("gateway: open UDP port of MMS (\"udp: false\" does without): %w", err))
		}
	}
	return errors.Join(faults...)
}

// mediaAddrs are the addresses that players will get media from: those we listen on, each address of the machine for a
// wildcard; and of virtual servers for MMS, addresses and ports. Addresses that come up later are bound at their first
// session. A virtual server without UDP needs none.
func (g *Gateway) mediaAddrs() (media []netip.Addr, resend []netip.AddrPort) {
	for _, vs := range g.servers {
		if web := vs.cfg.Protocol == config.ProtocolHTTP || vs.cfg.Protocol == config.ProtocolHTTPS; !vs.cfg.UDP || web {
			continue
		}
		for _, bound := range vs.addrs() {
			addrs := []netip.Addr{bound.Addr()}
			if bound.Addr().IsUnspecified() {
				addrs = hostAddrs(bound.Addr())
			}
			for _, a := range addrs {
				if !slices.Contains(media, a) {
					media = append(media, a)
				}
				if vs.cfg.Protocol == config.ProtocolMMS {
					resend = append(resend, netip.AddrPortFrom(a, bound.Port()))
				}
			}
		}
	}
	return media, resend
}

// hostAddrs are the addresses of this machine that players can use who connect to a wildcard: every one for "::", those
// of IPv4 for "0.0.0.0".
func hostAddrs(wildcard netip.Addr) []netip.Addr {
	ifaddrs, err := net.InterfaceAddrs()
	if err != nil {
		return nil // each address is bound at its first session then
	}
	var all []netip.Addr
	for _, a := range ifaddrs {
		ipnet, ok := a.(*net.IPNet)
		if !ok {
			continue
		}
		addr, ok := netip.AddrFromSlice(ipnet.IP)
		addr = addr.Unmap()
		if ok && !addr.IsLinkLocalUnicast() && (wildcard.Is6() || addr.Is4()) {
			all = append(all, addr)
		}
	}
	return all
}

// ListenError is a listener that could not be bound. Its text says what to do.
type ListenError struct {
	VirtualServer string
	At            config.Listen
	Err           error
}

func (e *ListenError) Unwrap() error { return e.Err }

func (e *ListenError) Error() string {
	what := e.Err.Error()
	switch {
	case errors.Is(e.Err, syscall.EADDRINUSE):
		what = fmt.Sprintf("another program holds this port; stop it (ss -ltnp 'sport = :%d' names it) or choose another port", e.At.Port)
	case errors.Is(e.Err, syscall.EADDRNOTAVAIL):
		what = "this is not an address of this machine; give one that `ip address` shows, or \":" + fmt.Sprint(e.At.Port) + "\" for all of them"
	case errors.Is(e.Err, syscall.EACCES):
		what = "ports below 1024 need root or CAP_NET_BIND_SERVICE (setcap cap_net_bind_service+ep, or AmbientCapabilities= in the unit), or choose a higher port"
	}
	return fmt.Sprintf("gateway: listen on %s for virtual server %q: %s", e.At, e.VirtualServer, what)
}
