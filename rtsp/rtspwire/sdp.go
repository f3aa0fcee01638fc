package rtspwire

// SDP is a session description as a list of lines.
type SDP struct{ raw string }

// SDPMedia is what a gateway wants to know of one media description.
type SDPMedia struct {
	Type, Protocol, Control string
	Port                    int
}

// ParseSDP reads a body.
func ParseSDP(body []byte) *SDP { return &SDP{raw: string(body)} }

// Append writes the description to the end of b.
func (s *SDP) Append(b []byte) []byte { return append(b, s.raw...) }

// EditControl calls f for each control URL.
func (s *SDP) EditControl(f func(media int, url string) string) {}

// EditConnection calls f for each connection address.
func (s *SDP) EditConnection(f func(media int, addr string) string) {}

// Medias lists the media descriptions.
func (s *SDP) Medias() []SDPMedia { return nil }
