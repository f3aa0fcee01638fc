package gateway

import (
	"mediagate/internal/httpfallback"
	"mediagate/mms"
	"mediagate/rtsp"
)

// The three protocols ask for their player in words of their own, so that they need not meet.

func (g *Gateway) sightRTSP(s rtsp.Sighting) (v rtsp.Viewer) {
	v.ID, v.Node = g.viewers.sight("rtsp", s.Client, s.GUID, s.URL)
	return v
}

func (g *Gateway) sightMMS(s mms.Sighting) (v mms.Viewer) {
	v.ID, v.Node = g.viewers.sight("mms", s.Client, s.GUID, s.URL)
	return v
}

func (g *Gateway) sightHTTP(s httpfallback.Sighting) (v httpfallback.Viewer) {
	v.ID, v.Node = g.viewers.sight("http", s.Client, s.GUID, s.URL)
	return v
}
