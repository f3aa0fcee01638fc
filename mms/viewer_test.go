package mms

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// sights is a gateway that knows players by their file, and that they were at wms2.
type sights struct {
	seen []string
	met  []string
}

func (v *sights) into(c *Config) {
	c.Viewer = func(s Sighting) Viewer {
		v.seen = append(v.seen, s.Client.String()+" "+s.GUID+" "+s.URL)
		if s.URL == "mms://gw.test/" {
			return Viewer{}
		}
		return Viewer{ID: "7c0e", Node: "wms2"}
	}
	c.Met = func(viewer, node string) { v.met = append(v.met, viewer+" "+node) }
}

const sighting = "203.0.113.9 {0a0b0c0d-0000-0000-0000-000000000001} mms://gw.test/"

// A player that connects to a node first is known by its file when it opens one.
func TestViewerAtOpenFile(t *testing.T) {
	var v sights
	bubble(t, func(t *testing.T, w *world) {
		w.part(t, "tcp-playing")
		w.do(t, "C>> CloseFile", "! client closes", "= end -T")
		if diff := cmp.Diff([]string{sighting, sighting + "a.wmv"}, v.seen); diff != "" {
			t.Error(diff)
		}
		if diff := cmp.Diff([]string{"7c0e wms1"}, v.met); diff != "" {
			t.Error(diff)
		}
		if w.ended.Viewer != "7c0e" {
			t.Errorf("viewer %q in the record", w.ended.Viewer)
		}
	}, v.into)
}

// Where the file chooses the node, the player goes to the one that it had; to another if that one is down.
func TestViewersNode(t *testing.T) {
	for _, tc := range []struct {
		name, want string
		refuse     int
	}{{"the same", "wms2", 0}, {"down", "wms1", 1}} {
		t.Run(tc.name, func(t *testing.T) {
			var v sights
			bubble(t, func(t *testing.T, w *world) {
				w.refuse = tc.refuse
				w.do(t, `C> Connect subscriberName="NSPlayer/9.0.0.2980; {0a0b0c0d-0000-0000-0000-000000000001}; Host: gw.test"`,
					`C> OpenFile fileName="a.wmv"`)
				node := map[string]string{worldNode1.String(): "wms1", worldNode2.String(): "wms2"}[w.origin().gateway.remote.Addr().String()]
				if node != tc.want {
					t.Errorf("went to %s", node)
				}
				if diff := cmp.Diff([]string{sighting + "a.wmv"}, v.seen); diff != "" {
					t.Error(diff)
				}
				if diff := cmp.Diff([]string{"7c0e " + tc.want}, v.met); diff != "" {
					t.Error(diff)
				}
			}, v.into, func(c *Config) { c.ByPath = true })
		})
	}
}
