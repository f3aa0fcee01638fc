package gateway

import (
	"context"
	"time"

	"go.uber.org/zap"

	"mediagate/udprelay"
)

// dropsEvery is how often packets that belong to no session are told. They may come from anybody, so that one line a
// minute is the most that a flood gets.
const dropsEvery = time.Minute

// watchDrops logs what came to the media ports and belongs to no session, when there was any: a wrong address in a pool
// or a port scan shows here, and in no session record.
func (g *Gateway) watchDrops(ctx context.Context) {
	tick := time.NewTicker(dropsEvery)
	defer tick.Stop()
	before := g.relay.Drops()
	for {
		select {
		case <-tick.C:
			now := g.relay.Drops()
			if fields := newDrops(before, now); len(fields) > 0 {
				g.log.Warn("media packets that belong to no session", fields...)
			}
			before = now
		case <-ctx.Done():
			return
		}
	}
}

// watchLoad logs, once a second, what the kernel has dropped because the relay had not read what was before it.
func (g *Gateway) watchLoad(ctx context.Context) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	var before uint64
	for {
		select {
		case <-tick.C:
			now, busiest := lost(g.relay.Load())
			if now > before {
				g.log.Warn("the kernel drops media: the relay does not keep up", zap.Uint64("datagrams", now-before), zap.Float64("busiest_loop", busiest))
			}
			before = now
		case <-ctx.Done():
			return
		}
	}
}

// lost sums what was dropped, and tells how busy the busiest loop is.
func lost(l udprelay.Load) (dropped uint64, busiest float64) {
	for _, each := range l.Loops {
		dropped += each.KernelDropped
		busiest = max(busiest, each.Busy)
	}
	return dropped, busiest
}

// newDrops are the reasons that have grown, with by how much.
func newDrops(before, now map[udprelay.DropReason]uint64) []zap.Field {
	var fields []zap.Field
	for reason, n := range now {
		if n > before[reason] {
			fields = append(fields, zap.Uint64(reason.String(), n-before[reason]))
		}
	}
	return fields
}
