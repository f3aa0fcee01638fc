package gateway

import (
	"fmt"
	"sync"
	"time"

	"go.uber.org/zap"

	"mediagate/internal/sessionlog"
)

const (
	// strangerBurst is how many records of connections that never became a session may come at once.
	strangerBurst = 100
	// strangerRate is how many a second may come for long: some 500 MB of log in a day at the worst.
	strangerRate = 10
)

// strangers bounds the records of connections that ended before their first request (scanners, another protocol, over the
// limit), of all protocols together: somebody who only connects shall not fill the disk. Those that are left out are
// counted, and the next record that is written tells their number. Its methods are safe for concurrent use.
type strangers struct {
	mu   sync.Mutex // guards what follows
	room float64    // records that may come now
	at   time.Time  // when room was as much
	more uint64     // that were left out since the last was told of
}

func newStrangers(now time.Time) *strangers { return &strangers{room: strangerBurst, at: now} }

// admit says whether r is to be written, and tells in it of those that were not.
func (s *strangers) admit(r *sessionlog.Record, now time.Time) bool {
	if r.Interim || r.Requests > 0 || r.End.Phase != sessionlog.PhaseAccept {
		return true
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.room = min(strangerBurst, s.room+strangerRate*max(0, now.Sub(s.at).Seconds()))
	s.at = now
	if s.room < 1 {
		s.more++
		return false
	}
	s.room--
	if s.more > 0 {
		r.Why = fmt.Sprintf("%s; %d more connections without a request have no record", r.Why, s.more)
		s.more = 0
	}
	return true
}

// close tells of those that no record has told of.
func (s *strangers) close(log *zap.Logger) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.more > 0 {
		log.Warn("connections without a request have no record", zap.Uint64("connections", s.more))
	}
	s.more = 0
}
