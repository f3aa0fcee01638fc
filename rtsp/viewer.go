package rtsp

import (
	"cmp"
	"net/netip"
	"slices"
	"strings"

	"mediagate/internal/capture"
	"mediagate/rtsp/rtspwire"
)

// Sighting is what is known of a player when it is first seen.
type Sighting struct {
	Client netip.Addr
	GUID   string // as the player wrote it, "" if it did not
	URL    string // as the player asked for it; it may name no path yet
}

// Viewer is who the player of a sighting is.
type Viewer struct {
	ID   string // for Record.Viewer; "": not known yet
	Node string // name of the node that its sessions had before (balancer.Key.Prefer), "" if none
}

// sight asks who the player is, and sends a session without a node to the one that the player had before.
func (s *session) sight(ex *exchange) {
	if s.rec.Viewer != "" {
		return
	}
	guid := guidOf(&ex.in.Header)
	v := s.proxy.cfg.Viewer(Sighting{Client: s.player, GUID: guid, URL: ex.in.URL})
	s.rec.Viewer, s.rec.PlayerID = v.ID, cmp.Or(guid, s.rec.PlayerID)
	switch {
	case s.origin != nil:
		s.met()
	case s.prefer == "" && !slices.Contains(s.tried, v.Node):
		s.prefer = v.Node
	}
}

// met tells that the session has reached its node.
func (s *session) met() {
	s.tap.Learn(capture.Facts{Node: s.rec.Node, NodeAddr: s.rec.NodeAddress.Addr()})
	if s.rec.Viewer != "" {
		s.proxy.cfg.Met(s.rec.Viewer, s.rec.Node)
	}
}

// guidOf is the GUID of a Windows Media player, "" if there is none: [MS-RTSP] 2.2.6.12, client-guid in User-Agent; and
// 2.2.6.24, where a proxy before us puts what the player called itself.
func guidOf(h *rtspwire.Header) string {
	const guid = "guid/"
	for _, name := range []string{"X-Proxy-Client-Agent", "User-Agent"} {
		for _, agent := range h.Values(name) {
			for word := range strings.FieldsSeq(agent) {
				if len(word) > len(guid) && strings.EqualFold(word[:len(guid)], guid) {
					return word[len(guid):]
				}
			}
		}
	}
	return ""
}
