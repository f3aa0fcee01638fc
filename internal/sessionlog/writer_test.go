package sessionlog

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"mediagate/internal/lab"
)

// childVar makes the test binary write records to a standard output that its parent has closed.
const childVar = "SESSIONLOG_TEST_CHILD"

func TestMain(m *testing.M) {
	if os.Getenv(childVar) != "" {
		child()
		return
	}
	os.Exit(lab.Quiet(m))
}

func child() {
	w, err := Open("-", nil)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	_, _ = bufio.NewReader(os.Stdin).ReadString('\n') // the parent has closed our output
	for range 10 {
		w.Write(full())
	}
	err = w.Close()
	fmt.Fprintln(os.Stderr, "alive", w.Dropped(), err)
}

// ids returns the id of each line, or what is wrong with the line.
func ids(t *testing.T, data []byte) []string {
	t.Helper()
	var out []string
	for line := range bytes.Lines(data) {
		var r Record
		if err := json.Unmarshal(line, &r); err != nil {
			out = append(out, fmt.Sprintf("no JSON: %.20q", line))
			continue
		}
		out = append(out, r.ID)
	}
	return out
}

func readIDs(t *testing.T, path string) []string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return ids(t, data)
}

func record(id string) *Record {
	r := full()
	r.ID = id
	return r
}

func observed() (*zap.Logger, *observer.ObservedLogs) {
	core, logs := observer.New(zapcore.DebugLevel)
	return zap.New(core), logs
}

func messages(logs *observer.ObservedLogs) []string {
	var m []string
	for _, e := range logs.All() {
		m = append(m, e.Message)
	}
	return m
}

func closeOK(t *testing.T, w *Writer) {
	t.Helper()
	if err := w.Close(); err != nil {
		t.Error(err)
	}
}

// fake is a sink whose writes are answered by a function.
type fake struct {
	write  func([]byte) (int, error)
	broken chan struct{} // closed by Close
	once   sync.Once
}

func newFake(write func([]byte) (int, error)) *fake {
	return &fake{write: write, broken: make(chan struct{})}
}

func (f *fake) Write(b []byte) (int, error) { return f.write(b) }
func (f *fake) Close() error {
	f.once.Do(func() { close(f.broken) })
	return nil
}

func TestWriterAppends(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s.jsonl")
	var want []string
	for range 2 { // the second goes on where the first ended
		w, err := Open(path, nil)
		if err != nil {
			t.Fatal(err)
		}
		for i := range 3 {
			w.Write(record(fmt.Sprint(i)))
			want = append(want, fmt.Sprint(i))
		}
		closeOK(t, w)
		closeOK(t, w)
		w.Write(record("late"))
		if n := w.Dropped(); n != 1 {
			t.Errorf("%d dropped, want the one after Close", n)
		}
	}
	if got := readIDs(t, path); !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestLinesOfManyGoroutines(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s.jsonl")
	w, err := Open(path, nil)
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 100 {
				w.Write(record("x"))
			}
		})
	}
	wg.Wait()
	closeOK(t, w)
	got := readIDs(t, path)
	if uint64(len(got))+w.Dropped() != 800 || slices.ContainsFunc(got, func(s string) bool { return s != "x" }) {
		t.Errorf("%d lines and %d dropped, want 800 whole ones", len(got), w.Dropped())
	}
}

func TestDiscard(t *testing.T) {
	w, err := Open("", nil)
	if err != nil {
		t.Fatal(err)
	}
	w.Write(full())
	if err := w.Reopen(); err != nil {
		t.Error(err)
	}
	closeOK(t, w)
	if n := w.Dropped(); n != 0 {
		t.Errorf("%d dropped: nobody wanted them", n)
	}
}

