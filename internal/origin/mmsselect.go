package origin

import (
	"maps"

	"mediagate/internal/asf"
	"mediagate/mms/mmswire"
)

const noStream = 0xffff // [MS-MMSP] 2.2.4.28

// Thinning levels. [MS-MMSP] 2.2.4.28.1.
const (
	thinNothing = 0 // all is sent
	thinToKeys  = 1
	thinAll     = 2 // nothing is sent
)

// selection says which streams are sent. The zero value sends all.
//
// Departs from [MS-MMSP] 3.2.5.11 and [MS-WMSP] 3.2.5.6, which have a client that chose nothing get nothing: an origin
// that is silent for such a reason helps nobody who tests.
type selection struct {
	chosen bool
	thin   map[uint8]uint16 // of selected streams
	// waiting are selected streams that have not begun, and the streams that they replace, or 0: the new one begins
	// with a key frame, until which the old one goes on. [MS-MMSP] 3.2.5.10.
	waiting map[uint8]uint8
}

// change obeys a StreamSwitch. While nothing is sent no stream waits for another.
func (s *selection) change(f *asf.File, entries []mmswire.StreamSwitchEntry, streaming bool) {
	if !s.chosen {
		s.chosen, s.thin, s.waiting = true, map[uint8]uint16{}, map[uint8]uint8{}
		if streaming { // all were sent until now
			for _, o := range f.Streams {
				s.thin[o.Number] = thinNothing
			}
		}
	}
	known := func(n uint16) (number uint8, ok bool) {
		for _, o := range f.Streams {
			if uint16(o.Number) == n {
				return o.Number, true
			}
		}
		return 0, false
	}
	for _, e := range entries {
		from, leaves := known(e.Src)
		to, comes := known(e.Dst)
		switch {
		case comes && e.Thinning < thinAll:
			if _, there := s.thin[to]; !there && streaming {
				s.waiting[to] = 0
				if leaves && from != to {
					s.waiting[to] = from
				}
			} else if leaves && from != to {
				s.drop(from)
			}
			s.thin[to] = e.Thinning
		case comes:
			s.drop(to)
		case leaves && e.Dst == noStream:
			s.drop(from)
		}
	}
}

func (s *selection) drop(stream uint8) {
	delete(s.thin, stream)
	delete(s.waiting, stream)
}

// keep tells whether a payload is sent. It is asked once for each, in their order.
func (s *selection) keep(l asf.Payload) bool {
	if !s.chosen {
		return true
	}
	thin, selected := s.thin[l.Stream]
	if !selected {
		return false
	}
	if replaced, waits := s.waiting[l.Stream]; waits {
		if !l.KeyFrame || l.Offset != 0 && !l.Compressed {
			return false
		}
		delete(s.waiting, l.Stream)
		if replaced != 0 {
			s.drop(replaced)
		}
	}
	return thin == thinNothing || l.KeyFrame
}

// settle lets streams that wait begin at once: the client starts anew.
func (s *selection) settle() {
	for to, from := range maps.All(s.waiting) {
		if from != 0 {
			delete(s.thin, from)
		}
		delete(s.waiting, to)
	}
}

// streamSwitch answers StreamSwitch. [MS-MMSP] 3.2.5.10.
func (c *mmsConn) streamSwitch(m *mmswire.StreamSwitch) error {
	a := &mmswire.ReportStreamSwitch{}
	c.mu.Lock()
	if c.file == nil {
		a.HR = hrUnexpected
	} else {
		c.selected.change(c.file, m.Entries, c.streaming)
	}
	c.mu.Unlock()
	return c.send(a)
}
