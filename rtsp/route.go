package rtsp

import (
	"strings"

	"go.uber.org/zap"

	"mediagate/rtsp/rtspwire"
)

// route chooses the session's pool by the first URL that says where to. An OPTIONS may not: then it is answered by the
// pool for everything else, and the next request may still lead to another.
func (s *session) route(ex *exchange) {
	if s.routed || s.proxy.cfg.Route == nil {
		return
	}
	host, path, named := hostAndPath(ex.in.URL)
	s.routed = ex.in.Method != methodOptions || named && path != "/"
	pool := s.proxy.cfg.Route(host, path)
	if pool == nil {
		pool = s.proxy.cfg.Pool
	}
	if pool == s.pool {
		return
	}
	s.log.Debug("routed", zap.String("pool", pool.Name()))
	s.closeOrigin() // of the pool before, which answered for nothing but itself
	s.pool, s.prefer, s.tried = pool, "", nil
}

// hostAndPath cuts a URL, absolute or a path alone; ok is false for anything else.
func hostAndPath(url string) (host, path string, ok bool) {
	if strings.HasPrefix(url, "/") {
		return "", url, true
	}
	start, end, ok := rtspwire.Authority(url)
	if !ok {
		return "", "", false
	}
	host, _, ok = rtspwire.SplitHostPort(url[start:end])
	path = url[end:]
	if !strings.HasPrefix(path, "/") {
		path = "/" + path // RFC 3986, section 6.2.3: an empty path is the root
	}
	return host, path, ok
}
