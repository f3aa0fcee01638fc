//go:build linux

package main

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"
)

// sink counts what comes to the client, and the client drops it: nobody is there. A program of the kernel does both at the
// client's ingress, in the softirq that the packet comes by. That runs in the name of who sent it, a relay, so the less
// it does the better: nothing is copied to this process and nobody is woken.
type sink struct {
	ssrc  uint32 // of flow 0
	flows int

	next, order, steps *ebpf.Map // an array of one element each, which the program reaches without a look-up
	program            *ebpf.Program
	link               link.Link
}

// counts are what the sink has seen.
type counts struct {
	got   uint64
	order uint64 // packets that came after a later one of their flow
	delay histogram
}

// newSink attaches a sink in the client's namespace, for as long as this process lives.
func newSink(l load, ssrc uint32) (*sink, error) {
	s, err := loadSink(l.Flows, ssrc)
	if err != nil {
		return nil, err
	}
	if err := inside(clientHost, s.attach); err != nil {
		s.close()
		return nil, fmt.Errorf("rig: open sink: attach program: %w", err)
	}
	return s, nil
}

// loadSink makes the program and its maps. After an error nothing is left.
func loadSink(flows int, ssrc uint32) (*sink, error) {
	s := &sink{ssrc: ssrc, flows: flows}
	err := s.load()
	if err != nil {
		s.close()
		return nil, fmt.Errorf("rig: open sink: load program: %w", err)
	}
	return s, nil
}

func (s *sink) load() (err error) {
	for _, m := range []struct {
		at   **ebpf.Map
		name string
		size int
	}{{&s.next, "rig_next", 4 * s.flows}, {&s.order, "rig_order", 8}, {&s.steps, "rig_steps", 8 * histogramSteps}} {
		*m.at, err = ebpf.NewMap(&ebpf.MapSpec{Name: m.name, Type: ebpf.Array, KeySize: 4, ValueSize: uint32(m.size), MaxEntries: 1})
		if err != nil {
			return err
		}
	}
	s.program, err = ebpf.NewProgram(&ebpf.ProgramSpec{Name: "rig_sink", Type: ebpf.SchedCLS, Instructions: s.instructions()})
	return err
}

// attach runs on a thread that is in the client's namespace.
func (s *sink) attach() error {
	eth0, err := net.InterfaceByName("eth0")
	if err != nil {
		return err
	}
	s.link, err = link.AttachTCX(link.TCXOptions{Interface: eth0.Index, Program: s.program, Attach: ebpf.AttachTCXIngress})
	return err
}

// read is what has been counted. Each packet that counts is in one step of the histogram, so there is no other count.
func (s *sink) read() (c counts, err error) {
	order, oerr := s.order.LookupBytes(uint32(0))
	steps, serr := s.steps.LookupBytes(uint32(0))
	if err := errors.Join(oerr, serr); err != nil {
		return c, fmt.Errorf("rig: read sink: %w", err)
	}
	c.order = binary.NativeEndian.Uint64(order)
	c.delay = make(histogram, histogramSteps)
	for i := range c.delay {
		c.delay[i] = binary.NativeEndian.Uint64(steps[8*i:])
	}
	c.got = c.delay.count()
	return c, nil
}

func (s *sink) close() {
	if s.link != nil {
		_ = s.link.Close()
	}
	_, _, _, _ = s.program.Close(), s.next.Close(), s.order.Close(), s.steps.Close() // nil ones do nothing
}

// A histogram counts durations in steps of 1,024 ns, the last of which has all that are longer than 134 ms too.
const (
	histogramShift = 10
	histogramSteps = 1 << 17
)

type histogram []uint64

func (h histogram) count() (n uint64) {
	for _, c := range h {
		n += c
	}
	return n
}

// quantile is the duration that the share q (0 to 1) of all stayed below, 0 if there were none.
func (h histogram) quantile(q float64) time.Duration {
	want, sum := uint64(q*float64(h.count())), uint64(0)
	for i, c := range h {
		if sum += c; sum > want {
			return time.Duration(i << histogramShift)
		}
	}
	return 0
}
