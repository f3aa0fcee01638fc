package gateway

import (
	"errors"
	"fmt"
	"time"

	"go.uber.org/zap"

	"mediagate/internal/config"
	"mediagate/internal/sessionlog"
)

// recordLogs are where the session records go.
type recordLogs []*sessionlog.Writer

// openRecords opens the logs of the configuration, all or none.
func openRecords(cfg config.Sessions, version string, log *zap.Logger) (recordLogs, error) {
	records, err := sessionlog.Open(cfg.Log, log)
	if err != nil {
		return nil, fmt.Errorf("gateway: open session log: %w", err)
	}
	w3c, err := sessionlog.OpenW3C(cfg.W3CLog, "mediagate "+version, log)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("gateway: open W3C log: %w", err), records.Close())
	}
	return recordLogs{records, w3c}, nil
}

func (l recordLogs) write(r *sessionlog.Record) {
	for _, w := range l {
		w.Write(r)
	}
}

func (l recordLogs) reopen() error {
	var errs []error
	for _, w := range l {
		errs = append(errs, w.Reopen())
	}
	return errors.Join(errs...)
}

func (l recordLogs) close() error {
	var errs []error
	for _, w := range l {
		errs = append(errs, w.Close())
	}
	return errors.Join(errs...)
}

func (g *Gateway) setRecords(l recordLogs) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.records = l
}

func (g *Gateway) logs() recordLogs {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.records
}

func (g *Gateway) closeRecords() {
	_ = g.book.Close() // it has logged what went wrong
	g.strangers.close(g.log)
	if err := g.logs().close(); err != nil {
		g.log.Error("session records lost", zap.Error(err))
	}
}

// record is given to the proxies: it adds the steps that the viewer has tried before, queues the record and returns. Metrics count
// also what is not written.
func (g *Gateway) record(r *sessionlog.Record) {
	g.viewers.ended(r)
	g.metrics.Ended(r)
	if g.strangers.admit(r, time.Now()) {
		g.logs().write(r)
	}
}

// ReopenLogs opens the session logs anew, after they were rotated.
func (g *Gateway) ReopenLogs() error {
	if err := g.logs().reopen(); err != nil {
		return fmt.Errorf("gateway: reopen session logs: %w", err)
	}
	return nil
}
