package decode

import (
	"fmt"
	"net/netip"
	"strings"
	"time"
)

// httpTalk is a conversation of HTTP: Windows Media streaming ([MS-WMSP]), half of a tunnel, or nothing of ours.
type httpTalk struct {
	d      *decoder
	conv   *Conversation
	sides  [2]httpSide
	asked  []httpHead // requests that wait for an answer
	ours   bool
	none   bool
	tunnel *rtspTalk
	post   bool // this is the half by which the client speaks
	code   unbase64
	media  *Media
	flow   *Flow
	frames wmspReader
	headed bool // of the ASF header a line has told
}

type httpSide struct {
	head   []byte // of a message that is not whole
	began  time.Time
	body   httpBody
	inBody bool
	framed bool // the body is Windows Media
	lost   bool
}

// tunnelKey says which two connections are one tunnel.
type tunnelKey struct {
	cookie string
	client netip.Addr
	server netip.AddrPort
}

func newHTTP(d *decoder, c *Conversation) *httpTalk {
	t := &httpTalk{d: d, conv: c}
	for i := range t.sides {
		t.sides[i].lost = !c.begun
	}
	return t
}

func (t *httpTalk) dull() bool { return t.none }

func (t *httpTalk) gap(side, n int, at time.Time) {
	if t.tunnel != nil {
		t.tunnel.gap(side, n, at)
		t.code = unbase64{}
		return
	}
	s := &t.sides[side]
	framed := s.framed
	*s = httpSide{lost: true}
	if t.frames = (wmspReader{lost: true}); framed && side == server {
		*s = httpSide{inBody: true, framed: true, body: httpBody{left: -1}}
	}
	if t.ours {
		t.d.missing(t.conv, side, n, at)
	}
}

func (t *httpTalk) close(side int, at time.Time) {
	if t.tunnel != nil && t.post == (side == client) {
		t.tunnel.close(side, at)
	}
	t.sides[side].head = nil
	if t.ours && t.frames.partial() && side == server && t.tunnel == nil {
		t.frames = wmspReader{}
		t.d.message(t.conv, side, "note", "the connection ends within a packet", nil, at)
	}
}

func (t *httpTalk) data(side int, b []byte, at time.Time) {
	s := &t.sides[side]
	for len(b) > 0 && !t.none {
		if s.inBody {
			piece, rest := s.body.next(b)
			if len(piece) > 0 {
				t.content(side, piece, at)
			}
			if s.body.over {
				s.inBody, s.framed = false, false
			}
			b = rest
			continue
		}
		b = t.heads(side, b, at)
	}
}

// heads collects the head of a message and returns what follows it.
func (t *httpTalk) heads(side int, b []byte, at time.Time) []byte {
	s := &t.sides[side]
	if s.lost {
		_, _, i := recognizeLater(b)
		if b = b[i:]; !atMessage(b) {
			return nil
		}
		s.lost = false
	}
	if len(s.head) == 0 {
		for len(b) > 0 && (b[0] == '\r' || b[0] == '\n') {
			b = b[1:]
		}
		s.began = at
	}
	had := len(s.head)
	s.head = append(s.head, b[:min(len(b), maxHead)]...)
	n := headEnd(s.head)
	switch {
	case n == 0 && len(s.head) > maxHead:
		t.none = !t.ours // not HTTP, or not as we know it
		s.head, s.lost = nil, true
		return nil
	case n == 0:
		return nil
	}
	h, ok := parseHead(s.head[:n])
	s.head = nil
	if !ok {
		s.lost = true
		return b[n-had:]
	}
	if h.status > 0 {
		t.answer(side, &h)
	} else {
		t.request(side, &h)
	}
	return b[n-had:]
}

// request takes the head of a request.
func (t *httpTalk) request(side int, h *httpHead) {
	s := &t.sides[side]
	s.inBody, s.body = true, h.body("")
	if len(t.asked) < maxAsked {
		t.asked = append(t.asked, *h)
	}
	cookie := h.get("x-sessioncookie")
	agent := strings.ToLower(h.get("User-Agent"))
	switch {
	case cookie != "":
		t.join(cookie, h, s.began)
	case strings.HasPrefix(agent, "nsplayer"), strings.HasPrefix(agent, "nsserver"), h.hasPragma("xclientguid"), h.hasPragma("xplaystrm"):
		t.claim()
	}
	if !t.ours {
		return
	}
	t.tell(side, "request", h, s.began)
	c := t.conv
	if c.URL == "" {
		c.URL = clean("http://"+h.get("Host")+h.target, 1024)
	}
	if c.Player == "" {
		c.Player = clean(h.get("User-Agent"), 128)
	}
	if h.hasPragma("xplaystrm=1") {
		t.play()
	}
	if t.post && t.tunnel != nil {
		s.body = httpBody{left: -1} // its length is no promise
	}
}

