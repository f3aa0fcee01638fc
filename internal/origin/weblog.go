package origin

import (
	"maps"
	"net/netip"
	"slices"
)

// maxTold is how many bytes of a request's fields are remembered, and how many of its body.
const maxTold = 4096

// HTTPRequest is one request of HTTP. Of what is very long, only the beginning is kept.
type HTTPRequest struct {
	// Kind is the type of request, as [MS-WMSP] 2.2.2 calls it: "Describe", "GetContentInfo", "KeepAlive", "Log",
	// "Pipeline", "Play", "PlayNextEntry", "SelectStream", "SendEvent" or "Stop"; empty: ordinary HTTP.
	Kind               string
	Method, URL, Proto string
	Host, UserAgent    string
	Client             netip.AddrPort
	Header             map[string][]string
	Body               string
	ClientID           uint32 // 0: there was none
	Foreign            bool   // the ClientID is none that this origin has given out
	GUID               string // xClientGUID
	AnsweredID         uint32 // the client-id of the answer; 0: none
	Status             int    // what was answered
	Reset              bool   // the answer began a new session in place of the one that was asked for
}

func (r *recorder) http(q HTTPRequest) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if q.Foreign {
		r.log.ForeignClientIDs++
	}
	r.log.HTTP = keep(append(r.log.HTTP, q))
}

// told is the Log's form of a visit.
func (v *visit) told(status int) HTTPRequest {
	r := v.req
	q := HTTPRequest{
		Kind: v.kind, Method: cut(r.Method), URL: cut(r.RequestURI), Proto: r.Proto, Host: cut(r.Host),
		UserAgent: cut(r.UserAgent()), Client: v.conn.client, Header: map[string][]string{}, Body: string(v.body),
		ClientID: v.id, Foreign: v.foreign, GUID: cut(v.pragma["xclientguid"]), Status: status, Reset: v.reset,
	}
	if v.session != nil {
		q.AnsweredID = v.session.id
	}
	if len(q.Body) > maxTold {
		q.Body = q.Body[:maxTold]
	}
	left := maxTold
	for _, name := range slices.Sorted(maps.Keys(r.Header)) {
		for _, value := range r.Header[name] {
			if left -= len(name) + len(value); left < 0 {
				return q
			}
			q.Header[name] = append(q.Header[name], value)
		}
	}
	return q
}

func cut(text string) string { return text[:min(len(text), maxText)] }
