package mms

import (
	"net/netip"
	"slices"

	"mediagate/internal/capture"
	"mediagate/mms/mmswire"
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

// sight asks who the player is, and sends a session without a node to the one that the player had before. A player whose
// GUID says nothing is known by its path at the earliest, which comes with OpenFile.
func (s *session) sight() {
	if s.rec.Viewer != "" {
		return
	}
	sub := mmswire.ParseSubscriber(s.said.connect.SubscriberName)
	v := s.proxy.cfg.Viewer(Sighting{Client: s.clientAddr.Addr(), GUID: sub.GUID(), URL: s.rec.URL})
	s.rec.Viewer, s.rec.PlayerID = v.ID, sub.GUID()
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
