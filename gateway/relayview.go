package gateway

import (
	"time"

	"github.com/goccy/go-yaml"

	"mediagate/internal/admin"
	"mediagate/udprelay"
)

// Relay is what moves the media.
func (v view) Relay() admin.Relay {
	e := v.g.relay.Engine()
	r := admin.Relay{Engine: e.Name, With: []string{}, Without: map[string]string{}, Flows: v.g.relay.InUse(), Loops: []admin.Loop{}}
	for _, f := range e.Features {
		if f.On {
			r.With = append(r.With, f.Name)
		} else {
			r.Without[f.Name] = f.Why
		}
	}
	for _, l := range v.g.relay.Load().Loops {
		r.Loops = append(r.Loops, admin.Loop{Busy: l.Busy, Packets: l.Packets, Steered: l.Led, XDP: l.Bypassed,
			SendCalls: l.Batches, KernelDropped: l.KernelDropped})
	}
	return r
}

// Pinholes are all media ports that are open now.
func (v view) Pinholes() []admin.Pinhole {
	var all []admin.Pinhole
	for _, p := range v.g.relay.Pinholes() {
		all = append(all, pinhole(p))
	}
	return all
}

func pinhole(p udprelay.Pinhole) admin.Pinhole {
	out := admin.Pinhole{Local: p.Local.String(), Side: p.Side.String(), Carries: p.Carries, State: "open", Session: p.Owner,
		Opened: p.Opened.UTC().Truncate(time.Millisecond), Refused: map[string]uint64{}}
	switch {
	case p.Shared:
		out.State = "shared"
	case p.Closed:
		out.State = "lingering"
	}
	if p.Peer.IsValid() {
		out.Peer = p.Peer.String()
	}
	if !p.LastSeen.IsZero() {
		at := p.LastSeen.UTC().Truncate(time.Millisecond)
		out.LastSeen = &at
	}
	for reason, n := range p.Refused {
		out.Refused[reason.String()] = n
	}
	return out
}

// Viewers are those of late.
func (v view) Viewers() []admin.Viewer { return v.g.viewers.list() }

// Configuration is what the gateway runs with.
func (v view) Configuration() ([]byte, error) { return yaml.Marshal(v.g.cfg) }
