package admin

import "net/http"

func (s *Server) nodes(w http.ResponseWriter, _ *http.Request) {
	all := s.cfg.Gateway.Nodes()
	if all == nil {
		all = []Node{}
	}
	answer(w, http.StatusOK, map[string][]Node{"nodes": all})
}

func (s *Server) drain(w http.ResponseWriter, r *http.Request)  { s.order(w, r, true) }
func (s *Server) enable(w http.ResponseWriter, r *http.Request) { s.order(w, r, false) }

func (s *Server) order(w http.ResponseWriter, r *http.Request, on bool) {
	if err := s.cfg.Gateway.Drain(r.PathValue("pool"), r.PathValue("node"), on); err != nil {
		fail(w, err)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}
