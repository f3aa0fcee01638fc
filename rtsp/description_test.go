package rtsp

import (
	"testing"
	"time"

	"mediagate/internal/sessionlog"
	"mediagate/rtsp/rtspwire"
	"mediagate/udprelay"
)

const wmsDescription = "v=0\r\na=control:rtsp://gw.test/a.wmv/\r\n" +
	"m=audio 0 RTP/AVP 96\r\na=rtpmap:96 x-asf-pf/1000\r\na=control:audio\r\n" +
	"m=application 0 RTP/AVP 97\r\na=rtpmap:97 x-wms-rtx/1000\r\na=control:rtx\r\n"

func TestDescriptionKnowsResends(t *testing.T) {
	var d description
	d.note(rtspwire.ParseSDP([]byte(wmsDescription)))
	for url, want := range map[string]bool{
		"rtsp://gw.test/a.wmv/rtx":   true,
		"rtx":                        true,
		"rtsp://gw.test/a.wmv/audio": false,
		"rtsp://gw.test/vertx":       false,
	} {
		if got := d.isResend(url); got != want {
			t.Errorf("isResend(%q) = %v, want %v", url, got, want)
		}
	}
	d.note(rtspwire.ParseSDP([]byte("v=0\r\n")))
	if d.isResend("rtx") {
		t.Error("a stream of the description before is still known")
	}
}

// The sequence numbers of a retransmission stream jump; that is no loss.
func TestRecordCountsResendsApart(t *testing.T) {
	st := udprelay.MediaStats{Packets: 3, Lost: 40, Late: 1, Duplicate: 2, Jitter: time.Second}
	r := new(sessionlog.Record)
	addMedia(r, &media{resend: true}, st)
	if r.Resent != 3 || r.Lost != 0 || r.Late != 0 || r.Duplicate != 0 || r.Jitter != 0 {
		t.Errorf("record of a retransmission stream %+v", r)
	}
	addMedia(r, &media{}, st)
	if r.Resent != 3 || r.Lost != 40 || r.Jitter != sessionlog.Millis(time.Second) {
		t.Errorf("record of a stream %+v", r)
	}
}

// The clock of a description reaches the meter: without it a dynamic payload type has no jitter.
func TestDescriptionSetsClocks(t *testing.T) {
	var d description
	d.note(rtspwire.ParseSDP([]byte(wmsDescription)))
	m := &media{meter: new(udprelay.Meter)}
	d.clock(m)
	start := time.Unix(0, 0)
	for i, at := range []time.Duration{0, 30 * time.Millisecond, 35 * time.Millisecond} {
		packet := rtpPacket(uint16(i))
		packet[7] = byte(10 * i) // 10 ms apart by their timestamps
		m.meter.Observe(packet, start.Add(at))
	}
	if got := m.meter.Stats().Jitter; got == 0 {
		t.Error("no jitter, though the packets came unevenly")
	}
}
