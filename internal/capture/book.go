package capture

import (
	"errors"
	"fmt"
	"net/netip"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"
)

var (
	// ErrFull is what there was no room for: a queue, or the number of recordings of one session.
	ErrFull = errors.New("full")
	// ErrUnknown is a session that does not run.
	ErrUnknown = errors.New("no such session")
	// ErrNowhere is a trace for which no directory is configured.
	ErrNowhere = errors.New("no directory for it: set capture.dir or sessions.trace_dir")
	// ErrClosed is a session that has ended meanwhile.
	ErrClosed = errors.New("ended")
)

// Config says what is recorded. The zero value keeps nothing by itself; sessions can still be traced and captured.
type Config struct {
	Flight Flight
	// TraceDir is where each session has a trace; "": none has by itself.
	TraceDir string
	// Dir is where the recordings of Rules go, and traces that are asked for.
	Dir    string
	Rules  []Rule
	Logger *zap.Logger // nil: none
}

// Flight is the flight recorder's part.
type Flight struct {
	// Memory is how much one session keeps, in bytes, at most 64 KiB; less than 4 KiB keeps nothing.
	Memory int
	// Dir is where the files go; "": none are written.
	Dir string
	// Ends are the end states that have a file: both letters, or the first alone.
	Ends []string
	// Files and Bytes bound what Dir holds; the oldest go first. 0: no bound.
	Files int
	Bytes int64
}

// About is what is known of a session when it begins.
type About struct {
	ID, Protocol, VirtualServer string
	Client, Local               netip.AddrPort
	// Clear names what the session came in and is shown without, such as TLS; "": nothing.
	Clear string
}

// Book has the sessions that run. It is safe for concurrent use; a nil Book has none.
type Book struct {
	cfg     Config
	jobs    chan func()
	quit    chan struct{}
	wg      sync.WaitGroup // the goroutine of jobs and those of recordings
	skipped atomic.Uint64

	mu      sync.Mutex // guards what follows
	running map[string]*Session
	writing bool // the goroutine of jobs runs
	closed  bool
}

// maxJobs is how many files wait to be written.
const maxJobs = 64

// New makes a Book that has no goroutine until it has something to write.
func New(cfg Config) *Book {
	if cfg.Logger == nil {
		cfg.Logger = zap.NewNop()
	}
	cfg.Flight.Memory = min(cfg.Flight.Memory, maxMemory)
	return &Book{cfg: cfg, jobs: make(chan func(), maxJobs), quit: make(chan struct{}), running: make(map[string]*Session)}
}

// Begin has a session of its own for a conversation, whose owner calls End. After Close it is nil.
func (b *Book) Begin(about About) *Session {
	if b == nil {
		return nil
	}
	s := &Session{book: b, about: about, began: time.Now()}
	s.messages.limit = b.cfg.Flight.Memory / 2
	if !b.enter(s) {
		return nil
	}
	if b.cfg.TraceDir != "" {
		s.mu.Lock()
		s.traceLocked(opener(filepath.Join(b.cfg.TraceDir, fileName(about.ID, s.began)+traceSuffix), 0o640))
		s.mu.Unlock()
	}
	if len(b.cfg.Rules) > 0 {
		s.applyRules()
	}
	return s
}

func (b *Book) enter(s *Session) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return false
	}
	b.running[s.about.ID] = s
	return true
}

// find is the session of an ID.
func (b *Book) find(id string) (*Session, error) {
	if b == nil {
		return nil, fmt.Errorf("capture: find session %q: %w", id, ErrUnknown)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if s := b.running[id]; s != nil {
		return s, nil
	}
	return nil, fmt.Errorf("capture: find session %q: %w", id, ErrUnknown)
}

func (b *Book) forget(s *Session) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.running[s.about.ID] == s {
		delete(b.running, s.about.ID)
	}
}

// Skipped is how many files were not written because too many waited.
func (b *Book) Skipped() uint64 {
	if b == nil {
		return 0
	}
	return b.skipped.Load()
}

// Close ends the recordings of sessions that still run, writes what waits, and returns then. It may be called more than
// once.
func (b *Book) Close() error {
	if b == nil {
		return nil
	}
	b.mu.Lock()
	if !b.closed {
		b.closed = true
		close(b.quit)
	}
	var left []*Session
	for _, s := range b.running {
		left = append(left, s)
	}
	b.mu.Unlock()
	for _, s := range left {
		s.stop("")
	}
	b.wg.Wait()
	return nil
}

// post queues a file to be written.
func (b *Book) post(job func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return
	}
	if !b.writing {
		b.writing = true
		b.wg.Go(b.work)
	}
	select {
	case b.jobs <- job:
	default:
		if n := b.skipped.Add(1); n&(n-1) == 0 { // each doubling: a flood of ends is no flood of lines
			b.cfg.Logger.Warn("flight recorder has no file of a session: too many wait to be written", zap.Uint64("skipped", n))
		}
	}
}

// work writes files, one after the other.
func (b *Book) work() {
	for {
		select {
		case job := <-b.jobs:
			job()
		case <-b.quit:
			for {
				select {
				case job := <-b.jobs:
					job()
				default:
					return
				}
			}
		}
	}
}

// wanted says that a session that ended so has a file.
func (f *Flight) wanted(state string) bool {
	return f.Dir != "" && f.Memory >= minMemory && state != "" &&
		(slices.Contains(f.Ends, state) || slices.Contains(f.Ends, state[:1]))
}
