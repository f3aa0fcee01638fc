package udprelay

import (
	"slices"
	"sync"
	"sync/atomic"
)

// How many SSRCs a flow remembers; older ones are forgotten. A playlist negotiates new ones for each entry, and a
// media has one or two.
const (
	maxNegotiated = 64
	maxHeard      = 8
)

// ssrcSet are the SSRCs of a flow. Read for each RTCP packet, written rarely: readers see a list that never changes.
type ssrcSet struct {
	mu         sync.Mutex // guards the following fields; readers take what all holds
	negotiated []uint32
	heard      []uint32 // of the media that came from where it should
	all        atomic.Pointer[[]uint32]
}

// add puts ssrc into list, one of the set's own two.
func (s *ssrcSet) add(ssrc uint32, list *[]uint32) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if ssrc == 0 || slices.Contains(*list, ssrc) {
		return
	}
	limit := maxNegotiated
	if list == &s.heard {
		limit = maxHeard
	}
	*list = append(*list, ssrc)
	if len(*list) > limit {
		*list = slices.Delete(*list, 0, 1)
	}
	all := slices.Concat(s.negotiated, s.heard)
	s.all.Store(&all)
}

func (s *ssrcSet) has(ssrc uint32) bool {
	all := s.all.Load()
	return all != nil && slices.Contains(*all, ssrc)
}
