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
