package origin

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/bluenviron/gortsplib/v4/pkg/base"
	"mediagate/internal/asf"
)

// setup answers SETUP. [MS-RTSP] 2.2.7.10.1 and 3.2.5.6.
func (x *exchange) setup() answer {
	path, ok := x.path()
	if !ok {
		return status(base.StatusBadRequest)
	}
	file, name, control, err := x.server.library.find(path)
	if err != nil {
		return status(base.StatusNotFound)
	}
	m := &media{control: control}
	if !m.known(file) { // the presentation's own URL too: no SETUP of an aggregate
		return status(base.StatusNotFound)
	}
	if m.t, ok = chooseTransport(x.req.Header["Transport"]); !ok {
		return status(base.StatusUnsupportedTransport)
	}
	if m.t.foreign(x.client.Addr()) {
		return status(base.StatusForbidden)
	}
	if x.session != nil && x.session.name != name {
		return status(base.StatusAggregateOperationNotAllowed)
	}
	e := x.session
	if e == nil {
		if e = x.server.newSession(x.conn, file, name, strings.TrimSuffix(strings.TrimSuffix(x.url, control), "/")); e == nil {
			return status(base.StatusServiceUnavailable)
		}
		e.features(x.req.Header)
	}
	ssrc, ok := e.add(m)
	if !ok {
		if x.session == nil {
			x.server.drop(e)
		}
		return status(base.StatusUnsupportedTransport)
	}
	x.session = e
	return status(base.StatusOK).with("Transport", m.t.reply(x.server.cfg.Media, ssrc)).
		with("Cache-Control", "no-cache")
}

// known finds the stream that the control part of the URL names.
func (m *media) known(f *asf.File) bool {
	if m.control == rtxControl {
		return true
	}
	i := slices.Index(controlNames(f), m.control)
	if i >= 0 {
		m.number = f.Streams[i].Number
	}
	return i >= 0
}

// add takes a stream into the session, in the place of an earlier one of the same name, if its transport goes with the
// others'. [MS-RTSP] 2.2.7.10.1: ordinary streams share a client port, the resend stream has another; it comes first
// and over UDP only ([MS-RTSP] 3.1.5.4).
func (e *session) add(m *media) (ssrc uint32, ok bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if !m.t.tcp {
		m.to = netip.AddrPortFrom(e.client, m.t.rtp)
		if m.t.rtcp != 0 {
			m.toRTCP = netip.AddrPortFrom(e.client, m.t.rtcp)
		}
	}
	if m.control == rtxControl {
		if m.t.tcp || len(e.streams) > 0 && e.rtx == nil {
			return 0, false
		}
		e.rtx = m
		return e.rtxSSRC, true
	}
	if !m.t.tcp && e.rtx != nil && e.rtx.t.rtp == m.t.rtp {
		return 0, false
	}
	for i, o := range e.streams {
		same := m.t.tcp || o.t.clientPort == m.t.clientPort
		switch {
		case o.control == m.control && len(e.streams) == 1:
			same = true // nothing else holds the old transport
		case o.t.tcp != m.t.tcp || !same:
			return 0, false
		}
		if o.control == m.control {
			e.channelsLocked(m)
			e.streams[i] = m
			return e.flow.ssrc, true
		}
	}
	e.channelsLocked(m)
	e.streams = append(e.streams, m)
	return e.flow.ssrc, true
}

// channelsLocked gives a stream over TCP channels of its own if the client asked for none or for taken ones.
func (e *session) channelsLocked(m *media) {
	taken := func(c uint8) bool {
		return slices.ContainsFunc(e.streams, func(o *media) bool {
			return o.control != m.control && (o.t.channels[0] == c || o.t.channels[1] == c)
		})
	}
	if !m.t.tcp || m.t.hasChannels && !taken(m.t.channels[0]) {
		if m.t.channels[1] == 0 {
			m.t.channels[1] = m.t.channels[0] + 1
		}
		return
	}
	for c := uint8(0); c < 254; c += 2 {
		if !taken(c) && !taken(c+1) {
			m.t.channels = [2]uint8{c, c + 1}
			return
		}
	}
}

// teardown answers TEARDOWN of one stream or of all. [MS-RTSP] 2.2.7.10.2 and 2.2.7.13.
func (x *exchange) teardown() answer {
	e := x.session
	if e == nil {
		return status(base.StatusSessionNotFound)
	}
	path, _ := x.path()
	if control, ok := strings.CutPrefix(strings.Trim(path, "/"), e.name+"/"); ok {
		if !e.remove(control) {
			return status(base.StatusNotFound)
		}
		return status(base.StatusOK)
	}
	x.server.drop(e)
	x.session = nil
	a := status(base.StatusOK).with("Session", e.id)
	a.after = func() error { return errTornDown }
	return a
}

func (e *session) remove(control string) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	if control == rtxControl && e.rtx != nil {
		e.rtx = nil
		return true
	}
	n := len(e.streams)
	e.streams = slices.DeleteFunc(e.streams, func(m *media) bool { return m.control == control })
	return len(e.streams) < n
}

// playlistInfo is the X-RTP-Info of an ANNOUNCE. [MS-RTSP] 2.2.6.27 and the example in 2.2.7.1.
func (e *session) playlistInfo(timestamp uint32) string {
	e.mu.Lock()
	defer e.mu.Unlock()
	var parts []string
	for _, m := range e.streams {
		t := fmt.Sprintf("transport=RTP/AVP/TCP;unicast;interleaved=%d-%d", m.t.channels[0], m.t.channels[1])
		if !m.t.tcp {
			t = fmt.Sprintf("transport=RTP/AVP/UDP;unicast;%s;client_port=%s", m.t.serverPort(e.server.cfg.Media), m.t.clientPort)
		}
		parts = append(parts, fmt.Sprintf("url=%s/%s;%s;ssrc=%08x;mode=PLAY;thinlevel=%d;seq=%d;rtptime=%d",
			e.base, m.control, t, e.flow.ssrc, m.thin, e.flow.seq, timestamp))
	}
	if m := e.rtx; m != nil {
		parts = append(parts, fmt.Sprintf("url=%s/%s;transport=RTP/AVP/UDP;unicast;%s;client_port=%s;ssrc=%08x;mode=PLAY;thinlevel=0",
			e.base, m.control, m.t.serverPort(e.server.cfg.Media), m.t.clientPort, e.rtxSSRC))
	}
	return strings.Join(parts, ", ")
}
