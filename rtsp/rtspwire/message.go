package rtspwire

import (
	"bytes"
	"strconv"
	"strings"
)

// Version is the only version of the protocol that a session serves. Messages of other versions are read all the same,
// so that they can be answered with 505.
const Version = "RTSP/1.0"

const contentLength = "Content-Length"

// An Item is what a Reader reads: *Request, *Response or *Frame.
type Item interface {
	// Append writes the item as it goes on the wire to the end of b.
	Append(b []byte) []byte
	item()
}

// Request is an RTSP request (RFC 2326, section 6), or the head of an HTTP request that arrived where RTSP was
// expected: then Version begins with "HTTP/" and Body is empty, see Reader.Rest.
type Request struct {
	Method  string // as written; case matters (RFC 2326, section 6.1)
	URL     string // as written: absolute, relative or "*"
	Version string // as written, "RTSP/1.0"
	Header  Header
	Body    []byte // exactly Content-Length bytes; owned by the Request
}

// Response is an RTSP response (RFC 2326, section 7).
type Response struct {
	Version string // as written, "RTSP/1.0"
	Status  int    // 100 to 999
	Reason  string // as written, may be empty
	Header  Header
	Body    []byte // exactly Content-Length bytes; owned by the Response
}

// NewRequest returns a request of RTSP/1.0 without fields.
func NewRequest(method, url string) *Request {
	return &Request{Method: method, URL: url, Version: Version}
}

// NewResponse returns a response of RTSP/1.0 without fields.
func NewResponse(status int, reason string) *Response {
	return &Response{Version: Version, Status: status, Reason: reason}
}

func (*Request) item()  {}
func (*Response) item() {}

// Append writes the request to the end of b. What could make a second reader see another message is not written: a
// Content-Length that is not the length of Body is put right, white space and control characters in the request line
// are escaped.
func (r *Request) Append(b []byte) []byte {
	b = append(appendWord(b, r.Method), ' ')
	b = append(appendWord(b, r.URL), ' ')
	b = append(appendWord(b, r.Version), "\r\n"...)
	return appendRest(b, &r.Header, r.Body, isHTTP(r.Version))
}

// Append writes the response to the end of b, under the same rules as Request.Append. A response without a reason
// phrase keeps the space before it, which RFC 2326, section 7.1 asks for.
func (r *Response) Append(b []byte) []byte {
	b = append(appendWord(b, r.Version), ' ')
	b = append(strconv.AppendInt(b, int64(r.Status), 10), ' ')
	b = append(append(b, plain(r.Reason)...), "\r\n"...)
	return appendRest(b, &r.Header, r.Body, isHTTP(r.Version))
}

// Clone returns a request whose edits do not touch r. The bytes of the body are copied too.
func (r *Request) Clone() *Request {
	c := *r
	c.Header, c.Body = r.Header.Clone(), bytes.Clone(r.Body)
	return &c
}

// Clone returns a response whose edits do not touch r. The bytes of the body are copied too.
func (r *Response) Clone() *Response {
	c := *r
	c.Header, c.Body = r.Header.Clone(), bytes.Clone(r.Body)
	return &c
}

// SetBody makes body the body, which the request then owns, and keeps Content-Length true.
func (r *Request) SetBody(body []byte) { r.Body = body; r.Header.setLength(len(body)) }

// SetBody makes body the body, which the response then owns, and keeps Content-Length true.
func (r *Response) SetBody(body []byte) { r.Body = body; r.Header.setLength(len(body)) }

// setLength writes Content-Length; a message that has neither a body nor the field stays without it, as no field means
// no body (RFC 2326, section 4.4).
func (h *Header) setLength(n int) {
	if n > 0 || h.Has(contentLength) {
		h.Set(contentLength, strconv.Itoa(n))
	}
}

func appendRest(b []byte, h *Header, body []byte, http bool) []byte {
	if !http && !h.lengthIs(len(body)) {
		c := h.Clone()
		c.setLength(len(body))
		h = &c
	}
	return append(h.append(b), body...)
}

// lengthIs reports whether the header says once, or not at all for 0, that the body has n bytes.
func (h *Header) lengthIs(n int) bool {
	i := h.index(contentLength, 0)
	if i < 0 {
		return n == 0
	}
	if h.index(contentLength, i+1) >= 0 {
		return false
	}
	v, err := strconv.Atoi(h.fields[i].value())
	return err == nil && v == n
}

// appendWord writes a word of the start line. Bytes that would end the word are escaped as in a URL.
func appendWord(b []byte, s string) []byte {
	const hex = "0123456789ABCDEF"
	if s == "" {
		s = "*" // a URL that nobody set: the server itself (RFC 2326, section 6.2)
	}
	for i := range len(s) {
		if c := s[i]; c <= ' ' || c == 0x7f {
			b = append(b, '%', hex[c>>4], hex[c&15])
		} else {
			b = append(b, c)
		}
	}
	return b
}

func isHTTP(version string) bool { return len(version) >= 5 && strings.EqualFold(version[:5], "HTTP/") }
