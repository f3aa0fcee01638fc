package httpfallback

import "mediagate/internal/capture"

// beginTap begins to keep the evidence of a session.
func (p *Proxy) beginTap(s *session, ex *exchange) *capture.Session {
	about := capture.About{ID: s.rec.ID, Protocol: "http", VirtualServer: p.cfg.VirtualServer, Client: ex.link.client, Local: ex.link.local}
	if ex.link.conn.secure {
		about.Clear = "TLS, shown without it"
	}
	tap := p.cfg.Book.Begin(about)
	tap.Learn(capture.Facts{URL: s.rec.URL, UserAgent: s.rec.UserAgent})
	return tap
}

// tap says whose the bytes of a request's connection are: its head has come before anybody knew.
func (p *Proxy) tap(ex *exchange) {
	ex.link.tap.Store(ex.session.tap)
	ex.link.conn.tap.Move(ex.session.tap)
}
