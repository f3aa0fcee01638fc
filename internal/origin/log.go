package origin

import "net/netip"

// Log is what an origin saw, for tests to look at.
type Log struct {
	Requests []Request
	Nacks    []Nack
	// Sessions is the number of sessions that are open now.
	Sessions int
}

// Request is one RTSP request that came from a client, or a response of a client to a request of ours (Method is
// then empty).
type Request struct {
	Method, URL, CSeq, Session, Transport, UserAgent string
	// Client is the far end of the TCP connection.
	Client netip.AddrPort
	// Header is the whole header, field name to values.
	Header map[string][]string
	// Status is what was answered.
	Status int
}

// Nack is one resend request of a client. [MS-RTSP] 2.2.4.
type Nack struct {
	From      netip.AddrPort
	CNAME     string
	Sequences []uint16
	// Resent is how many packets were sent again for it.
	Resent int
}
