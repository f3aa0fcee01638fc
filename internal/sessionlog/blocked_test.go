package sessionlog

import (
	"bufio"
	"encoding/json"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"
)

// numbered is a record that knows its number.
func numbered(i int) *Record {
	return &Record{ID: "n-" + strconv.Itoa(i), Why: string(make([]byte, 200))}
}

// wholeLines reads records and fails on anything that is none.
func wholeLines(t *testing.T, path string) (ids []string) {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		if len(lines.Bytes()) == 0 {
			continue // where a torn line was ended
		}
		var r Record
		if err := json.Unmarshal(lines.Bytes(), &r); err != nil {
			t.Fatalf("torn line %q: %v", lines.Text(), err)
		}
		ids = append(ids, r.ID)
	}
	return ids
}

func until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("never: " + what)
		}
	}
}

// TestBlockedPipe: a reader that does not read costs records and nothing else; the loss is said once, counted, and said again
// when it reads on; what it reads are whole lines.
func TestBlockedPipe(t *testing.T) {
	path := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	reader, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	core, said := observer.New(zap.InfoLevel)
	w, err := Open(path, zap.New(core))
	if err != nil {
		t.Fatal(err)
	}
	const n = 4 * queueLength
	written := make(chan struct{})
	go func() {
		defer close(written)
		for i := range n {
			w.Write(numbered(i))
		}
	}()
	select {
	case <-written:
	case <-time.After(10 * time.Second):
		t.Fatal("who writes a record waits for the reader of the pipe")
	}
	if w.Dropped() == 0 || said.FilterMessageSnippet("not taken fast enough").Len() != 1 {
		t.Fatalf("%d dropped, said: %v", w.Dropped(), said.All())
	}
	lost, came := w.Dropped(), make(chan int)
	go func() {
		count := 0
		for lines := bufio.NewScanner(reader); lines.Scan(); count++ {
			if !json.Valid(lines.Bytes()) {
				t.Errorf("torn line %q", lines.Text())
			}
		}
		came <- count
	}()
	until(t, "it says that it is written again", func() bool {
		w.Write(numbered(n)) // the reader must see that it goes on
		return said.FilterMessage("session log is written again").Len() == 1
	})
	if got := said.FilterMessage("session log is written again").All()[0].ContextMap()["lost"]; got.(uint64) < lost {
		t.Errorf("%v lost are said, %d are", got, lost)
	}
	if err := w.Close(); err != nil {
		t.Error(err)
	}
	if count := <-came; count < n-int(lost) {
		t.Errorf("%d lines came, %d were written and %d dropped", count, n, lost)
	}
}
