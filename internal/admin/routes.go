package admin

import (
	_ "embed"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/pprof"
)

//go:embed openapi.yaml
var paper []byte

// route is one that the paper describes too.
type route struct {
	pattern string // method and path, as http.ServeMux has them
	serve   http.HandlerFunc
}

// table is every route but those of pprof.
func (s *Server) table() []route {
	return []route{
		{"GET /healthz", s.health},
		{"GET /readyz", s.ready},
		{"GET /api/v1/version", s.version},
		{"GET /api/v1/sessions", s.sessions},
		{"GET /api/v1/sessions/{id}", s.session},
		{"DELETE /api/v1/sessions/{id}", s.kill},
		{"GET /api/v1/sessions/{id}/trace", s.traceText},
		{"PUT /api/v1/sessions/{id}/trace", s.traceOn},
		{"DELETE /api/v1/sessions/{id}/trace", s.traceOff},
		{"GET /api/v1/sessions/{id}/capture", s.capture},
		{"GET /api/v1/nodes", s.nodes},
		{"PUT /api/v1/pools/{pool}/nodes/{node}/drain", s.drain},
		{"DELETE /api/v1/pools/{pool}/nodes/{node}/drain", s.enable},
		{"GET /api/v1/viewers", s.viewers},
		{"GET /api/v1/configuration", s.configuration},
		{"GET /api/v1/pinholes", s.pinholes},
		{"GET /api/v1/relay", s.relay},
		{"GET /api/v1/log-level", s.logLevel},
		{"PUT /api/v1/log-level", s.setLogLevel},
		{"GET /metrics", s.metrics},
		{"GET /api/openapi.yaml", s.paper},
	}
}

func (s *Server) routes() http.Handler {
	mux := http.NewServeMux()
	for _, r := range s.table() {
		mux.HandleFunc(r.pattern, r.serve)
	}
	mux.HandleFunc("GET /debug/pprof/", long(pprof.Index))
	mux.HandleFunc("GET /debug/pprof/cmdline", pprof.Cmdline)
	mux.HandleFunc("GET /debug/pprof/profile", long(pprof.Profile))
	mux.HandleFunc("GET /debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("GET /debug/pprof/trace", long(pprof.Trace))
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) {
		refuse(w, http.StatusNotFound, "there is no such page; GET /api/openapi.yaml describes all")
	})
	return mux
}

func (s *Server) health(w http.ResponseWriter, _ *http.Request) {
	answer(w, http.StatusOK, map[string]string{"status": "ok"})
}

func (s *Server) ready(w http.ResponseWriter, _ *http.Request) {
	if err := s.cfg.Gateway.Ready(); err != nil {
		refuse(w, http.StatusServiceUnavailable, err.Error())
		return
	}
	answer(w, http.StatusOK, map[string]string{"status": "ready"})
}

func (s *Server) version(w http.ResponseWriter, _ *http.Request) {
	answer(w, http.StatusOK, map[string]string{"version": s.cfg.Version})
}

func (s *Server) metrics(w http.ResponseWriter, r *http.Request) { s.cfg.Metrics.ServeHTTP(w, r) }

func (s *Server) paper(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/yaml")
	_, _ = w.Write(paper) // who is gone needs no answer
}

// answer writes v as JSON.
func answer(w http.ResponseWriter, status int, v any) {
	b, err := json.Marshal(v)
	if err != nil {
		status, b = http.StatusInternalServerError, []byte(`{"error":"the answer cannot be written as JSON"}`)
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(append(b, '\n')) // as above
}

// refuse writes why a request is not served.
func refuse(w http.ResponseWriter, status int, why string) {
	answer(w, status, map[string]string{"error": why})
}

// fail answers with an error of the gateway.
func fail(w http.ResponseWriter, err error) {
	status := http.StatusInternalServerError
	switch {
	case errors.Is(err, ErrUnknown):
		status = http.StatusNotFound
	case errors.Is(err, ErrFull):
		status = http.StatusServiceUnavailable
	case errors.Is(err, ErrNowhere):
		status = http.StatusConflict
	}
	refuse(w, status, err.Error())
}
