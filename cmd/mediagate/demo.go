package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"go.uber.org/zap"

	"mediagate/gateway"
	"mediagate/internal/config"
	"mediagate/internal/origin"
	"mediagate/internal/player"
)

// samplePath is where the embedded origin has the bundled sample.
const samplePath = "/sample.wmv"

// rowTimeout bounds one row: the sample's length and a slow machine.
const rowTimeout = 25 * time.Second

// errRowFailed is what demo returns when the table says why.
var errRowFailed = errors.New("demo: a row failed, see the table")

func newDemo() *cobra.Command {
	var keep bool
	level := "error"
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Show the gateway at work between embedded origins and the built-in player",
		Long: "demo starts two Windows-Media-like origins on 127.0.0.2 and 127.0.0.3 and the gateway on 127.0.0.1, plays the\n" +
			"bundled sample through it in each way that Windows Media Player has, all at the same time, compares what the\n" +
			"player got with the session record, and prints a table, within a minute. The rows called rollover climb down the\n" +
			"ladder, with one more of its upper steps refused by the gateway in each: UDP by an answer, a protocol by a closed\n" +
			"port. The exit code is 1 if a row fails.\n\n" +
			"Ports 554, 1755, 80 and 5004 are used if they can be bound, else the next free ones of a short list.",
		Example: "  mediagate demo\n  mediagate demo --keep     leave it running, for ffplay or VLC",
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx, stop := signal.NotifyContext(cmd.Context(), syscall.SIGTERM, syscall.SIGINT)
			defer stop()
			if err := logLevel(level); err != nil {
				return err
			}
			log := newLogger(config.Log{Level: level, Format: "console"}, cmd.ErrOrStderr())
			return runDemo(ctx, cmd.OutOrStdout(), keep, log)
		},
	}
	cmd.Flags().BoolVar(&keep, "keep", false, "leave everything running until a signal and print the URLs to play")
	cmd.Flags().StringVar(&level, "log-level", level, "debug, info, warn or error")
	return cmd
}

// runDemo sets the stage, plays every row and prints the table.
func runDemo(ctx context.Context, out io.Writer, keep bool, log *zap.Logger) (err error) {
	dir, err := os.MkdirTemp("", "mediagate-demo-")
	if err != nil {
		return fmt.Errorf("demo: make folder for session records: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	ports, err := choosePorts(out, canBindTCP, canBindBoth, canBindPair)
	if err != nil {
		return err
	}
	records := filepath.Join(dir, "sessions.jsonl")
	st, err := openStage(ctx, ports, records, log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, st.end()) }()
	results := playRows(ctx, ports, records, log)
	if ctx.Err() != nil {
		return errors.New("demo: interrupted")
	}
	printTable(out, results)
	if keep {
		printURLs(out, ports)
		select {
		case <-ctx.Done():
		case err := <-st.ended: // one of the three ended on its own
			return err
		}
	}
	for _, r := range results {
		if r.fault != "" {
			return errRowFailed
		}
	}
	return nil
}

// stage is the two origins and the gateway, running.
type stage struct {
	stop  context.CancelFunc
	wg    sync.WaitGroup
	ended chan error // what Run of each returned; room for all three
	close []func() error
}

// openStage starts the origins and the gateway; on an error nothing is left running.
func openStage(ctx context.Context, p demoPorts, records string, log *zap.Logger) (*stage, error) {
	ctx, stop := context.WithCancel(ctx)
	st := &stage{stop: stop, ended: make(chan error, len(demoOrigins)+1)}
	fail := func(err error) (*stage, error) { return nil, errors.Join(err, st.end()) }
	for _, at := range demoOrigins {
		o, err := origin.New(origin.Config{
			Listen: netip.AddrPortFrom(at, p.rtsp), MMS: netip.AddrPortFrom(at, p.mms), HTTP: netip.AddrPortFrom(at, p.http),
			Media: p.media, Logger: log.Named("origin").Named(at.String()),
		})
		if err != nil {
			return fail(err)
		}
		st.close = append(st.close, o.Close)
		if err := o.Start(); err != nil {
			return fail(err)
		}
		st.run(ctx, o.Run)
	}
	g, err := gateway.New(demoConfig(p, records), gateway.Options{Logger: log, Version: versionText()})
	if err != nil {
		return fail(err)
	}
	st.run(ctx, g.Run)
	select {
	case <-g.Ready():
		return st, nil
	case err := <-st.ended:
		return fail(err)
	}
}

func (st *stage) run(ctx context.Context, run func(context.Context) error) {
	st.wg.Go(func() { st.ended <- run(ctx) })
}

// end ends everything and returns what went wrong on the way, but for the end that was asked for.
func (st *stage) end() error {
	st.stop()
	st.wg.Wait()
	close(st.ended)
	var errs []error
	for _, c := range st.close {
		errs = append(errs, c())
	}
	for err := range st.ended {
		if !errors.Is(err, context.Canceled) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// demoConfig is the gateway of the demonstration. Round-robin shows both origins even to two players.
func demoConfig(p demoPorts, records string) *config.Config {
	c := config.Default()
	pool := config.Pool{
		Name: "windows-media", Policy: config.PolicyRoundRobin,
		Monitor: config.Monitor{
			Interval: config.Duration(5 * time.Second), Timeout: config.Duration(2 * time.Second), Rise: 1, Fall: 2,
		},
	}
	for i, at := range demoOrigins {
		pool.Nodes = append(pool.Nodes, config.Node{
			Name: "wms" + strconv.Itoa(i+1), Address: at, Ports: config.Ports{RTSP: p.rtsp, MMS: p.mms, HTTP: p.http}, Weight: 1,
		})
	}
	c.Pools = []config.Pool{pool}
	for _, v := range []struct {
		name, protocol string
		port           uint16
		udp            bool
	}{
		{"RTSP Control", config.ProtocolRTSP, p.rtsp, true},
		{"MMS Control", config.ProtocolMMS, p.mms, true},
		{"HTTP Service", config.ProtocolHTTP, p.http, true},
		{"RTSP without UDP", config.ProtocolRTSP, p.rtspTCP, false},
		{"MMS without UDP", config.ProtocolMMS, p.mmsTCP, false},
	} {
		c.VirtualServers = append(c.VirtualServers, config.VirtualServer{
			Name: v.name, Protocol: v.protocol, Pool: pool.Name, UDP: v.udp, Affinity: config.Duration(time.Minute),
			Listen: []config.Listen{{Addr: demoGateway, Port: v.port}},
		})
	}
	c.Sessions.Log = records
	c.Relay.ClientMedia.Ports = config.PortRange{Lo: p.media, Hi: p.media + 1}
	return c
}

// playRow plays the sample once.
func playRow(ctx context.Context, row demoRow, ports demoPorts, log *zap.Logger) (*player.Report, error) {
	ctx, cancel := context.WithTimeout(ctx, rowTimeout)
	defer cancel()
	return player.Play(ctx, player.Options{
		URL: demoURL(row.scheme, ports), Rollover: row.blocked > 0, Ports: ladderPorts(row.blocked, ports),
		Resend: true, PacketPair: true, Logger: log.Named("player").Named(row.name),
	})
}
