//go:build linux

package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

func main() {
	if os.Getenv(roleVariable) != "" {
		if err := relayRole(os.Stdin, os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	ctx, stop := untilTold()
	err := command(ctx, os.Args[1:], os.Stdout)
	stop()
	switch {
	case errors.Is(err, flag.ErrHelp):
		os.Exit(2) // flag has written what there is to say
	case err != nil:
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// untilTold ends with a signal that asks for it. None may end the program before it has put the machine back as it was, not even
// the end of who reads its output: so SIGPIPE is taken, and nobody reads it. It must not end the measuring either, for a write to a connection
// that a player has closed brings one too.
func untilTold() (context.Context, context.CancelFunc) {
	signal.Notify(make(chan os.Signal, 1), unix.SIGPIPE)
	return signal.NotifyContext(context.Background(), os.Interrupt, unix.SIGTERM, unix.SIGHUP)
}

// options are the command line.
type options struct {
	relays  string
	load    load
	window  time.Duration
	repeat  int
	receive string
	table   bool
	quick   bool
	only    string
	search  bool
	tcp     int
	json    string
}

func command(ctx context.Context, args []string, out io.Writer) error {
	o := options{}
	flags := flag.NewFlagSet("rig", flag.ContinueOnError)
	flags.StringVar(&o.relays, "relay", "nat,plain", "relays, with commas: routing, nat, plain, fast, steer, xdp, rtpengine, coturn")
	flags.IntVar(&o.load.Flows, "flows", 1000, "how many flows")
	flags.IntVar(&o.load.Size, "size", 1316, "bytes of UDP payload")
	flags.IntVar(&o.load.Rate, "rate", 50000, "packets a second over all flows, 0: as fast as one thread can")
	flags.IntVar(&o.load.Burst, "burst", 1, "packets back to back of one flow")
	flags.DurationVar(&o.load.Tick, "tick", 200*time.Microsecond, "packets leave at its multiples; 0: each at its own time")
	flags.DurationVar(&o.window, "time", 3*time.Second, "how long it is measured")
	flags.IntVar(&o.repeat, "repeat", 1, "how often, in turn")
	flags.StringVar(&o.receive, "receive", receiveThread, "receive path of the gateway: thread or softirq")
	flags.BoolVar(&o.table, "table", false, "measure all points and print the table and the goals")
	flags.BoolVar(&o.quick, "quick", false, "with -table: fewer points, each once")
	flags.StringVar(&o.only, "only", "", "with -table: points whose name has this part")
	flags.BoolVar(&o.search, "search", false, "search the highest rate without loss instead")
	flags.IntVar(&o.tcp, "tcp", 0, "measure so many sessions of interleaved media instead")
	flags.StringVar(&o.json, "json", "", "file to write the report to, as JSON")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if err := errors.Join(moreFiles(), take()); err != nil {
		return err
	}
	// Generator and sink sleep in system calls that the scheduler does not see: each keeps one of these for itself.
	runtime.GOMAXPROCS(6)
	if o.load.Burst < 1 {
		return errors.New("rig: read options: -burst is at least 1")
	}
	r, err := o.report(ctx)
	if err != nil {
		return err
	}
	r.writeTable(out)
	if o.table {
		r.writeGoals(out)
	}
	if o.json != "" {
		return r.writeJSON(o.json)
	}
	return nil
}

// report measures with the kernel set for it, and sets it back whatever happens.
func (o options) report(ctx context.Context) (r *report, err error) {
	r = newReport(o.receive)
	text, restore, err := keepBuffers(deferMaxFile)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, restore()) }()
	r.Buffers = text
	return r, o.fill(ctx, r)
}

// fill measures what the options ask for.
func (o options) fill(ctx context.Context, r *report) (err error) {
	names := strings.Split(o.relays, ",")
	switch {
	case o.table:
		return o.fillTable(ctx, r)
	case o.search:
		r.Peaks, err = o.peaks(ctx, names, o.load)
		return err
	case o.tcp > 0:
		o.load.Flows = o.tcp
		return r.addTCP(ctx, o.load, o.window)
	}
	p := &point{Name: "point", Load: o.load, Relays: names, Turns: o.repeat, Window: o.window}
	r.Points = []*point{p}
	return p.run(ctx, o.receive, os.Stderr)
}

// bursts are how the highest rate and interleaved media are measured: singly, and as a key frame's packets come.
var bursts = []int{1, 16}

func (o options) fillTable(ctx context.Context, r *report) error {
	r.Points = named(plan(o.quick), o.only)
	for _, p := range r.Points {
		if err := p.run(ctx, o.receive, os.Stderr); err != nil {
			return err
		}
	}
	if o.only != "" {
		return nil
	}
	for _, burst := range bursts {
		err := r.addTCP(ctx, load{Flows: 40, Size: 1316, Burst: burst}, time.Second)
		if err != nil {
			return err
		}
	}
	if o.quick {
		return nil
	}
	for _, burst := range bursts {
		l := load{Flows: 1000, Size: 1316, Burst: burst, Tick: o.load.Tick}
		peaks, err := o.peaks(ctx, []string{reference, "plain", "fast", "steer", "xdp", "rtpengine", "coturn"}, l)
		if err != nil {
			return err
		}
		r.Peaks = append(r.Peaks, peaks...)
	}
	return nil
}

// peaks searches the highest rate of each relay.
func (o options) peaks(ctx context.Context, names []string, l load) (all []peak, err error) {
	for _, name := range names {
		p, err := search(ctx, o.receive, name, l, os.Stderr)
		if err != nil {
			return nil, err
		}
		all = append(all, p)
	}
	return all, nil
}

// moreFiles raises the limit of open files to what is allowed: relays have a socket and more for each session. Set, and
// not only raised by Go, it is their limit too.
func moreFiles() error {
	var l unix.Rlimit
	err := unix.Getrlimit(unix.RLIMIT_NOFILE, &l)
	if err == nil {
		l.Cur = l.Max
		err = unix.Setrlimit(unix.RLIMIT_NOFILE, &l)
	}
	if err != nil {
		return fmt.Errorf("rig: raise the limit of open files: %w", err)
	}
	return nil
}
