package balancer

import (
	"hash/fnv"
	"math"
	"strings"
)

// HashURL returns a policy that gives every session of one presentation the same node, as long as that one is usable: a
// clip is then in the memory of one node only. What counts is the URL's path, in lower case as Windows Media Services
// compares names: not the scheme, so that a clip's node is the same for each protocol, nor host, query or fragment.
//
// It is rendezvous hashing: when a node comes or goes only the presentations move that it gains or loses, and a node of
// weight w has w shares. Two gateways with the same nodes' names choose alike, without talking to each other.
func HashURL() Policy { return &rendezvous{func(k Key) string { return clipOf(k.URL) }} }

// HashClient returns a policy that gives every session of one client address the same node, as HashURL does for
// presentations. Players behind one NAT share an address, and so a node.
func HashClient() Policy {
	return &rendezvous{func(k Key) string { return k.Client.Unmap().WithZone("").String() }}
}

// rendezvous is highest random weight hashing (Thaler and Ravishankar, 1998), with the weights of Schindelhauer and
// Schomaker, 2005: a node's score is -weight/ln(h), h being its hash with the object in (0, 1). It remembers nothing.
type rendezvous struct{ object func(Key) string }

// Choose takes the candidate with the highest score; of equal ones the first by name, whatever their order.
func (r *rendezvous) Choose(c []Candidate, k Key) int {
	object := r.object(k)
	best, high := 0, math.Inf(-1)
	for i, x := range c {
		score := -float64(x.Weight) / math.Log(unit(x.Name, object))
		if score > high || score == high && x.Name < c[best].Name {
			best, high = i, score
		}
	}
	return best
}

// unit hashes a node's name with an object to a number in (0, 1). The hash must be the same in every process and
// version, else a restart moves every presentation.
func unit(name, object string) float64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte(name)) // a hash never fails
	_, _ = h.Write([]byte{0})
	_, _ = h.Write([]byte(object))
	x := h.Sum64()
	// FNV's high bits hardly change with its last bytes; this is the finalizer of SplitMix64, which makes them.
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	x ^= x >> 31
	return (float64(x>>11) + 0.5) / (1 << 53)
}

// clipOf returns the path of a URL in the form in which it is compared. What is no URL is its own path.
func clipOf(url string) string {
	path := url
	if _, rest, ok := strings.Cut(url, "://"); ok {
		path = ""
		if i := strings.IndexAny(rest, "/?#"); i >= 0 {
			path = rest[i:]
		}
	}
	if i := strings.IndexAny(path, "?#"); i >= 0 {
		path = path[:i]
	}
	return strings.ToLower(strings.Trim(path, "/"))
}
