package rtsp

import (
	"net/netip"

	"mediagate/rtsp/rtspwire"
)

// rewriteResponse makes what the client gets of the origin's answer. rs is the RTSP session that the answer is about.
func (s *session) rewriteResponse(ex *exchange, resp *rtspwire.Response, rs *rtspSession) *rtspwire.Response {
	out := resp.Clone()
	s.rewriteOriginFields(&out.Header)
	out.Header.Set("CSeq", ex.cseq)
	if resp.Header.Has("Session") {
		if rs != nil {
			out.Header.Edit("Session", func(v string) string { return withSessionID(v, rs.id) })
		} else {
			out.Header.Del("Session") // of a session that we do not have: the ID would only mislead
		}
	}
	if mediaType(resp.Header.Get("Content-Type")) == "application/sdp" {
		setBody(resp.Body, s.rewriteSDP(resp.Body), out.SetBody)
	}
	return out
}

// rewriteOriginFields maps the URLs in the fields of a message from the origin.
func (s *session) rewriteOriginFields(out *rtspwire.Header) {
	for i := range fieldTable {
		switch name := fieldTable[i].name; fieldTable[i].response {
		case rewriteURL:
			out.Edit(name, func(url string) string {
				if name == "Location" && !s.namesNode(url) {
					return url // a redirect to somebody else is the player's to follow
				}
				return s.urls.toClient(url)
			})
		case rewriteList:
			out.Edit(name, func(v string) string { return editInfoURLs(v, s.urls.toClient) })
		}
	}
}

// namesNode says that a URL leads to a node of the pool, or to nowhere else than the origin itself.
func (s *session) namesNode(url string) bool {
	start, end, ok := rtspwire.Authority(url)
	if !ok || url[start:end] == s.urls.origin {
		return true
	}
	_, known := s.nodeOf(url)
	return known
}

// rewriteSDP maps the control URLs of both levels (RFC 2326, appendix C.1.1), and the address of c= lines where it is the
// origin's own; a 0.0.0.0 or multicast address stays, and o= is an identity, not an address to send to (trap 5).
func (s *session) rewriteSDP(body []byte) []byte {
	sdp := rtspwire.ParseSDP(body)
	sdp.EditControl(func(_ int, url string) string { return s.urls.toClient(url) })
	sdp.EditConnection(func(_ int, text string) string {
		if addr, err := netip.ParseAddr(text); err == nil {
			if _, known := s.pool.Node(addr.Unmap()); known && addr.Unmap().Is4() == s.local.Addr().Is4() {
				return s.local.Addr().WithZone("").String()
			}
		}
		return text
	})
	s.described.note(sdp)
	return sdp.Append(nil)
}
