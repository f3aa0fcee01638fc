package rtsp

import (
	"context"
	"slices"
	"sync"
	"time"

	"mediagate/internal/sessionlog"
)

// What operators do to sessions that run: look at them, and end one.

// killedError is the cause of a session that an operator ended.
type killedError struct{ by string }

func (e *killedError) Error() string { return "rtsp: run session: killed by " + e.by }

// enter makes a session one that can be looked at.
func (p *Proxy) enter(s *session) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.running[s.id] = s
}

func (p *Proxy) leave(s *session) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.running, s.id)
}

func (p *Proxy) find(id string) *session {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.running[id]
}

// Snapshot returns the records of all sessions as they are now (Record.Interim), oldest first. One that does not answer
// before ctx ends, because it waits in a write, is left out.
func (p *Proxy) Snapshot(ctx context.Context) []*sessionlog.Record {
	p.mu.Lock()
	all := make([]*session, 0, len(p.running))
	for _, s := range p.running {
		all = append(all, s)
	}
	p.mu.Unlock()
	records := make([]*sessionlog.Record, len(all))
	var wg sync.WaitGroup
	for i, s := range all {
		wg.Go(func() { records[i] = s.tell(ctx) })
	}
	wg.Wait()
	records = slices.DeleteFunc(records, func(r *sessionlog.Record) bool { return r == nil })
	slices.SortFunc(records, func(a, b *sessionlog.Record) int { return a.Start.Compare(b.Start.Time) })
	return records
}

// Look returns the record of one session as it is now, nil if there is none of that ID or it does not answer before ctx
// ends.
func (p *Proxy) Look(ctx context.Context, id string) *sessionlog.Record {
	s := p.find(id)
	if s == nil {
		return nil
	}
	return s.tell(ctx)
}

// Kill ends a session as one that the gateway shuts down: its origin hears a TEARDOWN. by says who asked for it, for the
// record. It reports false if there is no such session.
func (p *Proxy) Kill(id, by string) bool {
	s := p.find(id)
	if s == nil {
		return false
	}
	s.cancel(&killedError{by: by})
	return true
}

// tell has the owner answer with its record; nil if it has ended, or does not before ctx ends.
func (s *session) tell(ctx context.Context) *sessionlog.Record {
	answer := make(chan *sessionlog.Record, 1)
	select {
	case s.asks <- answer:
		select {
		case r := <-answer: // at once
			return r
		case <-s.gone:
		}
	case <-s.gone:
	case <-ctx.Done():
	}
	return nil
}

// report writes the record of a session that is long.
func (s *session) report(now time.Time) {
	every := s.proxy.cfg.Interim
	if every <= 0 || now.Before(s.reported.Add(every)) {
		return
	}
	s.reported = now
	s.proxy.cfg.Record(s.snapshot())
}
