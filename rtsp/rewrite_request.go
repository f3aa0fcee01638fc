package rtsp

import (
	"strconv"
	"strings"

	"mediagate/rtsp/rtspwire"
)

// rewriteRequest makes what the origin gets of a client's request. The client's own stays whole.
func (s *session) rewriteRequest(ex *exchange) *rtspwire.Request {
	out := ex.in.Clone()
	out.URL = s.requestURL(ex.in)
	for i := range fieldTable { // not the fields themselves: Edit edits all of a name, and twice would be wrong
		switch name := fieldTable[i].name; fieldTable[i].request {
		case rewriteURL:
			out.Header.Edit(name, s.urls.toOrigin)
		case rewriteList:
			out.Header.Edit(name, func(v string) string { return editInfoURLs(v, s.urls.toOrigin) })
		}
	}
	out.Header.Set("CSeq", strconv.FormatUint(uint64(ex.number), 10))
	if ex.session != nil {
		out.Header.Edit("Session", func(v string) string { return withSessionID(v, ex.session.origin) })
	}
	if ex.setup != nil {
		out.Header.Set("Transport", s.offer(ex.setup).String())
	}
	s.introduce(ex.in, out)
	s.rewriteRequestBody(out)
	return out
}

// requestURL maps the request URL, unless the request carries a Digest over it: the player signed the URL as it knows it
// (RFC 2617, section 3.2.2.5), a strict origin compares the two, and one that is not strict uses the signed one.
func (s *session) requestURL(in *rtspwire.Request) string {
	for _, credentials := range in.Header.Values("Authorization") {
		if signed, ok := digestURI(credentials); ok {
			if _, _, absolute := rtspwire.Authority(signed); absolute {
				return in.URL
			}
		}
	}
	return s.urls.toOrigin(in.URL)
}

// digestURI finds the uri directive of Digest credentials (RFC 2617, section 3.2.2).
func digestURI(credentials string) (string, bool) {
	scheme, rest, ok := strings.Cut(strings.TrimSpace(credentials), " ")
	if !ok || !strings.EqualFold(scheme, "Digest") {
		return "", false
	}
	for rest != "" {
		name, after, ok := strings.Cut(rest, "=")
		if !ok {
			return "", false
		}
		value := ""
		if after = strings.TrimLeft(after, " \t"); strings.HasPrefix(after, `"`) {
			value, rest = cutQuoted(after[1:])
			_, rest, _ = strings.Cut(rest, ",")
		} else {
			value, rest, _ = strings.Cut(after, ",")
		}
		if strings.EqualFold(strings.Trim(name, ", \t"), "uri") {
			return strings.TrimSpace(value), true
		}
	}
	return "", false
}

// cutQuoted reads a quoted-string after its opening quote (RFC 2326, section 15.1) and returns what follows the closing one.
func cutQuoted(s string) (value, rest string) {
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case '"':
			return s[:i], s[i+1:]
		}
	}
	return s, ""
}

// offer is the alternative in hand as the origin gets it: with our ports, or channels that are free there, and without a
// destination, since the media comes to us.
func (s *session) offer(plan *setupPlan) *rtspwire.TransportSpec {
	spec := plan.offers[0].Clone()
	spec.DelParam("destination")
	m := plan.media
	if m.use == nil {
		if _, _, ok := spec.Channels(); ok {
			spec.SetParam("interleaved", channelText(m.originChannels))
		}
		return spec
	}
	asked, _ := clientPorts(spec)
	spec.SetParam("client_port", portText(m.use.flow.OriginPair(), asked.Pair))
	return spec
}

// introduce adds what a relaying proxy says of itself and of the player ([MS-RTSP] 3.1.5.1): Via MUST, the player's verb
// SHOULD, the player's name MUST be there, and the name an earlier proxy gave stays.
func (s *session) introduce(in, out *rtspwire.Request) {
	if !in.Header.Has("X-Proxy-Client-Verb") {
		out.Header.Add("X-Proxy-Client-Verb", in.Method)
	}
	if agent := in.Header.Get("User-Agent"); agent != "" && !in.Header.Has("X-Proxy-Client-Agent") {
		out.Header.Add("X-Proxy-Client-Agent", agent)
	}
	out.Header.Add("Via", s.proxy.via)
}

// rewriteRequestBody maps the URLs in bodies that are known to carry them.
func (s *session) rewriteRequestBody(out *rtspwire.Request) {
	if len(out.Body) == 0 {
		return
	}
	switch mediaType(out.Header.Get("Content-Type")) {
	case "application/sdp": // ANNOUNCE of a publisher
		sdp := rtspwire.ParseSDP(out.Body)
		s.described.note(sdp)
		sdp.EditControl(func(_ int, url string) string { return s.urls.toOrigin(url) })
		setBody(out.Body, sdp.Append(nil), out.SetBody)
	case "application/x-wms-streamswitch":
		// [MS-RTSP] 2.2.7.10: "SSEntry: old new thin [old-URI] [new-URI]"
		setBody(out.Body, []byte(mapWords(string(out.Body), s.urls.toOrigin)), out.SetBody)
	}
}

// setBody replaces a body only if it differs, so that an unchanged message keeps its Content-Length as written.
func setBody(old, edited []byte, set func([]byte)) {
	if string(old) != string(edited) {
		set(edited)
	}
}

// mapWords maps each word of text that is an absolute URL; everything between the words stays.
func mapWords(text string, f func(string) string) string {
	var b strings.Builder
	for text != "" {
		n := strings.IndexAny(text, " \t\r\n")
		switch n {
		case -1:
			n = len(text)
		case 0:
			b.WriteByte(text[0])
			text = text[1:]
			continue
		}
		b.WriteString(f(text[:n]))
		text = text[n:]
	}
	return b.String()
}

// mediaType is a Content-Type without its parameters, in lower case.
func mediaType(value string) string {
	t, _, _ := strings.Cut(value, ";")
	return strings.ToLower(strings.TrimSpace(t))
}

// editInfoURLs maps the stream URLs of an RTP-Info or X-RTP-Info value.
func editInfoURLs(value string, f func(string) string) string {
	info := rtspwire.ParseRTPInfo(value)
	for _, e := range info {
		if u := e.URL(); u != "" {
			e.SetURL(f(u))
		}
	}
	return info.String()
}
