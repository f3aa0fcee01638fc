package lab

import (
	"fmt"
	"os"
	"runtime"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// settle is how long what a test ended may take to be gone: the kernel closes
// sockets of ended processes and goroutines return a little after Close, on a
// busy machine some seconds after it.
const settle = 15 * time.Second

// Snapshot is what a test process has running and open at a moment.
type Snapshot struct {
	ignore      goleak.Option
	descriptors int
}

// Take makes a snapshot when the number of goroutines has stood still for a
// moment: what was just started may still be starting some. It is not for
// parallel tests, whose goroutines it would take for this one's.
func Take() Snapshot {
	last, still := runtime.NumGoroutine(), 0
	Eventually(settle, func() bool {
		n := runtime.NumGoroutine()
		if still++; n != last {
			last, still = n, 0
		}
		return still >= 5
	})
	return Snapshot{ignore: goleak.IgnoreCurrent(), descriptors: Descriptors(os.Getpid())}
}

// Check waits for everything that was not there when the
// snapshot was made to be gone, and fails the test if something stays.
func (s Snapshot) Check(t testing.TB) {
	t.Helper()
	if err := waitGoroutines(s.ignore); err != nil {
		t.Errorf("lab: goroutines left: %v", err)
	}
	if err := WaitDescriptors(os.Getpid(), s.descriptors); err != nil {
		t.Error(err)
	}
}

// Leak makes the test fail if at its end more goroutines run or more
// descriptors are open than now. Call it first: cleanups run in reverse, so
// what the test starts later is ended before the check.
func Leak(t testing.TB) {
	t.Helper()
	before := Take()
	t.Cleanup(func() {
		if !t.Failed() { // what is left over after a failure is no news
			before.Check(t)
		}
	})
}

// Quiet runs the tests of a package, which fail if goroutines are left in the
// end: goleak.VerifyTestMain with more patience. Use it in TestMain:
// os.Exit(lab.Quiet(m)).
func Quiet(m *testing.M) int {
	code := m.Run()
	if code != 0 {
		return code
	}
	if err := waitGoroutines(); err != nil {
		fmt.Fprintln(os.Stderr, "lab: goroutines left:", err)
		return 1
	}
	return 0
}

// waitGoroutines asks goleak, which looks for half a second by itself, until
// the time to settle is over.
func waitGoroutines(ignore ...goleak.Option) error {
	deadline := time.Now().Add(settle)
	for {
		err := goleak.Find(ignore...)
		if err == nil || time.Now().After(deadline) {
			return err
		}
	}
}

// Descriptors is the number of open descriptors of a process, -1 if it is gone
// or the system has no /proc.
func Descriptors(pid int) int {
	entries, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", pid))
	if err != nil {
		return -1
	}
	return len(entries)
}

// WaitDescriptors waits until a process has at most limit descriptors, and
// says what is open if it does not come to that.
func WaitDescriptors(pid, limit int) error {
	if Eventually(settle, func() bool { return Descriptors(pid) <= limit }) {
		return nil
	}
	return fmt.Errorf("lab: process %d: %d descriptors open, want at most %d: %v", pid, Descriptors(pid), limit, openFiles(pid))
}

// openFiles names the open descriptors of a process.
func openFiles(pid int) []string {
	dir := fmt.Sprintf("/proc/%d/fd", pid)
	entries, _ := os.ReadDir(dir)
	var names []string
	for _, e := range entries {
		if target, err := os.Readlink(dir + "/" + e.Name()); err == nil {
			names = append(names, e.Name()+"="+target)
		}
	}
	return names
}