func TestOpenFaults(t *testing.T) {
	pipe := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		name, path string
		want       error
	}{
		{"no folder", filepath.Join(t.TempDir(), "x", "s.jsonl"), os.ErrNotExist},
		{"a folder", t.TempDir(), syscall.EISDIR},
		{"a pipe that nobody reads", pipe, syscall.ENXIO},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, err := Open(tc.path, nil)
			if !errors.Is(err, tc.want) {
				t.Fatalf("got %v, want %v", err, tc.want)
			}
			if !strings.HasPrefix(err.Error(), "sessionlog: open ") || strings.Count(err.Error(), tc.path) != 1 {
				t.Errorf("the sentence does not name its path once: %v", err)
			}
		})
	}
}

func TestReopen(t *testing.T) {
	dir := t.TempDir()
	path, old := filepath.Join(dir, "s.jsonl"), filepath.Join(dir, "s.jsonl.1")
	logger, logs := observed()
	w, err := Open(path, logger)
	if err != nil {
		t.Fatal(err)
	}
	w.Write(record("1"))
	if err := os.Rename(path, old); err != nil {
		t.Fatal(err)
	}
	for range 3 { // signals may come in a row
		if err := w.Reopen(); err != nil {
			t.Fatal(err)
		}
	}
	w.Write(record("2"))
	closeOK(t, w)
	// The first record may go to either file, the second only to the new one.
	if got := append(readIDs(t, old), readIDs(t, path)...); !slices.Equal(got, []string{"1", "2"}) {
		t.Errorf("got %q", got)
	}
	if got := readIDs(t, path); !slices.Contains(got, "2") {
		t.Errorf("the new file has %q", got)
	}
	if logs.FilterMessage("session log was opened anew").Len() == 0 {
		t.Errorf("logged %q", messages(logs))
	}
	if err := w.Reopen(); !errors.Is(err, os.ErrClosed) {
		t.Errorf("reopened after Close: %v", err)
	}
}

func TestReopenKeepsTheOldFileOnAnError(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "d")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	w, err := Open(filepath.Join(dir, "s.jsonl"), nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(dir, dir+"2"); err != nil {
		t.Fatal(err)
	}
	if err := w.Reopen(); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got %v", err)
	}
	w.Write(record("1"))
	closeOK(t, w)
	if got := readIDs(t, filepath.Join(dir+"2", "s.jsonl")); !slices.Equal(got, []string{"1"}) {
		t.Errorf("got %q", got)
	}
}

func TestFailingWriter(t *testing.T) {
	// Each step is one write: how many bytes are taken, and whether it fails.
	full, torn, ok := 0, 5, -1
	for _, tc := range []struct {
		name    string
		steps   []int
		want    []string
		dropped uint64
		logged  []string
	}{
		{"good", []int{ok, ok}, []string{"0", "1"}, 0, nil},
		{"full for two, then good", []int{ok, full, full, ok}, []string{"0", "3"}, 2,
			[]string{"session log cannot be written, records are dropped", "session log is written again"}},
		{"torn: the rest begins on its own line", []int{torn, full, ok, ok}, []string{`no JSON: "{\"v\":\n"`, "2", "3"}, 2,
			[]string{"session log cannot be written, records are dropped", "session log is written again"}},
		{"full for ever", []int{full, full, full}, nil, 3, []string{"session log cannot be written, records are dropped"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var out bytes.Buffer
			var n int
			logger, logs := observed()
			w := newWriter("fake", format{line: (*Record).Append}, newFake(func(b []byte) (int, error) {
				take := tc.steps[n]
				n++
				if take == ok {
					return out.Write(b)
				}
				out.Write(b[:take])
				return take, syscall.ENOSPC
			}), logger)
			for i := range tc.steps {
				w.Write(record(fmt.Sprint(i)))
			}
			closeOK(t, w)
			if got := ids(t, out.Bytes()); !slices.Equal(got, tc.want) {
				t.Errorf("got %q, want %q", got, tc.want)
			}
			if w.Dropped() != tc.dropped {
				t.Errorf("%d dropped, want %d", w.Dropped(), tc.dropped)
			}
			if got := messages(logs); !slices.Equal(got, tc.logged) {
				t.Errorf("logged %q, want %q", got, tc.logged)
			}
		})
	}
}

