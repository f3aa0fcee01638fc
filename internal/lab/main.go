package lab

import (
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// dirVariable names the environment variable with the folder of what is made
// once per test process: the program under test and the media sample. An
// environment variable, because package variables are kept out of this house.
const dirVariable = "MEDIAGATE_LAB_DIR"

// Main runs the tests of a package with a folder for what is made once per
// test process, and removes it. Use it in TestMain: os.Exit(lab.Main(m)).
func Main(m *testing.M) int {
	sweepNamespaces()
	dir, err := os.MkdirTemp("", "mediagate-lab-")
	if err != nil {
		fmt.Fprintln(os.Stderr, "lab: make folder:", err)
		return 1
	}
	defer func() { _ = os.RemoveAll(dir) }()
	if err := os.Setenv(dirVariable, dir); err != nil {
		fmt.Fprintln(os.Stderr, "lab: set environment:", err)
		return 1
	}
	return m.Run()
}

// once gives the path of a file that is made once per test process.
func once(t testing.TB, name string, makeFile func(path string) error) string {
	t.Helper()
	dir := os.Getenv(dirVariable)
	if dir == "" {
		t.Fatal("lab: the package's TestMain does not call lab.Main")
	}
	path := filepath.Join(dir, name)
	lock, err := os.OpenFile(path+".lock", os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		t.Fatalf("lab: make %s: %v", name, err)
	}
	defer func() { _ = lock.Close() }()
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX); err != nil {
		t.Fatalf("lab: make %s: %v", name, err)
	}
	if _, err := os.Stat(path); err == nil {
		return path
	}
	if err := makeFile(path); err != nil {
		t.Fatalf("lab: make %s: %v", name, err)
	}
	return path
}

// root is the folder of the module: the nearest one above with a go.mod.
func root(t testing.TB) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatalf("lab: find module: %v", err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			t.Fatal("lab: find module: no go.mod above the test")
		}
		dir = parent
	}
}

// Testdata is the path of a file below the module's testdata folder.
func Testdata(t testing.TB, parts ...string) string {
	t.Helper()
	return filepath.Join(append([]string{root(t), "testdata"}, parts...)...)
}
