package gateway

import (
	"net/netip"
	"strconv"
	"time"

	"mediagate/internal/admin"
	"mediagate/internal/sessionlog"
)

// namelessFor is how long a session that failed before it said who its player is and what it wants is taken for the step
// before another of its address. Observed: VLC and MPlayer are at their next step within 0.1 s of a refusal; Windows Media
// Player takes seconds.
const namelessFor = 10 * time.Second

// make adds a viewer that has no name yet. t.mu is held.
func (t *viewers) make() *viewer {
	t.number++
	v := &viewer{id: t.epoch + "-" + strconv.FormatUint(t.number, 10), of: make(map[string]int)}
	t.byID[v.id] = v
	v.place = t.order.PushBack(v)
	return v
}

// nameless returns the viewer of an address whose sessions have all failed, of late, before they told a name; nil if there
// is none. t.mu is held.
func (t *viewers) nameless(addr netip.Addr, now time.Time) *viewer {
	v := t.fallen[viewerKey{addr: addr}]
	if v == nil || len(v.keys) > 0 || now.Sub(v.heard) > namelessFor {
		return nil
	}
	return v
}

// unnamed returns the viewer of a session that failed before it told a name, as one that is refused at its first message
// for want of a node. One that asked for nothing was nobody's step. t.mu is held.
func (t *viewers) unnamed(r *sessionlog.Record) *viewer {
	improper := r.End.Who != 0 && r.End.Who != sessionlog.WhoNobody
	if r.Viewer != "" || r.Interim || r.Requests == 0 || !improper || clipOf(r.URL) != "" {
		return nil
	}
	v := t.nameless(r.Client.Addr().Unmap().WithZone(""), t.now())
	if v == nil {
		v = t.make()
	}
	r.Viewer = v.id
	return v
}

// refused returns the viewer of a session of MMS that is about to be refused and has told no name: its player may be at its next step
// before the session has ended.
func (t *viewers) refused(client netip.Addr) string {
	t.mu.Lock()
	defer t.mu.Unlock()
	now, addr := t.now(), client.Unmap().WithZone("")
	t.expire(now)
	v := t.nameless(addr, now)
	if v == nil {
		v = t.make()
	}
	v.open++
	v.of["mms"]++
	t.touch(v, now)
	t.fall(v, addr, "")
	return v.id
}

// list tells of all viewers, the longest silent one first.
func (t *viewers) list() []admin.Viewer {
	t.mu.Lock()
	defer t.mu.Unlock()
	all := make([]admin.Viewer, 0, t.order.Len())
	for e := t.order.Front(); e != nil; e = e.Next() {
		v, _ := e.Value.(*viewer)
		one := admin.Viewer{ID: v.id, Sessions: v.open, Node: v.node, Heard: v.heard.UTC().Truncate(time.Millisecond), Steps: []sessionlog.Step{}}
		for _, s := range v.steps {
			one.Steps = append(one.Steps, s.Step)
		}
		all = append(all, one)
	}
	return all
}
