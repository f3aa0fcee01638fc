package sessionlog

import (
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"
)

const (
	// queueLength is how many records may wait for a slow disk; the next is dropped and counted.
	queueLength = 1024
	// closeTimeout is how long Close waits for them: a stalled reader of our output must not hold up the process's end, and a machine
	// that is busy for some seconds must not cost records.
	closeTimeout = 8 * time.Second
)

// Writer appends records to a file, one line each. Its methods may be called from any goroutine; none but Close waits for
// the file.
type Writer struct {
	path    string
	format  format
	logger  *zap.Logger
	queue   chan []byte   // capacity queueLength; when full: drop and count
	wake    chan struct{} // capacity 1; a full channel already says that next is set
	ended   chan struct{} // closed when the goroutine has ended
	stop    chan struct{} // closed by Close
	timeout time.Duration
	dropped atomic.Uint64
	blocked atomic.Uint64        // dropped since the queue was found full, 0 if it is not
	next    atomic.Pointer[file] // opened by Reopen, not yet taken by the goroutine

	mu     sync.RWMutex // write side: Close; read side: Write, so that nothing is queued after the last drain
	closed bool

	outMu sync.Mutex // over the pointer only, never over a write; a leaf of the lock order
	out   sink       // changed by the goroutine alone; Close reads it to break a write that does not end
}

// sink is where lines go: a file, a pipe, or a test's own writer.
type sink interface {
	io.Writer
	io.Closer
}

// format is what a Writer writes.
type format struct {
	line func(r *Record, b []byte) ([]byte, error) // appends one line, or nothing for a record that has none
	head func(now time.Time) []byte                // what begins a file; nil: nothing does
}

// Open opens the log at path for appending and starts its goroutine; each record is a line of JSON. "-" is standard
// output, "" discards all records. A nil logger logs nothing.
func Open(path string, logger *zap.Logger) (*Writer, error) {
	return open(path, format{line: (*Record).Append}, logger)
}

func open(path string, as format, logger *zap.Logger) (*Writer, error) {
	if path == "" {
		return newWriter(path, as, nil, logger), nil
	}
	f, err := openFile(path)
	if err != nil {
		return nil, fmt.Errorf("sessionlog: open %q: %w", path, plain(err))
	}
	return newWriter(path, as, f, logger), nil
}

// plain takes operation and path off an error of package os, which ours names already.
func plain(err error) error {
	var p *os.PathError
	if errors.As(err, &p) {
		return p.Err
	}
	return err
}

// newWriter starts a writer to out; nil discards.
func newWriter(path string, as format, out sink, logger *zap.Logger) *Writer {
	if logger == nil {
		logger = zap.NewNop()
	}
	w := &Writer{
		path: path, format: as, logger: logger.With(zap.String("path", path)), out: out, timeout: closeTimeout,
		queue: make(chan []byte, queueLength), wake: make(chan struct{}, 1),
		stop: make(chan struct{}), ended: make(chan struct{}),
	}
	if out == nil {
		close(w.ended)
		return w
	}
	go w.run()
	return w
}

// Write queues the record's line and returns. When the queue is full, the writer closed or the record not encodable,
// the record is dropped and counted.
func (w *Writer) Write(r *Record) {
	w.mu.RLock()
	defer w.mu.RUnlock()
	if w.path == "" {
		return
	}
	line, err := w.format.line(r, nil)
	if err != nil || w.closed {
		w.dropped.Add(1)
		return
	}
	if len(line) == 0 {
		return
	}
	select {
	case w.queue <- line:
	default:
		w.dropped.Add(1)
		if w.blocked.Add(1) == 1 { // the others are told when it goes on
			w.logger.Error("session log is not taken fast enough, records are dropped", zap.Int("waiting", queueLength))
		}
	}
}

// Dropped returns how many records were lost since Open: the queue was full, the file refused them, or they came after
// Close.
func (w *Writer) Dropped() uint64 { return w.dropped.Load() }

// Reopen opens the path anew, as logrotate asks for by a signal after it renamed the file. Records written after Reopen
// has returned go to the new file; on an error the old one is kept. Standard output and "" have nothing to reopen.
func (w *Writer) Reopen() error {
	if w.path == "-" || w.path == "" {
		return nil
	}
	f, err := openFile(w.path)
	if err != nil {
		return fmt.Errorf("sessionlog: reopen %q: %w", w.path, plain(err))
	}
	w.mu.RLock()
	defer w.mu.RUnlock()
	if w.closed {
		return errors.Join(fmt.Errorf("sessionlog: reopen %q: %w", w.path, os.ErrClosed), f.Close())
	}
	if old := w.next.Swap(f); old != nil {
		_ = old.Close() // a second signal came before the first was acted on; nothing was written to it
	}
	select {
	case w.wake <- struct{}{}:
	default: // the goroutine has yet to see the last one and will take the newest file
	}
	return nil
}

// Close writes what is queued, for at most eight seconds, and closes the file, which breaks a write that hangs. The error
// tells how many records were left unwritten by then. Calls after the first do nothing.
func (w *Writer) Close() error {
	w.mu.Lock()
	was := w.closed
	w.closed = true
	w.mu.Unlock()
	if was {
		return nil
	}
	close(w.stop)
	timer := time.NewTimer(w.timeout)
	defer timer.Stop()
	select {
	case <-w.ended:
		return nil
	case <-timer.C:
		left := len(w.queue) + 1 // the one that is being written
		_ = w.current().Close()  // the error below says more
		return fmt.Errorf("sessionlog: close %q: %d records not written after %v", w.path, left, w.timeout)
	}
}
