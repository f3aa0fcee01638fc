package decode

import (
	"slices"
	"strings"
	"time"

	"mediagate/rtsp/rtspwire"
)

// frame counts interleaved media.
func (t *rtspTalk) frame(side int, f *rtspwire.Frame, at time.Time) {
	flow := t.channels[side][f.Channel]
	if flow == nil {
		flow = t.channel(side, f)
	}
	flow.observe(f.Payload, at, t.d.seed)
	var lost int64
	for _, f := range t.channels[side] {
		lost += f.lost()
	}
	t.d.media(t.conv, side, len(f.Payload), lost, at)
}

// channel makes the flow of an interleaved channel.
func (t *rtspTalk) channel(side int, f *rtspwire.Frame) *Flow {
	c := t.conv
	flow := &Flow{From: c.Client, To: c.Server, Channel: &[]uint8{f.Channel}[0], Kind: mediaKind(f.Payload), Interface: c.Interface}
	if side == server {
		flow.From, flow.To = c.Server, c.Client
	}
	flow.toServer = side == client
	flow.ID = t.d.id()
	t.channels[side][f.Channel] = flow
	m := t.byNumber[f.Channel]
	if m == nil {
		flow.Joined = "channel not negotiated"
		if len(c.Media) == 0 {
			t.d.rep.Strays = append(t.d.rep.Strays, flow)
			return flow
		}
		m = c.Media[0]
	}
	flow.media = m
	m.Flows = append(m.Flows, flow)
	return flow
}

// setup makes the media that a SETUP negotiated.
func (t *rtspTalk) setup(q asked, a *rtspwire.Response, at time.Time) {
	specs, err := rtspwire.ParseTransport(a.Header.Values("Transport")...)
	if err != nil || len(specs) == 0 {
		return
	}
	var wanted *rtspwire.TransportSpec
	for _, s := range q.wanted {
		if wanted == nil && s.Lower() == specs[0].Lower() {
			wanted = s
		}
	}
	m := t.d.negotiated(t.conv, specs[0], wanted)
	m.URL, m.session, m.clocks = q.url, sessionID(&a.Header), t.clocks
	m.resends = t.resends != "" && strings.HasSuffix(q.url, t.resends)
	m.ssrc, _ = specs[0].Param("ssrc")
	if first := t.conv.sharedBy(m); first != nil {
		m.Shares = first.URL
	}
	for i, ch := range m.Channels {
		if i > 0 && ch == m.Channels[0] {
			continue
		}
		t.byNumber[ch] = m
		for side := range 2 { // negotiated anew: figures of before belong to the media of before
			delete(t.channels[side], ch)
		}
	}
	if m.Shares == "" {
		t.d.expect(m)
	}
}

// sharedBy finds the media of the same session that has the client's ports, or the SSRC, of another: its packets carry both
// ([MS-RTSP] 2.2.3: ASF packets have the payloads of all streams).
func (c *Conversation) sharedBy(m *Media) *Media {
	for _, o := range c.Media {
		if o == m || o.session != m.session || o.Shares != "" || o.Transport != m.Transport {
			continue
		}
		if m.Transport == "udp" && len(m.Ports) > 0 && slices.Equal(o.Ports, m.Ports) || m.ssrc != "" && o.ssrc == m.ssrc {
			return o
		}
	}
	return nil
}

// sessionID is the value of Session without its parameters.
func sessionID(h *rtspwire.Header) string {
	id := h.Get("Session")
	for i := range id {
		if id[i] == ';' {
			return id[:i]
		}
	}
	return id
}

// isEndOfStream reports whether a server says that the stream is over ([MS-RTSP] 2.2.7.3).
func isEndOfStream(h *rtspwire.Header) bool { return strings.HasPrefix(h.Get("X-Notice"), "2101") }
