package gateway

import (
	"fmt"
	"os"

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
		Logger:   log.Named("capture"),
	})
}

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
