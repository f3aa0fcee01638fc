//go:build linux

package main

import (
	"errors"
	"fmt"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// The cores: the generator has one, the relay, all that the kernel does for the gateway and the sink, which counts where the
// gateway sends, the other.
const (
	trafficCore = 0
	relayCore   = 1
)

// receivePriority is the real-time priority of the gateway's receive threads: as a softirq would, they come before every
// process. Nothing else has one: the threads of a Go program wait for each other, and one that comes before the others
// waits for ever.
const receivePriority = 1

// pin binds a thread (0: the calling one) to a core.
func pin(pid, core int) error {
	var set unix.CPUSet
	set.Set(core)
	if err := unix.SchedSetaffinity(pid, &set); err != nil {
		return fmt.Errorf("rig: pin %d to core %d: %w", pid, core, err)
	}
	return nil
}

// take has every thread of this process run on the traffic's core, before all that other programs do there; threads to
// come inherit it. The scheduler of Go moves even a thread that is locked to its goroutine through others.
func take() error {
	tasks, err := os.ReadDir("/proc/self/task")
	if err != nil {
		return fmt.Errorf("rig: list threads: %w", err)
	}
	for _, t := range tasks {
		if tid, err := strconv.Atoi(t.Name()); err == nil {
			if err := errors.Join(pin(tid, trafficCore), prefer(tid)); err != nil {
				return err
			}
		}
	}
	return nil
}

// raise makes a thread (0: the calling one) run before every ordinary one.
func raise(pid int, priority uint32) error {
	attr := unix.SchedAttr{Size: unix.SizeofSchedAttr, Policy: unix.SCHED_FIFO, Priority: priority}
	if err := unix.SchedSetAttr(pid, &attr, 0); err != nil {
		return fmt.Errorf("rig: raise thread %d: %w", pid, err)
	}
	return nil
}

// prefer puts a thread (0: the calling one), and what it starts, before the other programs of the machine, as far as an ordinary
// one can be: relays must not keep the kernel's own threads from running.
func prefer(pid int) error {
	attr := unix.SchedAttr{Size: unix.SizeofSchedAttr, Policy: unix.SCHED_NORMAL, Nice: -20}
	if err := unix.SchedSetAttr(pid, &attr, 0); err != nil {
		return fmt.Errorf("rig: raise priority: %w", err)
	}
	return nil
}
