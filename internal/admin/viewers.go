package admin

import (
	"net/http"
	"time"

	"mediagate/internal/sessionlog"
)

// Viewer is a player that was here of late, over whatever protocols it has tried.
type Viewer struct {
	ID       string            `json:"id"`       // Record.Viewer
	Sessions int               `json:"sessions"` // that run
	Node     string            `json:"node"`     // that it has met last
	Heard    time.Time         `json:"heard"`
	Steps    []sessionlog.Step `json:"steps"` // sessions that failed since one went well, oldest first
}

func (s *Server) viewers(w http.ResponseWriter, r *http.Request) {
	f, err := filterOf(r.URL.Query())
	if err != nil {
		refuse(w, http.StatusBadRequest, err.Error())
		return
	}
	all := s.cfg.Gateway.Viewers()
	page := struct {
		Total   int      `json:"total"`
		Viewers []Viewer `json:"viewers"`
	}{Total: len(all), Viewers: []Viewer{}}
	if f.offset < len(all) {
		page.Viewers = append(page.Viewers, all[f.offset:min(len(all), f.offset+f.limit)]...)
	}
	answer(w, http.StatusOK, page)
}

// configuration is what the program runs with, every default filled in.
func (s *Server) configuration(w http.ResponseWriter, _ *http.Request) {
	text, err := s.cfg.Gateway.Configuration()
	if err != nil {
		fail(w, err)
		return
	}
	w.Header().Set("Content-Type", "application/yaml")
	_, _ = w.Write(text) // who is gone needs no answer
}
