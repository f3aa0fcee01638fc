//go:build linux

package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
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
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, unix.SIGTERM)
	err := command(ctx, os.Args[1:], os.Stdout)
	stop()
	switch {
	case errors.Is(err, flag.ErrHelp):
		os.Exit(2)
	case err != nil:
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// options are the command line.
type options struct {
	relays  string
	load    load
	window  time.Duration
	repeat  int
	receive string
	json    bool
}

func command(ctx context.Context, args []string, out io.Writer) error {
	o := options{}
	flags := flag.NewFlagSet("rig", flag.ContinueOnError)
	flags.StringVar(&o.relays, "relay", "nat,plain", "relays, with commas: routing, nat, plain, fast, steer, rtpengine, coturn")
	flags.IntVar(&o.load.Flows, "flows", 1000, "how many flows")
	flags.IntVar(&o.load.Size, "size", 1316, "bytes of UDP payload")
	flags.IntVar(&o.load.Rate, "rate", 50000, "packets a second over all flows, 0: as fast as one thread can")
	flags.IntVar(&o.load.Burst, "burst", 1, "packets back to back of one flow")
	flags.DurationVar(&o.load.Tick, "tick", 200*time.Microsecond, "packets leave at its multiples; 0: each at its own time")
	flags.DurationVar(&o.window, "time", 3*time.Second, "how long it is measured")
	flags.IntVar(&o.repeat, "repeat", 1, "how often, in turn")
	flags.StringVar(&o.receive, "receive", receiveThread, "receive path of the gateway: thread or softirq")
	flags.BoolVar(&o.json, "json", false, "a line of JSON per run")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if err := moreFiles(); err != nil {
		return err
	}
	return o.point(ctx, out)
}

// point measures one load through some relays, in turn.
func (o options) point(ctx context.Context, out io.Writer) error {
	for range o.repeat {
		for _, name := range strings.Split(o.relays, ",") {
			f, err := measure(ctx, o.receive, name, o.load, o.window)
			if err != nil {
				return err
			}
			if o.json {
				if err := json.NewEncoder(out).Encode(f); err != nil {
					return err
				}
				continue
			}
			fmt.Fprintf(out, "%-10s cpu %6.2f us (process %5.2f, core %5.2f) rate %7.0f lost %d of %d order %d late %d p50 %d p99 %d us rss %d MiB session %d B\n",
				f.Relay, f.CPU, f.Process, f.Core, f.Rate, f.Lost, f.Sent, f.Order, f.Late, f.P50, f.P99, f.Memory>>20, f.Session)
		}
	}
	return nil
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
