package balancer

import (
	"errors"
	"fmt"
	"maps"
	"time"

	"go.uber.org/zap"
)

// What a Config's zero values mean.
const (
	defaultInterval  = 5 * time.Second  // a dead node is found within Interval times Fall
	defaultTimeout   = 2 * time.Second  // longer than a TCP SYN sent twice
	defaultRise      = 2                // one good answer may be luck
	defaultFall      = 3                // a packet or two may be lost
	defaultFailPause = 10 * time.Second // as long as Rise good verdicts take by default
)

// Config is what a Pool is made of.
type Config struct {
	Name   string // the pool's name in logs and errors
	Nodes  []Node // at least one; names are unique
	Policy Policy // nil: least-sessions; serves one pool only, since policies remember
	// Monitors holds the monitor of each service (the names of Node.Ports), since a node may serve one service and
	// not the other. Of a service without one only sessions' own connects tell.
	Monitors  map[string]Monitor
	Interval  time.Duration // between two probes of a node's service; 0: 5 s
	Timeout   time.Duration // of one probe; 0: 2 s
	Rise      int           // good verdicts in a row that bring a node back; 0: 2
	Fall      int           // bad verdicts in a row that take a node out; 0: 3
	FailPause time.Duration // how long a failed connect keeps a node out when no monitor of its service runs; 0: 10 s
	Now       func() time.Time
	Logger    *zap.Logger // state changes of nodes; nil: none
}

func checkTimes(cfg Config) error {
	var faults []error
	for _, f := range []struct {
		name string
		bad  bool
	}{
		{"interval", cfg.Interval < 0}, {"timeout", cfg.Timeout < 0}, {"rise", cfg.Rise < 0}, {"fall", cfg.Fall < 0},
		{"fail pause", cfg.FailPause < 0},
	} {
		if f.bad {
			faults = append(faults, fmt.Errorf("%s is negative", f.name))
		}
	}
	return errors.Join(faults...)
}

func withDefaults(cfg Config) Config {
	cfg.Interval = or(cfg.Interval, defaultInterval)
	cfg.Timeout = or(cfg.Timeout, defaultTimeout)
	cfg.Rise = or(cfg.Rise, defaultRise)
	cfg.Fall = or(cfg.Fall, defaultFall)
	cfg.FailPause = or(cfg.FailPause, defaultFailPause)
	if cfg.Policy == nil {
		cfg.Policy = LeastSessions()
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Logger == nil {
		cfg.Logger = zap.NewNop()
	}
	cfg.Logger = cfg.Logger.With(zap.String("pool", cfg.Name))
	cfg.Monitors = maps.Clone(cfg.Monitors)
	maps.DeleteFunc(cfg.Monitors, func(_ string, m Monitor) bool { return m == nil })
	cfg.Nodes = nil // the table is the truth from now on
	return cfg
}

func or[T comparable](v, def T) T {
	var zero T
	if v == zero {
		return def
	}
	return v
}
