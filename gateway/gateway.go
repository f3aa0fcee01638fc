package gateway

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"time"

	"go.uber.org/zap"

	"mediagate/balancer"
	"mediagate/internal/capture"
	"mediagate/internal/config"
	"mediagate/internal/metrics"
	"mediagate/udprelay"
)

// server is what a virtual server runs: one protocol's proxy. *http.Server is one too.
type server interface {
	Serve(net.Listener) error
	Shutdown(context.Context) error
	Close() error
}

// Options are what a configuration file does not say.
type Options struct {
	Logger  *zap.Logger     // nil: none
	Level   zap.AtomicLevel // of Logger, for who changes it; the zero value: nobody can
	Version string          // for the log
}

// Gateway is one running configuration. Its methods are safe for concurrent use.
type Gateway struct {
	cfg       *config.Config
	opt       Options
	log       *zap.Logger
	relay     *udprelay.Relay
	book      *capture.Book
	pools     map[string]*balancer.Pool
	servers   []*virtualServer
	viewers   *viewers
	strangers *strangers
	seen      *transparency // nil: no pool is transparent
	ready     chan struct{}
	stopped   chan struct{} // closed when Run has returned

	mu       sync.Mutex // guards what follows
	running  bool
	draining bool       // Shutdown was called
	records  recordLogs // set by Run
	metrics  *metrics.Metrics
}

// ErrRunning is what a second Run returns.
var ErrRunning = errors.New("gateway: run: it runs already, or has run")

// New checks cfg, which must have been validated, and builds the rooms. It binds nothing but what the relay receives through
// where the kernel leads ports to it; a gateway that is never run is closed.
func New(cfg *config.Config, opt Options) (*Gateway, error) {
	if opt.Logger == nil {
		opt.Logger = zap.NewNop()
	}
	if opt.Level == (zap.AtomicLevel{}) {
		opt.Level = zap.NewAtomicLevel()
	}
	g := &Gateway{
		cfg: cfg, opt: opt, log: opt.Logger,
		pools:     make(map[string]*balancer.Pool),
		viewers:   newViewers(time.Duration(cfg.Viewers.Window)),
		strangers: newStrangers(time.Now()),
		ready:     make(chan struct{}),
		stopped:   make(chan struct{}),
	}
	g.seen = newTransparency(cfg, opt.Logger)
	relay, err := newRelay(cfg, g.seen.listener(), opt.Logger)
	if err != nil {
		return nil, fmt.Errorf("gateway: build relay: %w", err)
	}
	g.relay = relay
	if err := g.build(); err != nil {
		return nil, errors.Join(err, relay.Close())
	}
	return g, nil
}

// build makes what serves, once the relay is there.
func (g *Gateway) build() error {
	cfg, opt := g.cfg, g.opt
	g.book = newBook(cfg, opt.Logger)
	g.metrics = metrics.New(opt.Version, live{g})
	for i := range cfg.Pools {
		pool, err := newPool(&cfg.Pools[i], cfg, opt.Logger)
		if err != nil {
			return fmt.Errorf("gateway: build pool %q: %w", cfg.Pools[i].Name, err)
		}
		g.pools[cfg.Pools[i].Name] = pool
	}
	for i := range cfg.VirtualServers {
		vs, err := g.newVirtualServer(&cfg.VirtualServers[i])
		if err != nil {
			return fmt.Errorf("gateway: build virtual server %q: %w", cfg.VirtualServers[i].Name, err)
		}
		g.servers = append(g.servers, vs)
	}
	return nil
}

