package gateway

import (
	"time"

	"go.uber.org/zap"

	"mediagate/internal/config"
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
