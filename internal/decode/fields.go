package decode

import (
	"fmt"
	"strings"

	"mediagate/rtsp/rtspwire"
)

const (
	maxValue  = 400 // bytes of a field that are shown
	maxFields = 48  // of a message
)

// rtspMatters are the fields of RTSP that say something to somebody who looks for a fault. RFC 2326, section 12;
// [MS-RTSP] 2.2.6.
var rtspMatters = map[string]bool{
	"cseq": true, "session": true, "transport": true, "range": true, "scale": true, "speed": true, "rtp-info": true,
	"content-base": true, "content-type": true, "content-length": true, "location": true, "public": true, "allow": true,
	"require": true, "proxy-require": true, "unsupported": true, "supported": true, "www-authenticate": true,
	"proxy-authenticate": true, "authorization": true, "proxy-authorization": true, "user-agent": true, "server": true,
	"connection": true, "retry-after": true, "via": true, "x-notice": true, "x-playlist-gen-id": true,
	"x-playlist-seek-id": true, "x-receivebufferingtime": true, "x-accelerate-streaming": true, "x-player-lag-time": true,
	"x-accept-dynamic-rate": true, "x-rtp-info": true, "blocksize": true, "bandwidth": true,
}

// rtspFields picks the fields that matter, in the order of the message.
func rtspFields(h *rtspwire.Header) []Field {
	var out []Field
	for name, value := range h.All() {
		if len(out) >= maxFields {
			break
		}
		lower := strings.ToLower(name)
		if !rtspMatters[lower] || value == "" {
			continue
		}
		f := Field{clean(name, 64), clean(value, maxValue)}
		if strings.HasSuffix(lower, "authorization") {
			f.Value = maskCredentials(value)
		}
		out = append(out, f)
		if lower == "transport" {
			out = append(out, transportFields(value)...)
		}
	}
	return out
}

// maskCredentials leaves of an Authorization field what may be shown: the scheme, and the parameters of a Digest without
// its response (RFC 7616, section 3.4).
func maskCredentials(value string) string {
	scheme, rest, _ := strings.Cut(strings.TrimSpace(value), " ")
	if !strings.EqualFold(scheme, "Digest") {
		return clean(scheme, 32) + " ***"
	}
	var kept []string
	for part := range strings.SplitSeq(rest, ",") {
		name, _, _ := strings.Cut(part, "=")
		switch strings.ToLower(strings.TrimSpace(name)) {
		case "username", "realm", "uri", "qop", "algorithm", "nc":
			kept = append(kept, strings.TrimSpace(part))
		case "response":
			kept = append(kept, "response=***")
		}
	}
	return clean("Digest "+strings.Join(kept, ", "), maxValue)
}

// transportFields says in words what a Transport field says.
func transportFields(value string) []Field {
	specs, err := rtspwire.ParseTransport(value)
	if err != nil {
		return []Field{{"= transport", "not readable: " + clean(err.Error(), 120)}}
	}
	var out []Field
	for i, s := range specs {
		if i == 8 {
			break
		}
		out = append(out, Field{"= transport", transportText(s)})
	}
	return out
}

func transportText(s *rtspwire.TransportSpec) string {
	words := []string{map[rtspwire.Lower]string{rtspwire.LowerUDP: "media over UDP", rtspwire.LowerTCP: "media in this connection",
		rtspwire.LowerOther: "media over something else"}[s.Lower()]}
	if s.Multicast() {
		words[0] += " multicast"
	}
	for _, p := range []struct{ name, text string }{{"client_port", "to client %s"}, {"port", "to %s"}, {"server_port", "from server %s"}} {
		if r, ok := s.Ports(p.name); ok {
			words = append(words, fmt.Sprintf(p.text, portText(r)))
		}
	}
	if lo, hi, ok := s.Channels(); ok {
		words = append(words, fmt.Sprintf("channels %d and %d", lo, hi))
	}
	for _, name := range []string{"destination", "source", "ssrc", "mode"} {
		if v, ok := s.Param(name); ok && v != "" {
			words = append(words, name+" "+clean(v, 64))
		}
	}
	return strings.Join(words, ", ")
}

func portText(r rtspwire.PortRange) string {
	switch {
	case !r.Pair:
		return fmt.Sprintf("port %d", r.Lo)
	case r.Hi == r.Lo+1:
		return fmt.Sprintf("ports %d (RTP) and %d (RTCP)", r.Lo, r.Hi)
	}
	return fmt.Sprintf("ports %d and %d", r.Lo, r.Hi)
}

// bodyFields says what is in a body.
func bodyFields(h *rtspwire.Header, body []byte) []Field {
	kind := strings.ToLower(h.Get("Content-Type"))
	switch {
	case len(body) == 0:
		return nil
	case strings.HasPrefix(kind, "application/sdp"):
		return sdpFields(body)
	case strings.HasPrefix(kind, "text/"):
		first, _, _ := strings.Cut(strings.TrimSpace(string(body[:min(len(body), maxValue)])), "\n")
		return []Field{{"= body", clean(strings.TrimSpace(first), maxValue)}}
	}
	return nil
}

// sdpFields are the media of a description, one a line.
func sdpFields(body []byte) []Field {
	sdp := rtspwire.ParseSDP(body)
	var out []Field
	for i, m := range sdp.Medias() {
		if i == 16 {
			break
		}
		text := clean(m.Type, 32) + " " + clean(m.Protocol, 32)
		if m.Encoding != "" {
			text += " " + clean(m.Encoding, 32)
		}
		if m.Control != "" {
			text += ", control " + clean(m.Control, 128)
		}
		out = append(out, Field{"= media", text})
	}
	return out
}
