package origin

import (
	"maps"
	"net/netip"
	"slices"
	"sync"

	"github.com/bluenviron/gortsplib/v4/pkg/base"
	"mediagate/mms/mmswire"
)

// maxLog bounds what an origin remembers; a long-lived one forgets the oldest.
const maxLog = 4096

// maxText is how much of a message's text is remembered.
const maxText = 1024

// Log is what an origin saw, for tests to look at.
type Log struct {
	Requests []Request
	Nacks    []Nack
	// Messages, Resends and ClientLogs are of MMS: what clients sent, asked for again and reported.
	Messages   []Message
	Resends    []Resend
	ClientLogs []ClientLog
	// Connections is the number of MMS connections that are open now; each is a session.
	Connections int
	// HTTP are the requests of HTTP.
	HTTP []HTTPRequest
	// ForeignClientIDs counts those that had a client-id which this origin has not given out: each came to the wrong one.
	ForeignClientIDs int
	// HTTPConnections and HTTPSessions are open now.
	HTTPConnections, HTTPSessions int
	// Sessions is the number of RTSP sessions that are open now.
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

// Message is one MMS message of a client.
type Message struct {
	// Client is the far end of the TCP connection.
	Client netip.AddrPort
	MID    mmswire.MID
	// Text is what the message says in words, with its NULs: the subscriber, funnel or file name.
	Text string
	// PlayIncarnation is the message's, or 0 if it has none.
	PlayIncarnation uint32
}

// Resend is one MMS resend request. [MS-MMSP] 2.2.5.
type Resend struct {
	From     netip.AddrPort
	ClientID uint32
	SourceID uint16
	Packets  []uint32
	// Resent is how many packets were sent again for it.
	Resent int
}

// ClientLog is what an MMS player reported.
type ClientLog struct {
	Client netip.AddrPort
	Log    mmswire.ClientLog
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

func (r *recorder) message(m Message) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.log.Messages = keep(append(r.log.Messages, m))
}

func (r *recorder) resend(s Resend) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.log.Resends = keep(append(r.log.Resends, s))
}

func (r *recorder) clientLog(l ClientLog) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.log.ClientLogs = keep(append(r.log.ClientLogs, l))
}

// messageOf is the Log's form of an MMS message.
func messageOf(client netip.AddrPort, msg mmswire.Message) Message {
	e := Message{Client: client, MID: msg.MID()}
	switch m := msg.(type) {
	case *mmswire.Connect:
		e.Text, e.PlayIncarnation = m.SubscriberName, m.PlayIncarnation
	case *mmswire.FunnelInfo:
		e.PlayIncarnation = m.PlayIncarnation
	case *mmswire.ConnectFunnel:
		e.Text, e.PlayIncarnation = m.FunnelName, m.PlayIncarnation
	case *mmswire.OpenFile:
		e.Text, e.PlayIncarnation = m.FileName, m.PlayIncarnation
	case *mmswire.SecurityResponse:
		e.PlayIncarnation = m.PlayIncarnation
	case *mmswire.ReadBlock:
		e.PlayIncarnation = m.PlayIncarnation
	case *mmswire.StartPlaying:
		e.PlayIncarnation = m.PlayIncarnation
	case *mmswire.StartStriding:
		e.PlayIncarnation = m.PlayIncarnation
	case *mmswire.StopPlaying:
		e.PlayIncarnation = m.PlayIncarnation
	}
	if len(e.Text) > maxText {
		e.Text = e.Text[:maxText]
	}
	return e
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
	return Log{
		Requests: slices.Clone(r.log.Requests), Nacks: slices.Clone(r.log.Nacks), Messages: slices.Clone(r.log.Messages),
		Resends: slices.Clone(r.log.Resends), ClientLogs: slices.Clone(r.log.ClientLogs),
		HTTP: slices.Clone(r.log.HTTP), ForeignClientIDs: r.log.ForeignClientIDs,
	}
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
