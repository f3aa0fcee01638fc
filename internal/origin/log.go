package origin

import (
	"maps"
	"net/netip"
	"slices"
	"sync"

	"github.com/bluenviron/gortsplib/v4/pkg/base"
)

// maxLog bounds what an origin remembers; a long-lived one forgets the oldest.
const maxLog = 4096

// Log is what an origin saw, for tests to look at.
type Log struct {
	Requests []Request
	Nacks    []Nack
	// Sessions is the number of sessions that are open now.
	Sessions int
}

// Request is one RTSP request that came from a client, or the response of a client to a request of ours: Method is then
// empty and Status the client's.
type Request struct {
	Method, URL, CSeq, Session, Transport, UserAgent string
	// Client is the far end of the TCP connection.
	Client netip.AddrPort
	// Header is the whole header, canonical field name to values.
	Header map[string][]string
	// Body is the message's body.
	Body string
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

// recorder collects a Log.
type recorder struct {
	mu  sync.Mutex
	log Log
}

func (r *recorder) request(q Request) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.log.Requests = keep(append(r.log.Requests, q))
}

func (r *recorder) nack(n Nack) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.log.Nacks = keep(append(r.log.Nacks, n))
}

// keep drops the older half of what has grown too long.
func keep[T any](s []T) []T {
	if len(s) <= maxLog {
		return s
	}
	return slices.Clone(s[len(s)/2:])
}

func (r *recorder) snapshot() Log {
	r.mu.Lock()
	defer r.mu.Unlock()
	return Log{Requests: slices.Clone(r.log.Requests), Nacks: slices.Clone(r.log.Nacks)}
}

// requestOf is the Log's form of a message.
func requestOf(client netip.AddrPort, method, url string, h base.Header, body []byte) Request {
	q := Request{Method: method, URL: url, Client: client, Header: map[string][]string{}, Body: string(body)}
	for name, values := range maps.All(h) {
		q.Header[name] = slices.Clone([]string(values))
	}
	q.CSeq, q.Session = first(h, "CSeq"), first(h, "Session")
	q.Transport, q.UserAgent = first(h, "Transport"), first(h, "User-Agent")
	return q
}

// first is the first value of a field, or empty.
func first(h base.Header, name string) string {
	if v := h[name]; len(v) > 0 {
		return v[0]
	}
	return ""
}
