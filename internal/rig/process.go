//go:build linux

package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// process is a relay's program, in the gateway's namespace and on the relay's core.
type process struct {
	cmd    *exec.Cmd
	in     io.WriteCloser
	lines  *bufio.Scanner // of what it writes to standard output
	errors *lastWords

	reading sync.Mutex // of lines, once swallow may be called
}

// endGrace is how long a program may take to end.
const endGrace = 3 * time.Second

// startProcess starts a program. It inherits core and priority from the thread that starts it.
func startProcess(name string, args, env []string) (*process, error) {
	p := &process{cmd: exec.Command("ip", append([]string{"netns", "exec", namespace(gatewayHost), name}, args...)...), errors: &lastWords{}}
	p.cmd.Env = append(os.Environ(), env...)
	p.cmd.Stderr = p.errors
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	var err error
	if p.in, err = p.cmd.StdinPipe(); err != nil {
		return nil, fmt.Errorf("rig: start %s: %w", name, err)
	}
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, fmt.Errorf("rig: start %s: %w", name, err)
	}
	p.lines = bufio.NewScanner(out)
	p.lines.Buffer(nil, 1<<20)
	done := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread ends, and its core with it
		if err := errors.Join(pin(0, relayCore), prefer(0)); err != nil {
			done <- err
			return
		}
		done <- p.cmd.Start()
	}()
	if err := <-done; err != nil {
		return nil, fmt.Errorf("rig: start %s: %w", name, err)
	}
	return p, nil
}

func (p *process) pid() int { return p.cmd.Process.Pid }

// processIDs is a relay's pids, and closeProcess its close: a relay that could not be started has no process.
func processIDs(p *process) []int {
	if p == nil {
		return nil
	}
	return []int{p.pid()}
}

func closeProcess(p *process) {
	if p != nil {
		p.close()
	}
}

// say writes one line of JSON to the program.
func (p *process) say(v any) error {
	if err := json.NewEncoder(p.in).Encode(v); err != nil {
		return fmt.Errorf("rig: speak to relay: %w: %s", err, p.errors)
	}
	return nil
}

// hear reads one line of JSON from it.
func (p *process) hear(v any) error {
	if !p.lines.Scan() {
		return fmt.Errorf("rig: hear relay: it ended: %s", p.errors)
	}
	if err := json.Unmarshal(p.lines.Bytes(), v); err != nil {
		return fmt.Errorf("rig: hear relay: %w: %q", err, p.lines.Text())
	}
	return nil
}

// swallow reads what nobody asks for, so that it does not block the program.
func (p *process) swallow() {
	p.reading.Lock()
	defer p.reading.Unlock()
	for p.lines.Scan() {
	}
}

// close ends the program and waits for it.
func (p *process) close() {
	_ = p.in.Close()
	_ = p.cmd.Process.Signal(unix.SIGTERM)
	ctx, cancel := context.WithTimeout(context.Background(), endGrace)
	defer cancel()
	ended := context.AfterFunc(ctx, func() {
		if ctx.Err() == context.DeadlineExceeded {
			_ = syscall.Kill(-p.pid(), syscall.SIGKILL)
		}
	})
	p.swallow() // Wait must not come before the end of the output
	_ = p.cmd.Wait()
	ended()
}

// lastWords keeps the end of what a program wrote to standard error.
type lastWords struct {
	mu   sync.Mutex
	text []byte
}

func (w *lastWords) Write(b []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.text = append(w.text, b...)
	if over := len(w.text) - 4096; over > 0 {
		w.text = w.text[over:]
	}
	return len(b), nil
}

func (w *lastWords) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return strings.TrimSpace(string(w.text))
}
