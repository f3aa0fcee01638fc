package gateway

import (
	"net/netip"

	"mediagate/internal/config"
	"mediagate/internal/steer"
	"mediagate/udprelay"
)

// steerFunc leads datagrams from nodes to the sockets of the relay's loops; nil if the configuration does not want it.
func steerFunc(cfg *config.Config) udprelay.SteerFunc {
	if cfg.Relay.Steer == config.SteerOff {
		return nil
	}
	nodes := nodeAddresses(cfg)
	return func(s udprelay.SteerSpec) (udprelay.Steering, error) {
		lo, hi := s.Ports.Lo, s.Ports.Hi
		if len(cfg.TransparentNodes()) > 0 {
			lo, hi = 1, 65535 // origin legs have the clients' own ports
		}
		g, err := steer.Open(steer.Spec{
			Lo: lo, Hi: hi, V4: s.V4, V6: s.V6, Senders: nodes, Interfaces: cfg.Relay.XDP, Buffer: s.Buffer,
		})
		if err != nil {
			return nil, err // and not a Steering that holds nil
		}
		return bypass{g}, nil
	}
}

// nodeAddresses are the addresses of all pools' nodes, each once.
func nodeAddresses(cfg *config.Config) []netip.Addr {
	seen := map[netip.Addr]bool{}
	list := []netip.Addr{}
	for _, p := range cfg.Pools {
		for _, n := range p.Nodes {
			if a := n.Address.Unmap().WithZone(""); !seen[a] {
				seen[a] = true
				list = append(list, a)
			}
		}
	}
	return list
}

// bypass is a Steering as the relay sees it.
type bypass struct{ *steer.Steering }

// Queues are those of all interfaces.
func (b bypass) Queues() (all []udprelay.Queue) {
	for _, i := range b.Interfaces() {
		for _, q := range i.Queues {
			all = append(all, q)
		}
	}
	return all
}

// Features name each interface, and how its frames are taken: by its driver, or with a buffer that the kernel makes first.
func (b bypass) Features() (all []udprelay.Feature) {
	for _, i := range b.Interfaces() {
		f := udprelay.Feature{Name: "xdp " + i.Name, On: i.Err == nil}
		switch {
		case i.Err != nil:
			f.Why = i.Err.Error()
		case !i.Native:
			f.Name = "xdp-generic " + i.Name
		}
		all = append(all, f)
	}
	return all
}
