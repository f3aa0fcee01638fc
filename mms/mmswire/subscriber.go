package mmswire

import "strings"

// Subscriber is the SubscriberName of Connect ([MS-MMSP] 2.2.4.17): the client, and where it and the proxies before us
// believe to have connected. What no method touches keeps its bytes. The zero value is an empty name.
type Subscriber struct {
	parts []string // between NULs; the first is the client's token
}

const (
	hostParam  = "Host:"
	hostString = "HOST:"
	viaString  = "VIA:"
)

// ParseSubscriber takes a name apart. Every text is one; NULs at the end are none of its parts.
func ParseSubscriber(name string) Subscriber {
	return Subscriber{parts: strings.Split(strings.TrimRight(name, nul), nul)}
}

// Product returns what the client calls itself, as in "NSPlayer/7.0.0.1956".
func (s *Subscriber) Product() string {
	product, _, _ := strings.Cut(s.token(), ";")
	return strings.TrimSpace(product)
}

// GUID returns what tells the client from others, in its braces, "" if it says nothing. Observed: it is the same in
// every copy of a player, and VLC's is none.
func (s *Subscriber) GUID() string {
	for _, p := range s.params() {
		if p := strings.TrimSpace(p); strings.HasPrefix(p, "{") && strings.HasSuffix(p, "}") {
			return p
		}
	}
	return ""
}

// Host returns the server that the client wants: a name or an address, with a port or without, "" if it says nothing.
// Observed: IPv6 addresses have no brackets, and no player sends its port.
func (s *Subscriber) Host() string {
	for _, p := range s.params() {
		if host, ok := value(strings.TrimSpace(p), hostParam); ok {
			return host
		}
	}
	if i := s.find(hostString); i > 0 {
		host, _ := value(s.parts[i], hostString)
		return host
	}
	return ""
}

// SetHost names the server, with its port, in both places that there are: a proxy must fill in both. Of host only what
// stands before a ";" or a NUL is taken.
func (s *Subscriber) SetHost(host string) {
	if end := strings.IndexAny(host, ";"+nul); end >= 0 {
		host = host[:end]
	}
	params := strings.Split(s.token(), ";")
	found := false
	for i, p := range params {
		if _, ok := value(strings.TrimSpace(p), hostParam); ok && i > 0 {
			params[i], found = " "+hostParam+" "+host, true
		}
	}
	if !found {
		params = append(params, " "+hostParam+" "+host)
	}
	if len(s.parts) == 0 {
		s.parts = []string{""}
	}
	s.parts[0] = strings.Join(params, ";")
	text := hostString + " " + host
	if i := s.find(hostString); i > 0 {
		s.parts[i] = text
		return
	}
	s.parts = append([]string{s.parts[0], text}, s.parts[1:]...)
}

// AddVia adds a proxy, as in "mediagate/1.0", after those that are there. Of info only what stands before a NUL is taken.
func (s *Subscriber) AddVia(info string) {
	info, _, _ = strings.Cut(info, nul)
	if i := s.find(viaString); i > 0 {
		s.parts[i] += ", " + info
		return
	}
	if len(s.parts) == 0 {
		s.parts = []string{""}
	}
	s.parts = append(s.parts, viaString+" "+info)
}

// String returns the name with its NULs, but without the last.
func (s *Subscriber) String() string { return strings.Join(s.parts, nul) }

func (s *Subscriber) token() string {
	if len(s.parts) == 0 {
		return ""
	}
	return s.parts[0]
}

// params returns what follows the product.
func (s *Subscriber) params() []string { return strings.Split(s.token(), ";")[1:] }

// find returns the part after the first that begins with a name, 0 for none.
func (s *Subscriber) find(name string) int {
	for i := 1; i < len(s.parts); i++ {
		if _, ok := value(s.parts[i], name); ok {
			return i
		}
	}
	return 0
}

// value returns what follows a name, which may be in any case.
func value(text, name string) (string, bool) {
	if len(text) < len(name) || !strings.EqualFold(text[:len(name)], name) {
		return "", false
	}
	return strings.TrimSpace(text[len(name):]), true
}
