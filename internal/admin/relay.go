package admin

import (
	"net/http"
	"strings"
	"time"
)

// Pinhole is one open media port.
type Pinhole struct {
	Local    string            `json:"local"`
	Side     string            `json:"side"`    // that it faces: client or origin
	Carries  string            `json:"carries"` // rtp, rtcp, mms, or resend: requests of MMS players
	State    string            `json:"state"`   // open; lingering: its session has ended; shared: by all sessions
	Session  string            `json:"session"` // whose it is; "" of a shared one
	Opened   time.Time         `json:"opened"`
	Peer     string            `json:"peer"`      // where packets go from here, "" if that is not known
	LastSeen *time.Time        `json:"last_seen"` // when a valid packet last came to it or to its neighbour; null: never
	Refused  map[string]uint64 `json:"refused"`   // packets that were not passed on, by reason
}

// Relay is what moves the media.
type Relay struct {
	Engine  string            `json:"engine"`
	With    []string          `json:"with"`    // what the engine uses
	Without map[string]string `json:"without"` // what it does not, and why
	Flows   int               `json:"flows"`   // whose ports are not free
	Loops   []Loop            `json:"loops"`   // none of the plain engine
}

// Loop is one event loop; figures are since the start but those that say otherwise.
type Loop struct {
	Busy          float64 `json:"busy"` // share of the last second
	Packets       uint64  `json:"packets"`
	Steered       uint64  `json:"steered"` // of Packets, by the loop's own socket
	XDP           uint64  `json:"xdp"`     // of Packets, from interfaces of relay.xdp
	SendCalls     uint64  `json:"send_calls"`
	KernelDropped uint64  `json:"kernel_dropped"`
}

func (s *Server) relay(w http.ResponseWriter, _ *http.Request) {
	answer(w, http.StatusOK, s.cfg.Gateway.Relay())
}

func (s *Server) pinholes(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	f, err := filterOf(q)
	if err != nil {
		refuse(w, http.StatusBadRequest, err.Error())
		return
	}
	page := struct {
		Total    int       `json:"total"` // that the filter lets pass
		Pinholes []Pinhole `json:"pinholes"`
	}{Pinholes: []Pinhole{}}
	for _, p := range s.cfg.Gateway.Pinholes() {
		if id := q.Get("session"); id != "" && p.Session != id || !strings.HasPrefix(p.Local, q.Get("local")) {
			continue
		}
		if page.Total++; page.Total > f.offset && len(page.Pinholes) < f.limit {
			page.Pinholes = append(page.Pinholes, p)
		}
	}
	answer(w, http.StatusOK, page)
}

// logLevel tells what is logged.
func (s *Server) logLevel(w http.ResponseWriter, _ *http.Request) {
	answer(w, http.StatusOK, map[string]string{"level": s.cfg.Level.String()})
}

// setLogLevel changes what is logged until the program ends: PUT ?level=debug.
func (s *Server) setLogLevel(w http.ResponseWriter, r *http.Request) {
	if err := s.cfg.Level.UnmarshalText([]byte(r.URL.Query().Get("level"))); err != nil {
		refuse(w, http.StatusBadRequest, "level "+r.URL.Query().Get("level")+" is not known; there are debug, info, warn and error")
		return
	}
	w.WriteHeader(http.StatusNoContent)
}
