package capture

import (
	"bufio"
	"errors"
	"fmt"
	"io"
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

// Trace begins (on) or ends a trace of a running session in a file of Config.Dir, or else of Config.TraceDir. It begins
// with what the flight recorder has kept.
func (b *Book) Trace(id string, on bool) error {
	s, err := b.find(id)
	if err != nil {
		return err
	}
	dir := b.cfg.Dir
	if dir == "" {
		dir = b.cfg.TraceDir
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case !on:
		s.stopTraceLocked()
	case dir == "":
		return fmt.Errorf("capture: trace session: %w", ErrNowhere)
	case s.ended:
		return fmt.Errorf("capture: trace session: session has %w", ErrClosed)
	case s.trace == nil:
		s.traceLocked(opener(filepath.Join(dir, fileName(id, s.began)+traceSuffix), 0o640))
	}
	return nil
}

// Text is the trace of a running session as far as the flight recorder has kept it.
func (b *Book) Text(id string) ([]byte, error) {
	s, err := b.find(id)
	if err != nil {
		return nil, err
	}
	return s.flight("", ""), nil
}

// traceLocked begins with what the flight recorder has kept. A session that is traced or has ended is left as it is.
func (s *Session) traceLocked(open func() (io.WriteCloser, error)) {
	if s.ended || s.trace != nil {
		return
	}
	t := &trace{queue: make(chan message, traceQueue)}
	facts, before := s.facts, append([]message(nil), s.messages.list...)
	s.trace = t
	s.book.wg.Go(func() {
		w, err := open()
		if err != nil {
			w = keepOpen{io.Discard}
			s.book.cfg.Logger.Warn("session has no trace", zap.String("session", s.about.ID), zap.Error(err))
		}
		s.writeTrace(w, t, &facts, before)
	})
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
