package gateway

import (
	"context"
	"fmt"
	"io"
	"os"
	"time"

	"go.uber.org/zap"

	"mediagate/internal/capture"
	"mediagate/internal/config"
)

func newBook(cfg *config.Config, log *zap.Logger) *capture.Book {
	f := &cfg.Capture.Flight
	ends := f.Ends
	if len(ends) == 0 {
		ends = config.BadEnds()
	}
	return capture.New(capture.Config{
		Flight: capture.Flight{
			Memory: int(f.Memory), Dir: f.Dir, Ends: ends, Files: f.Files, Bytes: int64(f.Bytes),
		},
		TraceDir: cfg.Sessions.TraceDir,
		Dir:      cfg.Capture.Dir,
		Rules:    captureRules(cfg.Capture.Rules),
		Logger:   log.Named("capture"),
	})
}

func captureRules(rules []config.CaptureRule) []capture.Rule {
	all := make([]capture.Rule, 0, len(rules))
	for i := range rules {
		r := &rules[i]
		network, _ := r.Network() // the configuration was checked
		all = append(all, capture.Rule{
			Name: r.Name, Client: network, URL: r.URL, Node: r.Node, UserAgent: r.UserAgent,
			Trace: r.Record != config.RecordPackets, Packets: r.Record != config.RecordTrace,
			Options: capture.Options{
				Packets: uint64(r.Packets), Bytes: int64(r.Bytes), Duration: time.Duration(r.Duration), Snaplen: int(r.Snaplen),
			},
		})
	}
	return all
}

// CaptureOptions bound a capture; a zero field means its default.
type CaptureOptions = capture.Options

// The errors of Trace, TraceText and Capture that a caller tells apart with errors.Is.
var (
	ErrUnknownSession  = capture.ErrUnknown // it does not run
	ErrCaptureFull     = capture.ErrFull    // as many captures of it run as may
	ErrTraceHasNoPlace = capture.ErrNowhere // neither capture.dir nor sessions.trace_dir is set
)

// Capture writes what a running session sends and receives from now on to w, as pcapng, until the session ends, a limit is
// reached, or ctx is done, which is no error. It returns when nothing more is written to w. A w that takes nothing loses
// packets, which the file counts; the session does not wait.
func (g *Gateway) Capture(ctx context.Context, id string, opt CaptureOptions, w io.Writer) error {
	return g.book.Capture(ctx, id, opt, w)
}

// Trace begins (on) or ends a trace of a running session, in a file of capture.dir, or else of sessions.trace_dir. It
// begins with what the flight recorder has kept. To begin one that runs, or to end one that does not, is no error.
func (g *Gateway) Trace(id string, on bool) error { return g.book.Trace(id, on) }

// TraceText is the trace of a running session so far, as the flight recorder has it: UTF-8 text.
func (g *Gateway) TraceText(id string) ([]byte, error) { return g.book.Text(id) }

// openEvidence opens the session logs, once the directories for evidence are known to be good.
func (g *Gateway) openEvidence() (recordLogs, error) {
	if err := g.checkCapture(); err != nil {
		return nil, err
	}
	return openRecords(g.cfg.Sessions, g.opt.Version, g.log.Named("sessionlog"))
}

// checkCapture tells of a directory that cannot be used, at start and not when the first evidence is lost.
func (g *Gateway) checkCapture() error {
	for _, d := range []struct{ key, dir string }{
		{"sessions.trace_dir", g.cfg.Sessions.TraceDir},
		{"capture.flight.dir", g.cfg.Capture.Flight.Dir},
		{"capture.dir", g.cfg.Capture.Dir},
	} {
		if d.dir == "" {
			continue
		}
		f, err := os.CreateTemp(d.dir, ".mediagate-*")
		if err != nil {
			return fmt.Errorf("gateway: write to %s: %w; make the directory, with write permission for this user", d.key, err)
		}
		_ = f.Close()           // nothing was written
		_ = os.Remove(f.Name()) // an empty file would only look odd
	}
	return nil
}
