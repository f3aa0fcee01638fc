package gateway

import (
	"net/netip"
	"time"

	"go.uber.org/zap"

	"mediagate/internal/config"
	"mediagate/internal/steer"
	"mediagate/udprelay"
)

// newRelay makes the relay that the configuration asks for.
func newRelay(cfg *config.Config, listen udprelay.ListenFunc, log *zap.Logger) (*udprelay.Relay, error) {
	engine, err := udprelay.ParseEngine(cfg.Relay.Engine)
	if err != nil {
		return nil, err
	}
	return udprelay.New(udprelay.Config{
		Engine:      engine,
		Loops:       cfg.Relay.Loops,
		Steer:       steerFunc(cfg),
		Marking:     marking(cfg.Relay.DSCP),
		Overload:    udprelay.Overload{Busy: cfg.Relay.Overload.Busy, Drops: cfg.Relay.Overload.Drops},
		ClientPorts: udprelay.PortRange(cfg.Relay.ClientMedia.Ports),
		OriginPorts: udprelay.PortRange(cfg.Relay.OriginMedia.Ports),
		Listen:      listen,
		Latch:       latchPolicy(cfg.Relay.ClientMedia.Latch),
		OriginLatch: latchPolicy(cfg.Relay.OriginMedia.Latch),
		Linger:      time.Duration(cfg.Relay.Linger),

		ReceiveBuffer: int(cfg.Relay.ReceiveBuffer),
		SendBuffer:    int(cfg.Relay.SendBuffer),
		Logger:        log.Named("udprelay"),
	})
}

func latchPolicy(name string) udprelay.LatchPolicy {
	if name == config.LatchOff {
		return udprelay.LatchOff
	}
	return udprelay.LatchSameAddress
}

// marking is the class of what is sent.
func marking(d config.DSCP) udprelay.Marking {
	if d == config.DSCPKeep {
		return udprelay.Marking{}
	}
	return udprelay.Marking{Set: true, DSCP: uint8(d)}
}

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
		g, err := steer.Open(steer.Spec{Lo: lo, Hi: hi, V4: s.V4, V6: s.V6, Senders: nodes})
		if err != nil {
			return nil, err // and not a Steering that holds nil
		}
		return g, nil
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

// sayEngine tells once what moves the media, and what of it the machine lacks.
func (g *Gateway) sayEngine() {
	e := g.relay.Engine()
	var on []string
	off := map[string]string{}
	for _, f := range e.Features {
		if f.On {
			on = append(on, f.Name)
		} else {
			off[f.Name] = f.Why
		}
	}
	g.log.Info("media engine", zap.String("engine", e.Name), zap.Int("loops", e.Loops), zap.Strings("with", on), zap.Any("without", off))
}
