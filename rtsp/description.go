package rtsp

import (
	"maps"
	"strings"

	"mediagate/rtsp/rtspwire"
)

// description is what the last session description said that the record needs. It decides nothing about the relay.
type description struct {
	clocks map[uint8]uint32 // RTP clocks in Hz by payload type, for the jitter
	resend []string         // control URLs of retransmission streams, as the player sees them
}

// note takes over what a description says.
func (d *description) note(sdp *rtspwire.SDP) {
	if d.clocks == nil {
		d.clocks = make(map[uint8]uint32)
	}
	maps.Copy(d.clocks, sdp.ClockRates())
	d.resend = nil
	for _, m := range sdp.Medias() {
		// [MS-RTSP] 2.2.5.5: a media description of its own. Its sequence numbers jump by nature, and are no loss.
		if strings.EqualFold(m.Encoding, "x-wms-rtx") && m.Control != "" {
			d.resend = append(d.resend, m.Control)
		}
	}
}

// isResend says that the stream that url sets up is a retransmission stream.
func (d *description) isResend(url string) bool {
	for _, control := range d.resend {
		if url == control || strings.HasSuffix(url, "/"+control) {
			return true
		}
	}
	return false
}

// holdJitter keeps a pause or a seek out of the jitter: from the request on its way to its answer nothing is measured, and
// what comes after is not compared with what came before.
func (s *session) holdJitter(ex *exchange, on bool) {
	switch ex.in.Method {
	case methodPlay, methodPause, methodRecord:
	default:
		return
	}
	for _, rs := range s.bound {
		for _, m := range rs.media {
			if m.use != nil {
				m.use.flow.HoldJitter(on)
			} else {
				m.meter.Hold(on)
			}
		}
	}
}

// clock tells a media's clocks to whoever measures it.
func (d *description) clock(m *media) {
	set := func(pt uint8, hz uint32) { m.meter.SetClockRate(pt, hz) }
	if m.use != nil {
		set = m.use.flow.SetClockRate
	}
	for pt, hz := range d.clocks {
		set(pt, hz)
	}
}
