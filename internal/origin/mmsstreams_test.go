package origin

import (
	"bytes"
	"fmt"
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"
	"mediagate/internal/asf"
	"mediagate/mms/mmswire"
)

// TestMMSStreams selects one stream and looks into the packets.
func TestMMSStreams(t *testing.T) {
	for _, x := range []struct {
		name    string
		entries []mmswire.StreamSwitchEntry
		want    func(asf.Payload) bool
	}{
		{"audio", []mmswire.StreamSwitchEntry{{Src: noStream, Dst: 2}, {Src: noStream, Dst: 1, Thinning: 2}, {Src: 99, Dst: 98}},
			func(l asf.Payload) bool { return l.Stream == 2 }},
		{"key frames", []mmswire.StreamSwitchEntry{{Src: noStream, Dst: 1, Thinning: 1}},
			func(l asf.Payload) bool { return l.Stream == 1 && l.KeyFrame }},
		{"nothing", []mmswire.StreamSwitchEntry{{Src: 1, Dst: noStream}}, func(asf.Payload) bool { return false }},
	} {
		t.Run(x.name, func(t *testing.T) {
			s := serveMMS(t, "127.0.0.31", Config{Speed: 100})
			_, packets := file(t, s)
			c := dialMMS(t, s)
			c.connect(tcpFunnel)
			ask[*mmswire.ReportStreamSwitch](c, &mmswire.StreamSwitch{Entries: x.entries})
			ask[*mmswire.ReportStartedPlaying](c, startPlaying(4))
			ask[*mmswire.ReportEndOfStream](c, nil)
			var want, got []asf.Payload
			for _, raw := range packets {
				p, err := asf.ParsePacket(raw)
				if err != nil {
					t.Fatal(err)
				}
				for _, l := range p.Payloads {
					if x.want(l) {
						want = append(want, l)
					}
				}
			}
			for i, d := range c.data {
				p, err := asf.ParsePacket(d.Payload)
				if err != nil || d.AFFlags != uint8(i) {
					t.Fatalf("packet %d: flags %d, %v", i, d.AFFlags, err)
				}
				got = append(got, p.Payloads...)
			}
			if d := cmp.Diff(want, got); d != "" {
				t.Errorf("payloads (-want +got):\n%s", d)
			}
		})
	}
}

// TestMMSPlaylist gets two entries: over TCP unasked, over UDP by ReadBlock and StartPlaying.
func TestMMSPlaylist(t *testing.T) {
	s := serveMMS(t, "127.0.0.34", Config{Speed: 100, Playlist: true})
	wantHeader, packets := file(t, s)
	c := dialMMS(t, s)
	if open := c.connect(tcpFunnel); open.FileAttributes != mmswire.AttributePlaylist {
		t.Errorf("attributes %#x", open.FileAttributes)
	}
	ask[*mmswire.ReportStartedPlaying](c, startPlaying(4))
	if end := ask[*mmswire.ReportEndOfStream](c, nil); end.HR != hrNextEntry || len(c.data) != len(packets) {
		t.Errorf("%+v after %d packets", end, len(c.data))
	}
	change := ask[*mmswire.ReportStreamChange](c, nil)
	if change.TCPHdrIncarnation != 0xff || change.HeaderSize != uint32(len(wantHeader)) || change.PacketSize != 1400 {
		t.Errorf("%+v", change)
	}
	c.data = nil
	c.headerTCP(len(wantHeader))
	if !bytes.Equal(header(t, 0xff, c.data), wantHeader) {
		t.Error("the header of the second entry is not the file's")
	}
	c.data = nil
	if end := ask[*mmswire.ReportEndOfStream](c, nil); end.HR != hrOK || len(c.data) != len(packets) || c.data[0].PlayIncarnation != 0xff {
		t.Errorf("%+v after %d packets", end, len(c.data))
	}

	media := udp(t, s)
	c = dialMMS(t, s)
	c.connect(fmt.Sprintf(`\\%s\udp\%d`, netip.IPv4Unspecified(), port(media)))
	ask[*mmswire.ReportStartedPlaying](c, startPlaying(4))
	ask[*mmswire.ReportEndOfStream](c, nil)
	ask[*mmswire.ReportStreamChange](c, nil)
	ask[*mmswire.ReportReadBlock](c, &mmswire.ReadBlock{OpenFileID: 1, PlayIncarnation: 5})
	ask[*mmswire.ReportStartedPlaying](c, startPlaying(6))
	if end := ask[*mmswire.ReportEndOfStream](c, nil); end.HR != hrOK || end.PlayIncarnation != 6 {
		t.Errorf("%+v", end)
	}
}
