package rtsp

import (
	"bytes"
	"strings"
)

// tunnelType is the media type of both halves of a tunnel (Apple, "Tunnelling RTSP and RTP through HTTP").
const tunnelType = "application/x-rtsp-tunnelled"

// tunnelRequest is the head of a GET or POST that asks for a tunnel.
type tunnelRequest struct {
	post     bool
	version  string // of HTTP, as "1.0"
	cookies  []string
	coding   string // Transfer-Encoding, "" if there is none
	expects  bool   // Expect: 100-continue
	declared bool   // Accept or Content-Type names tunnelType
	rest     []byte // what was read after the head
	fault    error  // it is no tunnel
}

// IsTunnel says whether head is the complete head of an HTTP GET or POST that asks for RTSP tunnelled in HTTP: by its
// x-sessioncookie, or by naming application/x-rtsp-tunnelled. What follows the head does not matter; a head that has not
// come to its empty line is none.
func IsTunnel(head []byte) bool {
	n := headEnd(head)
	if n < 0 {
		return false
	}
	_, ok := parseTunnel(head[:n])
	return ok
}

// headEnd is the length of the HTTP head at the beginning of b, its empty line included; -1: not whole yet.
func headEnd(b []byte) int {
	for i := 0; ; {
		n := bytes.IndexByte(b[i:], '\n')
		if n < 0 {
			return -1
		}
		line := bytes.TrimSuffix(b[i:i+n], []byte("\r"))
		if len(line) == 0 && i > 0 {
			return i + n + 1
		}
		i += n + 1
	}
}

// parseTunnel reads a whole head; false: it does not ask for a tunnel.
func parseTunnel(head []byte) (*tunnelRequest, bool) {
	lines := strings.Split(string(head), "\n")
	words := strings.Fields(lines[0])
	if len(words) != 3 || !strings.HasPrefix(words[2], "HTTP/1.") {
		return nil, false
	}
	r := &tunnelRequest{version: strings.TrimPrefix(words[2], "HTTP/")}
	switch words[0] {
	case "GET":
	case "POST":
		r.post = true
	default:
		return nil, false
	}
	for _, line := range lines[1:] {
		name, value, _ := strings.Cut(line, ":")
		value = strings.TrimSpace(value)
		switch strings.ToLower(name) {
		case "x-sessioncookie":
			r.cookies = append(r.cookies, value)
		case "accept", "content-type":
			r.declared = r.declared || strings.Contains(strings.ToLower(value), tunnelType)
		case "transfer-encoding":
			r.coding = strings.ToLower(value)
		case "expect":
			r.expects = strings.EqualFold(value, "100-continue")
		}
	}
	return r, r.declared || len(r.cookies) > 0
}

// check says what is wrong with a request for a tunnel.
func (r *tunnelRequest) check() error {
	if r.fault != nil {
		return r.fault
	}
	for _, c := range r.cookies {
		if c == "" || len(c) > maxCookie || c != r.cookies[0] {
			return errTunnelCookie
		}
	}
	if len(r.cookies) == 0 {
		return errTunnelCookie
	}
	if r.coding != "" && (r.coding != "chunked" || !r.post) {
		return errTunnelCoding
	}
	return nil
}
