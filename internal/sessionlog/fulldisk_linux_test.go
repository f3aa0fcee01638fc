package sessionlog

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"mediagate/internal/lab"
)

// TestDiskWithoutRoom: a file system without room costs records and nothing else: counted, said once, no torn line; and written again
// as soon as there is room.
func TestDiskWithoutRoom(t *testing.T) {
	lab.NeedRoot(t)
	dir := t.TempDir()
	if err := syscall.Mount("none", dir, "tmpfs", 0, "size=64k"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	ballast, path := filepath.Join(dir, "ballast"), filepath.Join(dir, "sessions.jsonl")
	if err := os.WriteFile(ballast, make([]byte, 32<<10), 0o600); err != nil {
		t.Fatal(err)
	}
	core, said := observer.New(zap.InfoLevel)
	w, err := Open(path, zap.New(core))
	if err != nil {
		t.Fatal(err)
	}
	i := 0
	more := func() { w.Write(numbered(i)); i++ }
	until(t, "the disk is full", func() bool { more(); return w.Dropped() > 5 })
	if n := said.FilterMessageSnippet("cannot be written").Len(); n != 1 {
		t.Errorf("said %d times", n)
	}
	wholeLines(t, path)
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	until(t, "it is written again", func() bool { more(); return said.FilterMessage("session log is written again").Len() == 1 })
	if err := w.Close(); err != nil {
		t.Error(err)
	}
	ids := wholeLines(t, path)
	if got, want := len(ids), i-int(w.Dropped()); got != want {
		t.Errorf("%d lines, %d were written and %d dropped", got, i, w.Dropped())
	}
	seen := map[string]bool{}
	for _, id := range ids {
		if seen[id] {
			t.Errorf("%s is there twice", id)
		}
		seen[id] = true
	}
}
