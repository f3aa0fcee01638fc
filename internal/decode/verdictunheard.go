package decode

import (
	"slices"
	"time"
)

// judgeUnheard speaks of media that went to a client which does not say that any came. A leg that another has its packets
// from is the gateway's: the client's is looked at.
func (d *decoder) judgeUnheard(c *Conversation, m *Media) {
	const few, soon = 20, 4 * time.Second
	var packets uint64
	var took time.Duration
	for _, f := range m.Flows {
		switch {
		case f.Reports != nil && f.toServer && f.Reports.known+f.Reports.Nacked > 0, f.Resend != nil, len(f.Unreachable) > 0:
			return
		case f.isPayload() && !f.toServer && d.passedOn(f):
			return
		case f.isPayload() && !f.toServer:
			packets += f.Packets
			took = max(took, f.Last.Sub(f.First))
		}
	}
	if m.Transport != "udp" || m.resends || m.Shares != "" || packets < few || took < soon {
		return
	}
	level := levelWarning
	if c.Protocol == "mms" {
		level = levelNote // its clients say nothing as long as all is well
	}
	d.find(level, "no-report", c.ID, "%s of %s went out in %s, and the client sent no report that it got any: if it shows nothing, UDP is blocked between here and the client",
		plural(packets, "packet"), m.where(), Seconds(took))
}

// passedOn reports whether the packets of a flow are those of another leg too, further on.
func (d *decoder) passedOn(f *Flow) bool {
	for _, c := range d.rep.Conversations {
		for _, m := range c.Media {
			if slices.ContainsFunc(m.Flows, func(o *Flow) bool { return o.Leg == f.ID }) {
				return true
			}
		}
	}
	return false
}
