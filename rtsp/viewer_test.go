package rtsp

import (
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"

	"mediagate/rtsp/rtspwire"
)

func TestGUID(t *testing.T) {
	const guid = "3300AD50-2C39-46C0-AE0A-C4D98694D7B4"
	for _, tc := range []struct {
		name, field, value, want string
	}{
		{"Windows Media Player", "User-Agent", "WMPlayer/9.0.0.2683 guid/" + guid, guid},
		{"in another case", "User-Agent", "WMPlayer/9.0.0.2683  GUID/" + guid + " more", guid},
		{"behind a proxy", "X-Proxy-Client-Agent", "WMPlayer/9.0.0.2683 guid/" + guid, guid},
		{"ffmpeg", "User-Agent", "Lavf59.27.100", ""},
		{"nothing after it", "User-Agent", "WMPlayer/9.0.0.2683 guid/", ""},
		{"in a word", "User-Agent", "xguid/" + guid, ""},
		{"none", "CSeq", "1", ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var h rtspwire.Header
			h.Add(tc.field, tc.value)
			if got := guidOf(&h); got != tc.want {
				t.Errorf("%q, want %q", got, tc.want)
			}
		})
	}
}

// sights is a gateway that knows players by their path, and that they were at wms2.
type sights struct {
	seen []Sighting
	met  []string
}

func (v *sights) into(c *Config) {
	c.Viewer = func(s Sighting) Viewer {
		v.seen = append(v.seen, s)
		if s.URL == "*" {
			return Viewer{Node: "wms2"}
		}
		return Viewer{ID: "7c0e", Node: "wms2"}
	}
	c.Met = func(viewer, node string) { v.met = append(v.met, viewer+" "+node) }
}

// The player is asked about until it is known, and goes to the node that it had.
func TestViewer(t *testing.T) {
	const options, describe = "OPTIONS * RTSP/1.0\nCSeq: 1\nUser-Agent: WMPlayer/9 guid/7", "DESCRIBE rtsp://gw.test/a RTSP/1.0\nCSeq: 1"
	for _, tc := range []struct {
		name string
		asks []string
		seen []Sighting
		met  []string
	}{
		{"at once", []string{describe, describe}, []Sighting{{worldClient.Addr(), "", "rtsp://gw.test/a"}}, []string{"7c0e wms2"}},
		{"later", []string{options, describe, describe},
			[]Sighting{{worldClient.Addr(), "7", "*"}, {worldClient.Addr(), "", "rtsp://gw.test/a"}}, []string{"7c0e wms2"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var v sights
				w := newWorld(t, v.into)
				for _, text := range tc.asks {
					w.ask(t, text, "RTSP/1.0 200 OK\nCSeq")
				}
				if at := w.origin(t).node.Addr(); at != worldNode2 {
					t.Errorf("went to %v", at)
				}
				if diff := cmp.Diff(tc.seen, v.seen, cmp.Comparer(func(a, b Sighting) bool { return a == b })); diff != "" {
					t.Error(diff)
				}
				if diff := cmp.Diff(tc.met, v.met); diff != "" {
					t.Error(diff)
				}
				w.close()
				if r := <-w.records; r.Viewer != "7c0e" {
					t.Errorf("viewer %q in the record", r.Viewer)
				}
			})
		})
	}
}

// A node that fails is left, whoever was there before.
func TestViewersNodeFails(t *testing.T) {
	var v sights
	bubble(t, func(t *testing.T, w *world) {
		w.refuse = 1
		w.ask(t, "DESCRIBE rtsp://gw.test/a RTSP/1.0\nCSeq: 1", "RTSP/1.0 200 OK\nCSeq")
		if at := w.origin(t).node.Addr(); at != worldNode1 {
			t.Errorf("went to %v", at)
		}
		if diff := cmp.Diff([]string{"7c0e wms1"}, v.met); diff != "" {
			t.Error(diff)
		}
	}, v.into)
}
