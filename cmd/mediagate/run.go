package main

import (
	"context"
	"io"
	"os"
	"os/signal"
	"slices"
	"sync"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"mediagate/gateway"
	"mediagate/internal/config"
)

// runFlags are the flags of run.
type runFlags struct {
	config, origin                string
	listen, listenMMS, listenHTTP []string
}

func newRun() *cobra.Command {
	var f runFlags
	cmd := &cobra.Command{
		Use:   "run (-c FILE | --origin ADDR [--listen ADDR] [--listen-mms ADDR] [--listen-http ADDR])",
		Short: "Run the gateway",
		Long: "run serves a configuration file, or one origin server without a file: RTSP on port 554, MMS on port 1755\n" +
			"and HTTP on port 80 of every address. The port in --origin is the server's RTSP port; its MMS port is 1755, its\n" +
			"HTTP port 80.\n\n" +
			"SIGTERM and SIGINT drain: no new sessions, present ones run on until timeouts.drain is over; a second one\n" +
			"stops now. SIGHUP or SIGUSR1 opens the session log anew after it was rotated; it does not read the configuration again\n" +
			"in this version.\n\n" +
			"The log goes to standard error, session records to sessions.log (standard output unless the file says\n" +
			"otherwise). The exit code is 0 after a stop that was asked for, 1 after a fault.",
		Example: "  mediagate run -c /etc/mediagate.yaml\n" +
			"  mediagate run --origin 192.0.2.11\n" +
			"  mediagate run --origin 192.0.2.11:8554 --listen :8554 --listen-http :8080     without root",
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := f.load()
			if err != nil {
				return err
			}
			log, level := newLeveledLogger(cfg.Log, cmd.ErrOrStderr())
			defer func() { _ = log.Sync() }() // standard error has nothing to flush
			return serve(cmd.Context(), cfg, log, level)
		},
	}
	cmd.Flags().StringVarP(&f.config, "config", "c", "", "configuration `FILE`")
	cmd.Flags().StringVar(&f.origin, "origin", "", "serve the one origin at `ADDR`, an IP address with or without a port")
	cmd.Flags().StringArrayVar(&f.listen, "listen", nil,
		"with --origin: listen on `ADDR`, such as :8554 or 192.0.2.1:554, instead of :554, and for MMS and HTTP on the same address; may be repeated")
	cmd.Flags().StringArrayVar(&f.listenMMS, "listen-mms", nil,
		"with --origin: listen on `ADDR` for MMS, such as :11755, instead of :1755; may be repeated")
	cmd.Flags().StringArrayVar(&f.listenHTTP, "listen-http", nil,
		"with --origin: listen on `ADDR` for HTTP, such as :8080, instead of :80; may be repeated")
	return cmd
}

// load returns the configuration that the flags name.
func (f runFlags) load() (*config.Config, error) {
	switch {
	case f.config == "" && f.origin == "":
		return nil, usagef("name a file with -c FILE, or an origin server with --origin ADDR")
	case f.config != "" && f.origin != "":
		return nil, usagef("-c and --origin exclude each other")
	case f.config != "" && f.listen != nil:
		return nil, usagef("--listen goes with --origin; a file has its own listen addresses")
	case f.config != "" && f.listenMMS != nil:
		return nil, usagef("--listen-mms goes with --origin; a file has its own listen addresses")
	case f.config != "" && f.listenHTTP != nil:
		return nil, usagef("--listen-http goes with --origin; a file has its own listen addresses")
	case f.config != "":
		return config.Load(f.config)
	}
	cfg, err := config.ForOrigin(f.origin)
	if err != nil || f.listen == nil && f.listenMMS == nil && f.listenHTTP == nil {
		return cfg, err
	}
	if err := f.place(cfg.VirtualServers); err != nil {
		return nil, err
	}
	return cfg, cfg.Validate()
}

// place moves the virtual servers of --origin, RTSP first, to the addresses that the flags name.
func (f runFlags) place(servers []config.VirtualServer) (err error) {
	for i, flag := range []struct {
		name  string
		texts []string
	}{{"--listen", f.listen}, {"--listen-mms", f.listenMMS}, {"--listen-http", f.listenHTTP}} {
		switch {
		case flag.texts != nil:
			if servers[i].Listen, err = parseListens(flag.name, flag.texts); err != nil {
				return err
			}
		case f.listen != nil:
			servers[i].Listen = sameAddresses(servers[0].Listen, servers[i].Listen[0].Port)
		}
	}
	return nil
}