// claim takes the conversation into the report.
func (t *httpTalk) claim() {
	if !t.ours {
		t.ours = true
		t.none = !t.d.report(t.conv)
	}
}

// answer takes the head of an answer.
func (t *httpTalk) answer(side int, h *httpHead) {
	s := &t.sides[side]
	var q httpHead
	if len(t.asked) > 0 && h.status >= 200 {
		q = t.asked[0]
		t.asked = t.asked[1:]
	}
	s.inBody, s.body = true, h.body(q.method)
	kind := strings.ToLower(h.get("Content-Type"))
	s.framed = strings.HasPrefix(kind, "application/x-mms-framed") || strings.HasPrefix(kind, "application/vnd.ms.wms-hdr.asfv1") ||
		strings.HasPrefix(kind, "application/octet-stream") && t.ours
	if s.framed || strings.HasPrefix(strings.ToLower(h.get("Server")), "cougar") {
		t.claim()
	}
	if !t.ours {
		t.none = true
		return
	}
	if t.conv.Software == "" {
		t.conv.Software = clean(h.get("Server"), 128)
	}
	t.tell(side, "response", h, s.began)
	if h.status >= 400 {
		t.d.refused(t.conv, h.status, q.method, clean(q.target, 512))
	}
	if t.tunnel != nil && !t.post && h.status == 200 {
		s.body = httpBody{left: -1}
	}
	if t.media != nil && h.status == 200 && s.framed && t.media.Played == nil {
		at := s.began
		t.media.Played = &at
	}
	t.frames = wmspReader{}
}

// httpMatters are the fields of HTTP that say something here.
var httpMatters = map[string]bool{
	"host": true, "user-agent": true, "server": true, "pragma": true, "content-type": true, "content-length": true,
	"transfer-encoding": true, "location": true, "supported": true, "x-accept-authentication": true, "authorization": true,
	"www-authenticate": true, "proxy-authenticate": true, "proxy-authorization": true, "connection": true, "via": true,
	"x-sessioncookie": true, "accept": true, "range": true, "retry-after": true,
}

func (t *httpTalk) tell(side int, kind string, h *httpHead, at time.Time) {
	var fields []Field
	for _, f := range h.fields {
		lower := strings.ToLower(f.Name)
		if !httpMatters[lower] || len(fields) >= maxFields || lower == "accept" && t.tunnel == nil {
			continue
		}
		if f = (Field{clean(f.Name, 64), clean(f.Value, maxValue)}); strings.HasSuffix(lower, "authorization") {
			f.Value = maskCredentials(f.Value)
		}
		fields = append(fields, f)
	}
	if m := meaningOf(h.status, h.method); m != "" && kind == "response" {
		fields = append(fields, Field{"meaning", m})
	}
	conv := t.conv
	if t.tunnel != nil {
		conv = t.tunnel.conv
	}
	t.d.message(conv, side, kind, clean(h.line, 1100), fields, at)
}

// join makes this connection a half of a tunnel: of a new one, or of the one that its other half has begun.
func (t *httpTalk) join(cookie string, h *httpHead, at time.Time) {
	key := tunnelKey{clean(cookie, 128), t.conv.Client.Addr(), t.conv.Server}
	t.post = h.method == "POST"
	talk := t.d.tunnels[key]
	if talk != nil && talk.conv != t.conv && (talk.conv.closed || talk.got && !t.post) {
		talk = nil // the cookie is used again
	}
	if talk == nil {
		if len(t.d.tunnels) >= t.d.lim.Connections {
			return
		}
		t.conv.Protocol, t.conv.begun = "rtsp-http", true
		talk = newRTSP(t.d, t.conv)
		t.d.tunnels[key] = talk
		t.claim()
	} else if talk.conv != t.conv {
		if len(talk.conv.Joined) < 16 { // players may send each request by a POST of its own
			talk.conv.Joined = append(talk.conv.Joined, t.conv.Client)
		}
		t.conv = talk.conv
	}
	talk.got = talk.got || !t.post
	t.tunnel, t.ours = talk, true
}

// content takes a piece of a body.
func (t *httpTalk) content(side int, b []byte, at time.Time) {
	switch {
	case t.tunnel != nil && t.post && side == client:
		out, err := t.code.decode(append([]byte(nil), b...))
		t.tunnel.data(client, out, at)
		if err != nil {
			t.d.message(t.tunnel.conv, client, "note", fmt.Sprintf("not readable as base64: %v", err), nil, at)
			t.code = unbase64{}
		}
	case t.tunnel != nil && !t.post && side == server:
		t.tunnel.data(server, b, at)
	case t.tunnel == nil && side == server && t.sides[side].framed:
		t.framed(b, at)
	}
}
