package capture

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"slices"
	"sync"
	"time"

	"go.uber.org/zap"
)

// Options bound a capture. A zero field means its default.
type Options struct {
	Packets  uint64        // how many are written; default 1,000,000
	Bytes    int64         // how large the file may be; default 1 GiB
	Duration time.Duration // default 1 h
	Snaplen  int           // bytes of each packet, headers included, that are kept; default and most 262,144
}

const (
	maxRecordings = 4       // of one session
	recordQueue   = 4096    // packets that wait to be written
	recordMemory  = 8 << 20 // and their bytes
	pendingQueue  = 512     // of a capture whose rule has not been decided
	maxSnaplen    = 256 << 10
)

func (o Options) withDefaults() Options {
	if o.Packets == 0 {
		o.Packets = 1_000_000
	}
	if o.Bytes <= 0 {
		o.Bytes = 1 << 30
	}
	if o.Duration <= 0 {
		o.Duration = time.Hour
	}
	if o.Snaplen <= 0 || o.Snaplen > maxSnaplen {
		o.Snaplen = maxSnaplen
	}
	return o
}

// recording is one capture of one session: a bounded queue and the goroutine that empties it to a file. What it has no
// room for is dropped and counted; nobody waits for it.
type recording struct {
	opt  Options
	wake chan struct{} // capacity 1: there is something in the queue
	quit chan struct{}
	once sync.Once
	done chan struct{} // closed when the last byte is written
	err  error         // set before done is closed

	mu    sync.Mutex // guards what follows
	queue []frame
	held  int // bytes in queue
	room  int // packets that queue may have
	lost  uint64
	words string // how the session ended
}

func newRecording(opt Options, room int) *recording {
	return &recording{
		opt: opt.withDefaults(), room: room,
		wake: make(chan struct{}, 1), quit: make(chan struct{}), done: make(chan struct{}),
	}
}

// take queues a frame, whose payload it copies.
func (r *recording) take(f frame) {
	r.mu.Lock()
	if len(r.queue) >= r.room || r.held+len(f.payload) > recordMemory {
		r.lost++
	} else {
		f.payload = append([]byte(nil), f.payload...)
		r.queue = append(r.queue, f)
		r.held += len(f.payload)
	}
	r.mu.Unlock()
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

// widen gives a recording the room of one that is wanted.
func (r *recording) widen() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.room = recordQueue
}

// next takes all that waits; empty is what it gave before.
func (r *recording) next(empty []frame) []frame {
	r.mu.Lock()
	defer r.mu.Unlock()
	clear(empty)
	all := r.queue
	r.queue, r.held = empty[:0], 0
	return all
}

func (r *recording) closing() (lost uint64, words string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.lost, r.words
}

// conclude is finish when the session has ended, and in what way.
func (r *recording) conclude(words string) {
	r.mu.Lock()
	if words != "" {
		r.words = words
	}
	r.mu.Unlock()
	r.finish()
}

// finish ends the recording; what waits is still written.
func (r *recording) finish() { r.once.Do(func() { close(r.quit) }) }

// write empties the queue to w until the recording is finished or a limit is reached.
func (r *recording) write(w io.Writer, about *About, facts func() Facts) error {
	out := newFile(w, r.opt.Snaplen)
	out.begin(about)
	timer := time.NewTimer(r.opt.Duration)
	defer timer.Stop()
	var named netip.Addr
	var frames []frame
	for last := false; !last; {
		select {
		case <-r.wake:
		case <-timer.C:
			last = true
		case <-r.quit:
			last = true
		}
		frames = r.next(frames)
		if n := facts(); n.NodeAddr != named && n.NodeAddr.IsValid() {
			named = n.NodeAddr
			out.name(named, n.Node)
		}
		for i := range frames {
			if out.packets >= r.opt.Packets || out.bytes >= r.opt.Bytes || out.err != nil {
				last = true
				break
			}
			out.frame(&frames[i])
		}
		out.flush()
		last = last || out.packets >= r.opt.Packets || out.bytes >= r.opt.Bytes || out.err != nil
	}
	out.end(r.closing())
	return out.err
}

// record begins a recording; opener gives what it is written to, on the recording's goroutine, which closes it.
func (s *Session) record(r *recording, opener func() (io.WriteCloser, error)) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.armLocked(r); err != nil {
		return err
	}
	s.startLocked(r, opener)
	return nil
}

// armLocked lets a recording hear of the session.
func (s *Session) armLocked(r *recording) error {
	switch {
	case s.ended:
		return fmt.Errorf("capture: record session: session has %w", ErrClosed)
	case len(s.recordings()) >= maxRecordings:
		return fmt.Errorf("capture: record session: %d recordings run: %w", maxRecordings, ErrFull)
	}
	next := append(slices.Clone(s.recordings()), r)
	s.armed.Store(&next)
	return nil
}

func (s *Session) recordings() []*recording {
	if s == nil {
		return nil
	}
	if p := s.armed.Load(); p != nil {
		return *p
	}
	return nil
}

func (s *Session) disarm(r *recording) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.dropLocked(r)
}

func (s *Session) dropLocked(r *recording) {
	left := slices.DeleteFunc(slices.Clone(s.recordings()), func(o *recording) bool { return o == r })
	if s.armed.Store(&left); len(left) == 0 {
		s.armed.Store(nil)
	}
}

func (s *Session) startLocked(r *recording, opener func() (io.WriteCloser, error)) {
	s.book.wg.Go(func() {
		defer close(r.done)
		defer s.disarm(r)
		defer r.finish()
		w, err := opener()
		if err == nil {
			err = errors.Join(r.write(w, &s.about, s.known), w.Close())
		}
		if r.err = err; err != nil {
			s.book.cfg.Logger.Warn("capture ended by an error", zap.String("session", s.about.ID), zap.Error(err))
		}
	})
}

// known is what is known of the session now.
func (s *Session) known() Facts {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.facts
}

// Capture writes what a running session sends and receives from now on to w, as pcapng, until the session ends, a limit is
// reached, or ctx is done, which is no error. It returns when nothing more is written to w.
func (b *Book) Capture(ctx context.Context, id string, opt Options, w io.Writer) error {
	s, err := b.find(id)
	if err != nil {
		return err
	}
	r := newRecording(opt, recordQueue)
	if err := s.record(r, func() (io.WriteCloser, error) { return keepOpen{w}, nil }); err != nil {
		return err
	}
	select {
	case <-ctx.Done():
		r.finish()
		<-r.done
	case <-r.done:
	}
	return r.err
}

// keepOpen is a writer that is its owner's to close.
type keepOpen struct{ io.Writer }

func (keepOpen) Close() error { return nil }
