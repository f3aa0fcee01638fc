package e2e

import (
	"encoding/xml"
	"slices"
	"strings"
	"testing"

	"mediagate/internal/lab"
	"mediagate/internal/origin"
)

// announcement is what is read of an ASX file.
type announcement struct {
	Refs []struct {
		Href string `xml:"HREF,attr"`
	} `xml:"ENTRY>REF"`
}

// TestHTTPPlayersAnnounced: each place that an announcement of the gateway lists
// is played by a player that we did not write, with the URL as it stands there.
func TestHTTPPlayersAnnounced(t *testing.T) {
	lab.Need(t, "gst-launch-1.0", "vlc")
	const name = "a b.wmv" // escaped on the way
	_, node := webOrigin(t, "wms", origin.Config{Speed: 4}, lab.SampleASF(t), name)
	gw := webProgram(t, lab.Services{Protocols: []string{"http", "rtsp", "mms"}}, node)
	host := gw.Addr.Addr().String()
	text, status, kind := lab.Fetch(t, "http://"+host+"/announce/a%20b.wmv.asx")
	var got announcement
	if err := xml.Unmarshal([]byte(text), &got); err != nil || status != "200" || kind != "video/x-ms-asf" {
		t.Fatalf("status %s, type %q: %v: %q", status, kind, err, text)
	}
	var urls []string
	for _, ref := range got.Refs {
		urls = append(urls, ref.Href)
	}
	want := []string{"rtspu://", "rtspt://", "mmsu://", "mmst://", "http://"}
	for i := range want {
		want[i] += host + "/a%20b.wmv"
	}
	if !slices.Equal(urls, want) {
		t.Fatalf("announced: %q, want %q", urls, want)
	}
	for i, url := range urls {
		t.Run(url[:strings.Index(url, ":")], func(t *testing.T) {
			if i < 2 {
				p := lab.Play(t, lab.GStreamerASF("udp+tcp"), url, nil)
				p.WaitFrames(40, 30, playLimit)
				p.End()
				return
			}
			sample := lab.SampleASF(t)
			playsWhole(t, lab.PlayMMS(t, lab.VLC(url[:strings.Index(url, ":")]), url, nil), sample)
		})
	}
	var ways []string
	records := gw.FinalRecords(t)
	for _, r := range records {
		if r.FirstMedia != nil {
			ways = append(ways, r.Protocol+" "+r.Transport+" "+r.End)
		}
	}
	slices.Sort(ways)
	if want := []string{"http http -T", "mms interleaved -T", "mms udp -T", "rtsp interleaved -T", "rtsp udp -T"}; !slices.Equal(ways, want) {
		t.Errorf("records: %q, want %q: %+v", ways, want, records)
	}
}

// TestHTTPPlayersOfAnnouncement: VLC plays all that an announcement lists, one
// after the other, and passes over rtspu and rtspt, which this VLC lacks. MPlayer
// reads a list with -playlist only, and its first place only: it plays where HTTP
// alone is announced. FFmpeg reads no ASX file.
func TestHTTPPlayersOfAnnouncement(t *testing.T) {
	sample, vlc := lab.SampleASF(t), lab.VLCShow("http", "--run-time", "1")
	_, node := webOrigin(t, "wms", origin.Config{Speed: 4}, sample, "sample.wmv")
	for name, tc := range map[string]struct {
		kind     lab.MMSKind
		announce []string
		want     []string // protocols and transports that have media
	}{
		"vlc":     {vlc, nil, []string{"http http", "mms interleaved", "mms udp"}},
		"mplayer": {lab.MPlayerList(), []string{"HTTP"}, []string{"http http"}},
	} {
		t.Run(name, func(t *testing.T) {
			gw := webProgram(t, lab.Services{Protocols: []string{"http", "rtsp", "mms"}, Announce: tc.announce}, node)
			p := lab.PlayMMS(t, tc.kind, "http://"+gw.Addr.Addr().String()+"/announce/sample.wmv.asx", nil)
			p.WaitExit(2 * playLimit)
			if name == "mplayer" {
				if diff := lab.DiffASF(p.Written(), sample, 0); diff != "" {
					t.Errorf("%s\n%s", diff, p.Output())
				}
			}
			var ways []string
			for _, r := range gw.FinalRecords(t) {
				if r.FirstMedia != nil {
					ways = append(ways, r.Protocol+" "+r.Transport)
				}
			}
			slices.Sort(ways)
			if !slices.Equal(ways, tc.want) {
				t.Errorf("records with media: %q, want %q\n%s", ways, tc.want, p.Output())
			}
		})
	}
}