// parseListens reads the values of a flag.
func parseListens(flag string, texts []string) ([]config.Listen, error) {
	var all []config.Listen
	for _, text := range texts {
		l, err := config.ParseListen(text)
		if err != nil {
			return nil, config.Faults{{File: flag, Text: text, What: err.Error()}}
		}
		all = append(all, l)
	}
	return all, nil
}

// sameAddresses is another port of each address, once.
func sameAddresses(list []config.Listen, port uint16) []config.Listen {
	var all []config.Listen
	for _, l := range list {
		l.Port = port
		if !slices.Contains(all, l) {
			all = append(all, l)
		}
	}
	return all
}

// serve runs the gateway until a signal stops it.
func serve(ctx context.Context, cfg *config.Config, log *zap.Logger, level zap.AtomicLevel) error {
	g, err := gateway.New(cfg, gateway.Options{Logger: log, Level: level, Version: versionText()})
	if err != nil {
		return err
	}
	// Room for one signal of each kind that matters; what comes on top says nothing new.
	signals := make(chan os.Signal, 3)
	// To the very end: one that comes when all has ended must not be what the exit code tells of.
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP, syscall.SIGUSR1)
	return supervise(ctx, g, time.Duration(cfg.Timeouts.Drain), signals, log)
}

// runner is the gateway as supervise sees it.
type runner interface {
	Run(context.Context) error
	Ready() <-chan struct{}
	Shutdown(context.Context) error
	ReopenLogs() error
}

// supervise runs g and passes signals on to it: the first to stop drains, the second stops now. It returns when g has
// ended.
func supervise(ctx context.Context, g runner, drain time.Duration, signals <-chan os.Signal, log *zap.Logger) error {
	ctx, stopNow := context.WithCancel(ctx)
	defer stopNow()
	var wg sync.WaitGroup
	defer wg.Wait()
	ended := make(chan error, 1) // Run ends once
	wg.Go(func() { ended <- g.Run(ctx) })
	draining := false
	for {
		select {
		case err := <-ended:
			return err
		case sig := <-signals:
			switch {
			case sig == syscall.SIGHUP || sig == syscall.SIGUSR1:
				reopen(g, log)
			case draining:
				log.Info("stopping now", zap.Stringer("signal", sig))
				stopNow()
			default:
				draining = true
				log.Info("asked to stop", zap.Stringer("signal", sig), zap.Duration("drain_at_most", drain))
				bound, cancel := context.WithTimeout(ctx, drain)
				defer cancel()
				wg.Go(func() { shutDown(bound, g, stopNow) })
			}
		}
	}
}

// shutDown drains g. Players may have connected to ports that were bound a moment before g is ready, so that it is
// waited for; a gateway that does not come up while ctx lasts is stopped.
func shutDown(ctx context.Context, g runner, stopNow func()) {
	select {
	case <-g.Ready():
		_ = g.Shutdown(ctx) // that its time ran out is no fault, and Run ends after it
	case <-ctx.Done():
		stopNow()
	}
}

func reopen(g runner, log *zap.Logger) {
	if err := g.ReopenLogs(); err != nil {
		log.Error("session log not reopened", zap.Error(err))
		return
	}
	log.Info("session log reopened; reading the configuration again is not in this version yet")
}

// newLogger returns the program's log as the configuration wants it.
func newLogger(cfg config.Log, to io.Writer) *zap.Logger {
	log, _ := newLeveledLogger(cfg, to)
	return log
}

// newLeveledLogger is newLogger, with the level that may be changed.
func newLeveledLogger(cfg config.Log, to io.Writer) (*zap.Logger, zap.AtomicLevel) {
	enc := zap.NewProductionEncoderConfig()
	enc.TimeKey = "time"
	enc.EncodeTime = zapcore.RFC3339NanoTimeEncoder
	enc.EncodeDuration = zapcore.StringDurationEncoder
	level, err := zapcore.ParseLevel(cfg.Level)
	if err != nil {
		level = zapcore.InfoLevel // config has checked it
	}
	encoder := zapcore.NewJSONEncoder(enc)
	if cfg.Format == "console" {
		encoder = zapcore.NewConsoleEncoder(enc)
	}
	atomic := zap.NewAtomicLevelAt(level)
	return zap.New(zapcore.NewCore(encoder, zapcore.Lock(zapcore.AddSync(to)), atomic)), atomic
}