// Run binds everything, serves until Shutdown, Close or the end of ctx (which is as Close), and returns nil then. An error
// says what could not be bound or opened, and what to do about it; nothing is left behind.
func (g *Gateway) Run(ctx context.Context) error {
	g.mu.Lock()
	if g.running {
		g.mu.Unlock()
		return ErrRunning
	}
	g.running = true
	g.mu.Unlock()
	defer close(g.stopped)

	records, err := g.openEvidence()
	if err != nil {
		return err
	}
	g.setRecords(records)
	defer g.closeRecords()
	if err := g.seen.start(); err != nil {
		return err
	}
	defer g.seen.stop()
	defer g.relay.Close()
	g.prepare()
	stopAdmin, err := g.serveAdmin()
	if err != nil {
		return err
	}
	defer stopAdmin()
	if err := g.listen(ctx); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	var wg sync.WaitGroup
	g.watch(ctx, &wg)
	stop := context.AfterFunc(ctx, func() { _ = g.closeServers() }) // every error is a proxy that was closed already
	defer stop()
	served := g.serve()
	close(g.ready)
	g.sayEngine()
	g.log.Info("ready", zap.String("version", g.opt.Version), zap.Any("listening", g.listening()))
	served()
	cancel()
	wg.Wait()
	g.log.Info("stopped")
	return nil
}

// watch starts what goes on beside the sessions until ctx ends.
func (g *Gateway) watch(ctx context.Context, wg *sync.WaitGroup) {
	for _, pool := range g.pools {
		wg.Go(func() { _ = pool.Run(ctx) }) // it only ends with ctx
	}
	wg.Go(func() { g.watchDrops(ctx) })
	wg.Go(func() { g.watchLoad(ctx) })
	wg.Go(func() { g.seen.run(ctx) })
}

// serve runs every listener; what it returns waits until all have ended.
func (g *Gateway) serve() (served func()) {
	wg := new(sync.WaitGroup)
	for _, vs := range g.servers {
		for _, l := range vs.listeners {
			wg.Go(func() {
				err := vs.server.Serve(l)
				g.log.Debug("listener ended", zap.String("virtual_server", vs.name), zap.Error(err))
			})
		}
	}
	return func() {
		wg.Wait()
		// Sessions outlive their listeners while the gateway drains.
		for _, vs := range g.servers {
			<-vs.drained
		}
	}
}

// Ready is closed when all listeners are bound and served.
func (g *Gateway) Ready() <-chan struct{} { return g.ready }

// Shutdown refuses new sessions, lets the present ones run on, and returns when they have ended or ctx is done; what is
// left then is ended with a TEARDOWN to its origin. Run returns after it.
func (g *Gateway) Shutdown(ctx context.Context) error {
	if !g.isRunning() {
		return nil
	}
	g.mu.Lock()
	g.draining = true
	g.mu.Unlock()
	g.log.Info("draining", zap.Int("sessions", g.Sessions()))
	errs := make([]error, len(g.servers))
	var wg sync.WaitGroup
	for i, vs := range g.servers {
		wg.Go(func() {
			errs[i] = vs.server.Shutdown(ctx)
			vs.endOnce.Do(func() { close(vs.drained) })
		})
	}
	wg.Wait()
	<-g.stopped
	return errors.Join(errs...)
}

// Close ends every session now and returns when Run has returned. It may be called more than once.
func (g *Gateway) Close() error {
	if !g.isRunning() {
		return g.relay.Close()
	}
	err := g.closeServers()
	<-g.stopped
	return err
}

func (g *Gateway) closeServers() error {
	errs := make([]error, len(g.servers))
	var wg sync.WaitGroup
	for i, vs := range g.servers {
		wg.Go(func() {
			errs[i] = vs.server.Close()
			vs.endOnce.Do(func() { close(vs.drained) })
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}

func (g *Gateway) isRunning() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.running
}

func (g *Gateway) isDraining() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.draining
}

// Addrs are the bound addresses of each virtual server, by its name; complete once Ready is closed.
func (g *Gateway) Addrs() map[string][]netip.AddrPort {
	all := make(map[string][]netip.AddrPort, len(g.servers))
	for _, vs := range g.servers {
		all[vs.name] = vs.addrs()
	}
	return all
}
