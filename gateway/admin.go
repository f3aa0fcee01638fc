package gateway

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"

	"go.uber.org/zap"

	"mediagate/internal/admin"
	"mediagate/internal/sessionlog"
)

// watched is a proxy whose sessions can be looked at and ended.
type watched interface {
	Snapshot(ctx context.Context) []*sessionlog.Record
	Look(ctx context.Context, id string) *sessionlog.Record
	Kill(id, by string) bool
}

// view is the gateway as internal/admin sees it.
type view struct{ g *Gateway }

func (v view) watched() []watched {
	var all []watched
	for _, vs := range v.g.servers {
		switch p := vs.server.(type) {
		case watched:
			all = append(all, p)
		case *web:
			all = append(all, p.http, p.tunnel)
		}
	}
	return all
}

// Sessions are those that run, oldest first.
func (v view) Sessions(ctx context.Context) []*sessionlog.Record {
	var all []*sessionlog.Record
	for _, p := range v.watched() {
		all = append(all, p.Snapshot(ctx)...)
	}
	slices.SortStableFunc(all, func(a, b *sessionlog.Record) int { return a.Start.Compare(b.Start.Time) })
	return all
}

// Session is one that runs, nil if it does not.
func (v view) Session(ctx context.Context, id string) *sessionlog.Record {
	for _, p := range v.watched() {
		if r := p.Look(ctx, id); r != nil {
			return r
		}
	}
	return nil
}

// Kill ends a session.
func (v view) Kill(id, by string) bool {
	return slices.ContainsFunc(v.watched(), func(p watched) bool { return p.Kill(id, by) })
}

// Nodes are those of all pools, by name of the pool.
func (v view) Nodes() []admin.Node {
	var all []admin.Node
	for _, pool := range slices.Sorted(maps.Keys(v.g.pools)) {
		for _, n := range v.g.pools[pool].Snapshot() {
			node := admin.Node{Pool: pool, Name: n.Node.Name, Address: n.Node.Addr, Draining: n.Draining, Sessions: n.Sessions,
				Acquired: n.Acquired, Services: map[string]admin.Service{}}
			for name, s := range n.Services {
				node.Services[name] = admin.Service{Health: s.Health.String(), Usable: s.Usable, Passive: s.Passive, Reason: s.Reason,
					Since: s.Since, Failures: s.Failures}
			}
			all = append(all, node)
		}
	}
	return all
}

// Drain orders a node to take no new sessions, or to take them again.
func (v view) Drain(pool, node string, on bool) error {
	p := v.g.pools[pool]
	if p == nil {
		return fmt.Errorf("pool %q: %w", pool, admin.ErrUnknown)
	}
	if err := p.Drain(node, on); err != nil {
		return errors.Join(err, admin.ErrUnknown)
	}
	return nil
}

// Ready tells that not all listeners are up, that the gateway drains, or which pool has no usable node. A pool without a monitor
// has until a session finds out.
func (v view) Ready() error {
	select {
	case <-v.g.ready:
	default:
		return errors.New("not all listeners are up")
	}
	if v.g.isDraining() {
		return errors.New("draining: no new sessions are taken")
	}
	usable := map[string]bool{}
	for _, n := range v.Nodes() {
		for _, s := range n.Services {
			usable[n.Pool] = usable[n.Pool] || s.Usable
		}
	}
	var without []string
	for _, pool := range slices.Sorted(maps.Keys(v.g.pools)) {
		if !usable[pool] {
			without = append(without, pool)
		}
	}
	if len(without) > 0 {
		return fmt.Errorf("no usable node in %s", strings.Join(without, ", "))
	}
	return nil
}

// Trace begins or ends a trace.
func (v view) Trace(id string, on bool) error { return told(v.g.Trace(id, on)) }

// TraceText is what the flight recorder has.
func (v view) TraceText(id string) ([]byte, error) {
	text, err := v.g.TraceText(id)
	return text, told(err)
}

// Capture writes a session's packets.
func (v view) Capture(ctx context.Context, id string, o admin.CaptureOptions, w io.Writer) error {
	return told(v.g.Capture(ctx, id, CaptureOptions(o), w))
}

// told gives an error the name that internal/admin knows.
func told(err error) error {
	for mine, its := range map[error]error{ErrUnknownSession: admin.ErrUnknown, ErrCaptureFull: admin.ErrFull, ErrTraceHasNoPlace: admin.ErrNowhere} {
		if errors.Is(err, mine) {
			return fmt.Errorf("%w: %w", err, its)
		}
	}
	return err
}

// serveAdmin binds the admin API, if there is one, and serves it until stop is called.
func (g *Gateway) serveAdmin() (stop func(), err error) {
	c := g.cfg.Admin
	if c.Listen == "" {
		return func() {}, nil
	}
	token := ""
	if c.TokenFile != "" {
		text, err := os.ReadFile(c.TokenFile)
		if err != nil {
			return nil, fmt.Errorf("gateway: read admin.token_file: %w", err)
		}
		if token = strings.TrimSpace(string(text)); len(token) < 16 {
			return nil, fmt.Errorf("gateway: read admin.token_file: %s has a token of %d characters; give it 16 or more", c.TokenFile, len(token))
		}
	}
	l, err := admin.Listen(c.Listen)
	if err != nil {
		return nil, fmt.Errorf("gateway: admin.listen: %w", err)
	}
	s := admin.New(admin.Config{Gateway: view{g}, Version: g.opt.Version, Metrics: g.metrics.Handler(), Token: token, Level: g.opt.Level, Logger: g.log.Named("admin")})
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		if err := s.Serve(l); err != nil {
			g.log.Error("the admin API ended", zap.Error(err))
		}
	}()
	return func() {
		_ = s.Close() // its requests are looks, and captures whose sessions end
		<-ended
	}, nil
}
