package sessionlog

import (
	"errors"
	"os"
	"syscall"
	"time"

	"go.uber.org/zap"
)

// file is an open log file that leaves no torn line behind.
type file struct{ *os.File }

// openFile opens path for appending. It opens a pipe without waiting for its reader: a log that nobody reads is an error
// at start, not a gateway that does not start.
func openFile(path string) (*file, error) {
	if path == "-" {
		return openStdout()
	}
	const mode = 0o640 // addresses of people: for the owner and the group that reads logs
	f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY|syscall.O_NONBLOCK, mode)
	if err != nil {
		return nil, err
	}
	return &file{f}, nil
}

// openStdout returns a second descriptor of standard output. A write to a closed pipe at descriptor 1 would end the
// program with SIGPIPE (package os/signal, "SIGPIPE"); at any other it is an error like each other.
func openStdout() (*file, error) {
	fd, err := syscall.Dup(int(os.Stdout.Fd()))
	if err != nil {
		return nil, os.NewSyscallError("dup", err)
	}
	syscall.CloseOnExec(fd)
	return &file{os.NewFile(uintptr(fd), "standard output")}, nil
}

// Write writes the line whole or, in a regular file, not at all: what a full disk took of it is cut off again.
func (f *file) Write(line []byte) (int, error) {
	n, err := f.File.Write(line)
	if err == nil || n == 0 {
		return n, err
	}
	info, statErr := f.Stat()
	if statErr != nil || !info.Mode().IsRegular() || info.Size() < int64(n) {
		return n, err
	}
	if f.Truncate(info.Size()-int64(n)) == nil { // we append, so the last n bytes are ours
		n = 0
	}
	return n, err
}

// run is the writer's goroutine: it alone touches out until Close has given up on it.
func (w *Writer) run() {
	defer close(w.ended)
	var t tally
	w.begin(&t)
	for {
		select {
		case line := <-w.queue:
			w.put(line, &t)
		case <-w.wake:
			w.swap(&t)
		case <-w.stop:
			w.finish(&t)
			return
		}
	}
}

// tally is what the goroutine remembers between two lines.
type tally struct {
	torn bool   // the last line is there in part: begin the next on a line of its own
	lost uint64 // lines refused since the last one that went well
}

// finish writes what is queued and closes the files.
func (w *Writer) finish(t *tally) {
	for {
		select {
		case line := <-w.queue:
			w.put(line, t)
			continue
		default:
		}
		w.swap(t)
		w.shut(w.current())
		return
	}
}

// begin writes what a file begins with.
func (w *Writer) begin(t *tally) {
	if w.format.head != nil {
		w.write(w.format.head(time.Now()), t, 0)
	}
}

// put writes one line. The first failure of a row is logged, and the first success after it, not each.
func (w *Writer) put(line []byte, t *tally) {
	w.swap(t)
	w.write(line, t, 1)
}

// write writes lines of so many records.
func (w *Writer) write(line []byte, t *tally, records uint64) {
	if t.torn {
		line = append([]byte{'\n'}, line...)
	}
	n, err := w.current().Write(line)
	if err != nil {
		w.dropped.Add(records)
		t.lost++
		t.torn = t.torn || n > 0
		if t.lost == 1 {
			w.logger.Error("session log cannot be written, records are dropped", zap.Error(plain(err)))
		}
		return
	}
	// A reader that has taken half of what waited is back; one that takes a line now and then is not worth a line each.
	if t.lost > 0 || w.blocked.Load() > 0 && len(w.queue) <= queueLength/2 {
		w.logger.Warn("session log is written again", zap.Uint64("lost", t.lost+w.blocked.Swap(0)))
	}
	*t = tally{}
}

// swap takes the file that Reopen left, if any.
func (w *Writer) swap(t *tally) {
	f := w.next.Swap(nil)
	if f == nil {
		return
	}
	old := w.current()
	w.outMu.Lock()
	w.out = f
	w.outMu.Unlock()
	w.shut(old)
	t.torn = false
	w.begin(t)
	w.logger.Info("session log was opened anew")
}

func (w *Writer) current() sink {
	w.outMu.Lock()
	defer w.outMu.Unlock()
	return w.out
}

// shut closes what will not be written to again. A file that Close has closed already to break a write is fine.
func (w *Writer) shut(out sink) {
	if err := out.Close(); err != nil && !errors.Is(err, os.ErrClosed) {
		w.logger.Error("session log was not closed well", zap.Error(plain(err)))
	}
}