func TestDevFull(t *testing.T) {
	w, err := Open("/dev/full", nil)
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		w.Write(full())
	}
	closeOK(t, w)
	if n := w.Dropped(); n != 3 {
		t.Errorf("%d dropped, want 3", n)
	}
}

// TestFullDisk lets a limit on the size of files play the full disk: the write that passes it is taken in part, and that
// part must not stay.
func TestFullDisk(t *testing.T) {
	line, err := record("0").Append(nil)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "s.jsonl")
	f, err := openFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var was syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &was); err != nil {
		t.Fatal(err)
	}
	limit := syscall.Rlimit{Cur: uint64(len(line)) * 5 / 2, Max: was.Max} // two lines and a half
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &limit); err != nil {
		t.Fatal(err)
	}
	w := newWriter(path, format{line: (*Record).Append}, f, nil)
	for i := range 4 {
		w.Write(record(fmt.Sprint(i)))
	}
	closeOK(t, w)
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &was); err != nil {
		t.Fatal(err)
	}
	if got := readIDs(t, path); !slices.Equal(got, []string{"0", "1"}) {
		t.Errorf("got %q, want the two lines that fit and nothing torn", got)
	}
	if n := w.Dropped(); n != 2 {
		t.Errorf("%d dropped, want 2", n)
	}
}

func TestStalledWriter(t *testing.T) {
	begun := make(chan struct{}, 1)
	var f *fake
	f = newFake(func([]byte) (int, error) {
		select {
		case begun <- struct{}{}:
		default:
		}
		<-f.broken
		return 0, os.ErrClosed
	})
	w := newWriter("fake", format{line: (*Record).Append}, f, nil)
	w.timeout = time.Millisecond
	w.Write(full())
	<-begun // one is being written, the queue is empty
	for range queueLength + 5 {
		w.Write(full()) // must not block
	}
	if n := w.Dropped(); n != 5 {
		t.Errorf("%d dropped, want 5", n)
	}
	if err := w.Close(); err == nil || !strings.Contains(err.Error(), "1025 records not written") {
		t.Errorf("Close: %v", err)
	}
	<-w.ended // the broken write ended the goroutine
	if n := w.Dropped(); n != queueLength+6 {
		t.Errorf("%d dropped in all, want %d", n, queueLength+6)
	}
}

// TestStalledPipe has a named pipe whose reader does not read: Close ends the write that hangs in the kernel.
func TestStalledPipe(t *testing.T) {
	path := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	reader, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	w, err := Open(path, nil)
	if err != nil {
		t.Fatal(err)
	}
	w.timeout = 50 * time.Millisecond
	big := full()
	big.Why = strings.Repeat("x", maxText)
	for range 200 { // more than a pipe holds
		w.Write(big)
	}
	if err := w.Close(); err == nil {
		t.Error("Close wrote everything to a reader that does not read")
	}
	<-w.ended
	if err := reader.Close(); err != nil {
		t.Error(err)
	}
}

func TestPipeWhoseReaderLeft(t *testing.T) {
	r, wEnd, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	w := newWriter("pipe", format{line: (*Record).Append}, &file{wEnd}, nil)
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	w.Write(full())
	closeOK(t, w)
	if w.Dropped() != 1 {
		t.Errorf("%d dropped, want 1", w.Dropped())
	}
}

// TestClosedStandardOutput runs the test binary as a program whose standard output is a closed pipe: "mediagate run |
// head" must not end the gateway.
func TestClosedStandardOutput(t *testing.T) {
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childVar+"=1")
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(stdout.Close(), func() error { _, err := io.WriteString(stdin, "\n"); return err }()); err != nil {
		t.Error(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("the program ended with %v: %s", err, &stderr)
	}
	if got := strings.TrimSpace(stderr.String()); got != "alive 10 <nil>" {
		t.Errorf("got %q", got)
	}
}
