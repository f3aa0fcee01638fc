//go:build linux

package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// figures are what one run found.
type figures struct {
	Relay   string  `json:"relay"`
	Sent    uint64  `json:"sent"`
	Got     uint64  `json:"received"`
	Lost    int64   `json:"lost"`
	Order   uint64  `json:"out_of_order"`
	Late    uint64  `json:"left_late"`    // by more than a millisecond: the generator could not keep up
	Rate    float64 `json:"rate"`         // packets a second that were really sent
	CPU     float64 `json:"cpu_us"`       // per packet in us, that is CPU seconds per million packets: relay and receive path
	Process float64 `json:"process_us"`   // the part of the relay's process
	Core    float64 `json:"core_us"`      // all that the relay's core did, other programs of the machine too
	Busy    float64 `json:"busy"`         // share of the relay's core that CPU is
	P50     int64   `json:"delay_p50_us"` // one way, from the call that sent it
	P99     int64   `json:"delay_p99_us"`
	Memory  int64   `json:"memory,omitempty"`  // resident memory of the process
	Session int64   `json:"session,omitempty"` // what one session adds to it
}

// Before the window the load runs for settle; after it the last packets have drain to arrive.
const (
	settle = 300 * time.Millisecond
	drain  = 300 * time.Millisecond
)

// usage is a reading of the clocks.
type usage struct {
	process, kernel time.Duration // the relay's process, the receive threads of the gateway
	core            time.Duration // not idle, of the relay's core
	at              time.Time
	sent            uint64
}

// measure sends a load through a relay, which it ends, for a while.
func measure(ctx context.Context, receive, name string, l load, window time.Duration) (figures, error) {
	f := figures{Relay: name}
	b, err := newBed(ctx, receive)
	if err != nil {
		return f, err
	}
	defer b.close()
	r, err := newRelay(name)
	if err != nil {
		return f, err
	}
	defer r.close()
	to, err := r.open(ctx, b, l.Flows)
	if err != nil {
		return f, err
	}
	ssrc := rand.Uint32() &^ 0xffff
	s, err := newSink(l, ssrc)
	if err != nil {
		return f, err
	}
	defer s.close()
	g, err := newGenerator(l, ssrc, to)
	if err != nil {
		return f, err
	}
	defer g.close()
	if err := f.run(ctx, b, r, g, s, window); err != nil {
		return f, err
	}
	for _, pid := range r.pids() {
		m, err := resident(pid)
		if err != nil {
			return f, err
		}
		f.Memory += m
	}
	f.Session = r.session()
	return f, nil
}

// run primes, loads and reads.
func (f *figures) run(ctx context.Context, b *bed, r relay, g *generator, s *sink, window time.Duration) error {
	if err := g.prime(); err != nil {
		return err
	}
	if err := wait(ctx, drain); err != nil {
		return err
	}
	sending := make(chan error, 1)
	go func() { sending <- g.run() }()
	first, last, err := f.window(ctx, b, r, g, window)
	g.quit.Store(true)
	if serr := <-sending; err == nil {
		err = serr
	}
	if err != nil {
		return err
	}
	c, err := arrived(ctx, g, s)
	if err != nil {
		return err
	}
	f.sum(first, last, g, c)
	return nil
}

// arrived is what has come when the last packets had drain to arrive, and those of a relay that is held up the load's patience.
func arrived(ctx context.Context, g *generator, s *sink) (c counts, err error) {
	for begun := time.Now(); ; {
		if err := wait(ctx, drain); err != nil {
			return c, err
		}
		if c, err = s.read(); err != nil || c.got >= g.sent.Load() || time.Since(begun) > g.load.Patience {
			return c, err
		}
	}
}

// window reads the clocks at both ends of the time that counts.
func (f *figures) window(ctx context.Context, b *bed, r relay, g *generator, d time.Duration) (first, last usage, err error) {
	if err = wait(ctx, settle); err != nil {
		return first, last, err
	}
	if first, err = read(b, r, g); err != nil {
		return first, last, err
	}
	if err = wait(ctx, d); err != nil {
		return first, last, err
	}
	last, err = read(b, r, g)
	return first, last, err
}

func (f *figures) sum(first, last usage, g *generator, c counts) {
	n := float64(last.sent - first.sent)
	micro := func(d time.Duration) float64 { return float64(d) / n / 1e3 }
	took := last.at.Sub(first.at)
	process, kernel := last.process-first.process, last.kernel-first.kernel
	f.Sent, f.Got, f.Order, f.Late = g.sent.Load(), c.got, c.order, g.late.Load()
	f.Lost = int64(f.Sent) - int64(f.Got)
	f.Rate = n / took.Seconds()
	f.Process, f.Core = micro(process), micro(last.core-first.core)
	f.CPU = micro(process + kernel)
	f.Busy = float64(process+kernel) / float64(took)
	f.P50, f.P99 = c.delay.quantile(0.5).Microseconds(), c.delay.quantile(0.99).Microseconds()
}

// read reads all clocks.
func read(b *bed, r relay, g *generator) (u usage, err error) {
	if u.process, err = cpuTime(r.pids()); err != nil {
		return u, err
	}
	if u.kernel, err = cpuTime(b.napi); err != nil {
		return u, err
	}
	if u.core, err = busy(relayCore); err != nil {
		return u, err
	}
	if b.receive == receiveSoftirq {
		u.kernel = u.core - u.process
	}
	u.at, u.sent = time.Now(), g.sent.Load()
	return u, nil
}

// cpuTime is the time that processes have run, all their threads together: the scheduler's own account, in ns, of which
// an interrupt that came meanwhile is a part.
func cpuTime(pids []int) (sum time.Duration, err error) {
	for _, pid := range pids {
		var ts unix.Timespec
		// The clock of a process: CPUCLOCK_SCHED, see clock_getcpuclockid(3).
		if err := unix.ClockGettime(int32(^pid<<3|2), &ts); err != nil {
			return 0, fmt.Errorf("rig: read clock of process %d: %w", pid, err)
		}
		sum += time.Duration(ts.Nano())
	}
	return sum, nil
}

// busy is how long a core was not idle since the machine started, in steps of 10 ms.
func busy(core int) (time.Duration, error) {
	text, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0, fmt.Errorf("rig: read time of core %d: %w", core, err)
	}
	for line := range strings.Lines(string(text)) {
		var c, user, nice, system, idle, iowait int64
		if _, err := fmt.Sscanf(line, "cpu%d %d %d %d %d %d", &c, &user, &nice, &system, &idle, &iowait); err != nil || int(c) != core {
			continue
		}
		var ts unix.Timespec
		if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts); err != nil {
			return 0, fmt.Errorf("rig: read clock: %w", err)
		}
		return time.Duration(ts.Nano()) - time.Duration(idle+iowait)*10*time.Millisecond, nil
	}
	return 0, fmt.Errorf("rig: read time of core %d: it is not in /proc/stat", core)
}

// wait waits, unless the run is ended.
func wait(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
