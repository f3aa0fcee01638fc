package gateway

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
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
			l, err := lc.Listen(ctx, "tcp", at.String())
			if err != nil {
				faults = append(faults, &ListenError{VirtualServer: vs.name, At: at, Err: err})
				continue
			}
			vs.listeners = append(vs.listeners, l)
		}
	}
	if len(faults) > 0 {
		return errors.Join(faults...)
	}
	for _, addr := range g.mediaAddrs() {
		if err := g.relay.Open(addr); err != nil {
			faults = append(faults, fmt.Errorf("gateway: open media ports: %w", err))
		}
	}
	return errors.Join(faults...)
}

// mediaAddrs are the addresses that players will get media from: those we listen on, each address of the machine for a
// wildcard. Addresses that come up later are bound at their first session.
func (g *Gateway) mediaAddrs() []netip.Addr {
	seen := make(map[netip.Addr]bool)
	var all []netip.Addr
	add := func(a netip.Addr) {
		if a = a.Unmap(); !seen[a] {
			seen[a] = true
			all = append(all, a)
		}
	}
	for _, vs := range g.servers {
		for _, at := range vs.cfg.Listen {
			if at.Addr.IsValid() && !at.Addr.IsUnspecified() {
				add(at.Addr)
				continue
			}
			for _, a := range hostAddrs() {
				add(a)
			}
		}
	}
	return all
}

// hostAddrs are the addresses of this machine that players can use.
func hostAddrs() []netip.Addr {
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
		if addr, ok := netip.AddrFromSlice(ipnet.IP); ok && !addr.Unmap().IsLinkLocalUnicast() {
			all = append(all, addr.Unmap())
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
