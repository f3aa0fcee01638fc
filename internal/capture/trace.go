package capture

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"go.uber.org/zap"
)

const (
	// traceQueue is how many messages wait to be written; what comes then is dropped and counted.
	traceQueue  = 256
	traceSuffix = ".trace"
)

// trace writes a session's messages as they come, on a goroutine of its own.
type trace struct {
	queue chan message
	lost  int // guarded by the session's lock
}

// add queues a message; of no trace it does nothing. The session's lock is held.
func (t *trace) add(m message) {
	if t == nil {
		return
	}
	select {
	case t.queue <- m:
	default:
		t.lost++
	}
}

// traceTo begins a trace in a file of its own.
func (s *Session) traceTo(dir string) error {
	path := filepath.Join(dir, fileName(s.about.ID, s.began)+traceSuffix)
	f, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o640)
	if err != nil {
		return fmt.Errorf("capture: trace session: %w", err)
	}
	if err := s.startTrace(f); err != nil {
		return errors.Join(err, f.Close())
	}
	return nil
}

// startTrace begins with what the flight recorder has kept. w is closed at the end.
func (s *Session) startTrace(w io.WriteCloser) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.ended:
		return fmt.Errorf("capture: trace session: %w", ErrClosed)
	case s.trace != nil:
		return fmt.Errorf("capture: trace session: it is traced already: %w", ErrFull)
	}
	t := &trace{queue: make(chan message, traceQueue)}
	facts, before := s.facts, append([]message(nil), s.messages.list...)
	s.trace = t
	s.book.wg.Go(func() { s.writeTrace(w, t, &facts, before) })
	return nil
}

func (s *Session) stopTraceLocked() {
	if s.trace == nil {
		return
	}
	close(s.trace.queue)
	if s.trace.lost > 0 {
		s.book.cfg.Logger.Warn("trace lacks messages: they came faster than they were written",
			zap.String("session", s.about.ID), zap.Int("messages", s.trace.lost))
	}
	s.trace = nil
}

// writeTrace runs until the queue is closed. What cannot be written is told once; the session goes on.
func (s *Session) writeTrace(w io.WriteCloser, t *trace, facts *Facts, before []message) {
	out := bufio.NewWriter(w)
	p := newPrinter(out)
	p.head(&s.about, facts)
	for i := range before {
		p.message(&before[i])
	}
	err := out.Flush()
	for m := range t.queue {
		p.message(&m)
		if len(t.queue) == 0 && err == nil {
			err = out.Flush()
		}
	}
	if err == nil {
		err = out.Flush()
	}
	if err = errors.Join(err, w.Close()); err != nil {
		s.book.cfg.Logger.Warn("trace cannot be written", zap.String("session", s.about.ID), zap.Error(err))
	}
}
