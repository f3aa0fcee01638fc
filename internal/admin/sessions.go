package admin

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"time"

	"mediagate/internal/sessionlog"
)

const (
	lookWithin = 2 * time.Second // for the sessions to tell of themselves
	pageOf     = 100             // sessions in an answer, unless limit says otherwise
	maxPage    = 1000
)

// filter is which sessions are asked for; an empty field lets all pass.
type filter struct {
	protocol, node, url string
	client              netip.Prefix
	limit, offset       int
}

func filterOf(q url.Values) (f filter, err error) {
	f = filter{protocol: q.Get("protocol"), node: q.Get("node"), url: q.Get("url"), limit: pageOf}
	if text := q.Get("client"); text != "" {
		if f.client, err = prefixOf(text); err != nil {
			return f, err
		}
	}
	for name, to := range map[string]*int{"limit": &f.limit, "offset": &f.offset} {
		if text := q.Get(name); text != "" {
			n, err := strconv.ParseUint(text, 10, 31)
			if err != nil {
				return f, fmt.Errorf("%s %q is no number", name, text)
			}
			*to = int(n)
		}
	}
	f.limit = min(f.limit, maxPage)
	return f, nil
}

func prefixOf(text string) (netip.Prefix, error) {
	if a, err := netip.ParseAddr(text); err == nil {
		return netip.PrefixFrom(a, a.BitLen()), nil
	}
	p, err := netip.ParsePrefix(text)
	if err != nil {
		return p, fmt.Errorf("client %q is neither an address nor a network such as 198.51.100.0/24", text)
	}
	return p, nil
}

func (f filter) passes(r *sessionlog.Record) bool {
	return (f.protocol == "" || r.Protocol == f.protocol) && (f.node == "" || r.Node == f.node) &&
		strings.Contains(r.URL, f.url) && (!f.client.IsValid() || f.client.Contains(r.Client.Addr().Unmap()))
}

func (s *Server) sessions(w http.ResponseWriter, r *http.Request) {
	f, err := filterOf(r.URL.Query())
	if err != nil {
		refuse(w, http.StatusBadRequest, err.Error())
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), lookWithin)
	defer cancel()
	page := struct {
		Total    int               `json:"total"` // that the filter lets pass
		Sessions []json.RawMessage `json:"sessions"`
	}{Sessions: []json.RawMessage{}}
	for _, rec := range s.cfg.Gateway.Sessions(ctx) {
		if !f.passes(rec) {
			continue
		}
		if page.Total++; page.Total <= f.offset || len(page.Sessions) >= f.limit {
			continue
		}
		b, err := rec.Append(nil)
		if err != nil {
			fail(w, err)
			return
		}
		page.Sessions = append(page.Sessions, b)
	}
	answer(w, http.StatusOK, page)
}

func (s *Server) session(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), lookWithin)
	defer cancel()
	rec := s.cfg.Gateway.Session(ctx, r.PathValue("id"))
	if rec == nil {
		fail(w, ErrUnknown)
		return
	}
	b, err := rec.Append(nil)
	if err != nil {
		fail(w, err)
		return
	}
	answer(w, http.StatusOK, json.RawMessage(b))
}

func (s *Server) kill(w http.ResponseWriter, r *http.Request) {
	by := "admin API"
	if r.RemoteAddr != "" && r.RemoteAddr != "@" {
		by += " from " + r.RemoteAddr
	}
	if !s.cfg.Gateway.Kill(r.PathValue("id"), by) {
		fail(w, ErrUnknown)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}
