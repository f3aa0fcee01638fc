package lab

import (
	"bufio"
	"bytes"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// killGrace is how long a process may take to end after a signal before its
// group is killed: MPlayer and gst-launch need up to two seconds for TEARDOWN,
// and a busy machine may hold them, or the program under test, up for seconds.
const killGrace = 15 * time.Second

// Command says what Start runs.
type Command struct {
	Path string   // program, looked up in PATH
	Args []string // without the program's name
	Env  []string // NAME=value, added to the test's own environment
	Host *Host    // network namespace to run in; nil: the test's own

	// Stdout and Stderr are called for each line, in the order of that stream;
	// the two may be called at the same time. Both '\n' and '\r' end a line:
	// players rewrite their status line in place.
	Stdout, Stderr func(line string)
}

// Proc is a running process in a process group of its own.
type Proc struct {
	t    testing.TB
	name string
	cmd  *exec.Cmd
	out  *tail
	done chan struct{} // closed when the process and its output have ended
	err  error         // what Wait said; read after done
}

// Start runs c until the end of the test. The cleanup asks it to end with
// SIGTERM and kills its group if it does not.
func Start(t testing.TB, c Command) *Proc {
	t.Helper()
	path, args := c.Path, c.Args
	if c.Host != nil {
		args = append([]string{"netns", "exec", c.Host.Namespace, path}, args...)
		path = "ip"
	}
	p := &Proc{t: t, name: c.Path, cmd: exec.Command(path, args...), out: &tail{}, done: make(chan struct{})}
	p.cmd.Env = append(os.Environ(), c.Env...)
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	stdout, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatalf("lab: start %s: %v", c.Path, err)
	}
	stderr, err := p.cmd.StderrPipe()
	if err != nil {
		t.Fatalf("lab: start %s: %v", c.Path, err)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatalf("lab: start %s: %v", c.Path, err)
	}
	var readers sync.WaitGroup
	readers.Go(func() { p.read(stdout, c.Stdout) })
	readers.Go(func() { p.read(stderr, c.Stderr) })
	go func() {
		defer close(p.done)
		readers.Wait()
		p.err = p.cmd.Wait()
	}()
	t.Cleanup(func() { p.Stop(syscall.SIGTERM) })
	return p
}

// PID is the process id. With a Host it is the program's too: "ip netns exec"
// replaces itself by the program.
func (p *Proc) PID() int { return p.cmd.Process.Pid }

// Done is closed when the process has ended.
func (p *Proc) Done() <-chan struct{} { return p.done }

// ended says whether the process has ended.
func (p *Proc) ended() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

// Output is the last 64 KiB of what the process wrote, both streams mixed.
func (p *Proc) Output() string { return p.out.String() }

// Signal sends sig to the process alone.
func (p *Proc) Signal(sig syscall.Signal) {
	_ = p.cmd.Process.Signal(sig) // an ended process is no fault
}

// Stop sends sig, waits, and kills the whole group if the process is still
// there after killGrace. It may be called again and on an ended process.
// It gives the exit code, -1 if a signal ended the process.
func (p *Proc) Stop(sig syscall.Signal) int {
	select {
	case <-p.done:
		return p.cmd.ProcessState.ExitCode()
	default:
	}
	p.Signal(sig)
	select {
	case <-p.done:
	case <-time.After(killGrace):
		// Negative: the group, so that children that a player started go too.
		_ = syscall.Kill(-p.PID(), syscall.SIGKILL)
		<-p.done
	}
	return p.cmd.ProcessState.ExitCode()
}

// Kill ends the process group at once, as a machine that loses its power.
func (p *Proc) Kill() {
	_ = syscall.Kill(-p.PID(), syscall.SIGKILL)
	<-p.done
}

// WaitExit waits for the process to end by itself and gives its exit code; it
// fails the test if the process is still running after within.
func (p *Proc) WaitExit(within time.Duration) int {
	p.t.Helper()
	select {
	case <-p.done:
	case <-time.After(within):
		p.t.Fatalf("lab: %s still runs after %v\n%s", p.name, within, p.Output())
	}
	return p.cmd.ProcessState.ExitCode()
}

// read hands the lines of one stream on and keeps the tail.
func (p *Proc) read(r io.Reader, line func(string)) {
	lines := bufio.NewScanner(r)
	lines.Buffer(make([]byte, 0, 4096), 1<<20)
	lines.Split(scanLines)
	for lines.Scan() {
		p.out.add(lines.Text())
		if line != nil {
			line(lines.Text())
		}
	}
	// A line over the buffer ends the scanner; the pipe must still be emptied or
	// the process would block on it.
	_, _ = io.Copy(io.Discard, r)
}

// scanLines is bufio.ScanLines with '\r' as another line end.
func scanLines(data []byte, atEOF bool) (int, []byte, error) {
	if i := bytes.IndexAny(data, "\r\n"); i >= 0 {
		return i + 1, data[:i], nil
	}
	if atEOF && len(data) > 0 {
		return len(data), data, nil
	}
	return 0, nil, nil
}

// tailLimit bounds what is kept of a process's output.
const tailLimit = 64 << 10

// tail keeps the last lines written to it.
type tail struct {
	mu    sync.Mutex
	lines []string
	size  int
}

func (b *tail) add(line string) {
	if strings.TrimSpace(line) == "" || strings.Contains(line, ": caps = ") {
		return // gst-launch -v: pages of no use
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.lines = append(b.lines, line)
	b.size += len(line) + 1
	for b.size > tailLimit {
		b.size -= len(b.lines[0]) + 1
		b.lines = b.lines[1:]
	}
}

func (b *tail) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return strings.Join(b.lines, "\n")
}
