package udprelay

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"sync"
	"time"

	"go.uber.org/zap"
)

// The errors that a caller tells apart with errors.Is.
var (
	// ErrPortsExhausted: every pair of the range is held by a flow, lingers, or is in use by another program.
	ErrPortsExhausted = errors.New("ports exhausted")
	// ErrClosed: the relay or the flow is closed or being shut down.
	ErrClosed = errors.New("closed")
	// ErrOverloaded: a limit of Config.Overload is reached. What runs goes on.
	ErrOverloaded = errors.New("overloaded")
)

// Relay hands out flows. It is safe for concurrent use.
type Relay struct {
	cfg    Config // never changed after New
	shared bool   // the client side is one pair for all flows
	ranges [sides]*ports
	drops  tally // of datagrams without a flow
	ending chan struct{}
	engine EngineInfo
	fast   mover // nil: plain
	// crossed says that two loops may have datagrams for one port of an origin leg.
	crossed bool

	wg sync.WaitGroup // the goroutines of shared pairs, resend ports and lingering flows

	mu    sync.Mutex // guards the following fields
	pairs map[netip.Addr]*sharedPair
	asked map[netip.AddrPort]*resendPort
	flows map[*Flow]struct{}
	full  bool          // no new flows
	ended bool          // ending is closed
	idle  chan struct{} // not nil while Shutdown waits for the last flow
}

// Spec says what a flow needs. The media is sent from both addresses, so they must be the host's own, or
// OriginLocal one that Listen can bind all the same.
type Spec struct {
	ClientLocal, OriginLocal netip.Addr
	// OriginPort is the port that the origin leg should have, as one with the client's own address does: the client's port.
	// Of RTP it is even. 0, or a port that cannot be had, is one of OriginPorts.
	OriginPort uint16
	// Publish: the media runs from the client to the origin (mode=record). Not with MMS.
	Publish bool
	// Protocol of the media; RTP if not set.
	Protocol Protocol
	// Resend is the local UDP address and port where the client of an MMS flow sends its resend requests
	// (RequestPacketListResend); zero: none but the flow's own client port.
	Resend netip.AddrPort
	// Tap is shown what comes for the flow; nil: nobody looks.
	Tap Tap
	// Owner is whose it is, for who looks at Pinholes.
	Owner string
}

// New checks the configuration. It binds nothing but, with Config.Steer, the sockets of the loops.
func New(cfg Config) (*Relay, error) {
	cfg.setDefaults()
	for side, r := range [sides]PortRange{Client: cfg.ClientPorts, Origin: cfg.OriginPorts} {
		if r.pairs() == 0 {
			return nil, fmt.Errorf("udprelay: configure %v ports %d-%d: no even port with the odd one above it in this "+
				"range, between 1 and 65535; widen it", Side(side), r.Lo, r.Hi)
		}
	}
	r := &Relay{
		cfg:    cfg,
		shared: cfg.ClientPorts.pairs() == 1 && cfg.ClientPorts.Hi-cfg.ClientPorts.Lo == 1,
		ending: make(chan struct{}),
		pairs:  make(map[netip.Addr]*sharedPair),
		asked:  make(map[netip.AddrPort]*resendPort),
		flows:  make(map[*Flow]struct{}),
	}
	if c, o := cfg.ClientPorts, cfg.OriginPorts; r.shared && c.Lo <= o.Hi && o.Lo <= c.Hi {
		return nil, fmt.Errorf("udprelay: configure origin ports %d-%d: the shared client pair %d-%d lies in this "+
			"range; choose another", o.Lo, o.Hi, c.Lo, c.Hi)
	}
	if err := r.choose(); err != nil {
		return nil, err
	}
	r.ranges[Client] = newPorts(Client, cfg.ClientPorts, cfg.Listen)
	r.ranges[Origin] = newPorts(Origin, cfg.OriginPorts, cfg.Listen)
	return r, nil
}

func (c *Config) setDefaults() {
	if c.Linger == 0 {
		c.Linger = DefaultLinger
	}
	if c.ReceiveBuffer == 0 {
		c.ReceiveBuffer = DefaultBuffer
	}
	if c.SendBuffer == 0 {
		c.SendBuffer = DefaultBuffer
	}
	if c.Listen == nil {
		c.Listen = listenUDP
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Logger == nil {
		c.Logger = zap.NewNop()
	}
}

// Open binds the shared pair at a local address now, so that a taken port is told at start and not to the first
// viewer. Without a shared pair it does nothing.
func (r *Relay) Open(local netip.Addr) error {
	if !r.shared {
		return nil
	}
	_, err := r.pair(local.Unmap())
	return err
}

// pair is the shared pair at an address, bound if it is not yet.
func (r *Relay) pair(local netip.Addr) (*sharedPair, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.full {
		return nil, fmt.Errorf("udprelay: open shared pair at %v: relay is %w", local, ErrClosed)
	}
	if p := r.pairs[local]; p != nil {
		return p, nil
	}
	// Bound under the lock, once per address: two callers must not race for the one pair.
	held, conns, err := r.ranges[Client].reserve(local, kinds, 0)
	if err != nil {
		return nil, err
	}
	p := &sharedPair{local: held, opened: r.cfg.Now()}
	for k := range kinds {
		r.size(conns[k], sharedBuffers)
		p.sock[k] = newSocket(r, conns[k], Client, k)
		p.sock[k].shared = &p.table
		p.sock[k].start(&r.wg, 0)
	}
	r.pairs[local] = p
	return p, nil
}

// sharedBuffers is how much larger the buffers of a shared socket are: it serves all flows, and a key frame for each
// of a few viewers must fit.
const sharedBuffers = 8

// size asks for socket buffers. What the kernel grants less is no error: net.core.rmem_max and wmem_max cap it.
func (r *Relay) size(c Conn, times int) {
	s, ok := c.(interface {
		SetReadBuffer(int) error
		SetWriteBuffer(int) error
	})
	if !ok {
		return
	}
	if err := errors.Join(s.SetReadBuffer(times*r.cfg.ReceiveBuffer), s.SetWriteBuffer(times*r.cfg.SendBuffer)); err != nil {
		r.cfg.Logger.Warn("media socket keeps its default buffers", zap.Stringer("local", c.LocalAddrPort()), zap.Error(err))
	}
}

// Reserve binds and holds what a flow needs before anything is promised to either side. What comes in before Connect
// is read and counted as not-connected.
func (r *Relay) Reserve(spec Spec) (*Flow, error) {
	spec.ClientLocal, spec.OriginLocal = spec.ClientLocal.Unmap(), spec.OriginLocal.Unmap()
	if err := spec.check(); err != nil {
		return nil, err
	}
	if err := r.cfg.Overload.reached(r.Load()); err != nil {
		return nil, fmt.Errorf("udprelay: reserve flow: %w", err)
	}
	f := newFlow(r, spec)
	f.opened = r.cfg.Now()
	if err := f.bind(spec); err != nil {
		f.unbind()
		return nil, err
	}
	r.mu.Lock()
	if r.full {
		r.mu.Unlock()
		f.unbind()
		return nil, fmt.Errorf("udprelay: reserve flow: relay is %w", ErrClosed)
	}
	r.flows[f] = struct{}{}
	f.start()
	r.mu.Unlock()
	return f, nil
}

// InUse is the number of flows whose ports are not free yet: open ones and lingering ones.
func (r *Relay) InUse() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.flows)
}

// Drops are the datagrams, by reason, that could be given to no flow. The map is the caller's.
func (r *Relay) Drops() map[DropReason]uint64 { return r.drops.counts() }

// linger frees a closed flow in time. Close does it at once instead.
func (r *Relay) linger(f *Flow) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.ended {
		return
	}
	r.wg.Go(func() {
		if r.cfg.Linger > 0 {
			t := time.NewTimer(r.cfg.Linger)
			defer t.Stop()
			select {
			case <-t.C:
			case <-r.ending:
			}
		}
		f.free()
	})
}

// forget is the end of a flow.
func (r *Relay) forget(f *Flow) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.flows, f)
	if len(r.flows) == 0 && r.idle != nil {
		close(r.idle)
		r.idle = nil
	}
}

// Shutdown refuses new flows, waits until their owners have closed the present ones and these have lingered, then does
// as Close. When ctx ends first it closes them and returns the context's cause.
func (r *Relay) Shutdown(ctx context.Context) error {
	r.mu.Lock()
	r.full = true
	idle := r.idle
	if idle == nil {
		idle = make(chan struct{})
		if len(r.flows) == 0 {
			close(idle)
		} else {
			r.idle = idle
		}
	}
	r.mu.Unlock()
	var err error
	select {
	case <-idle:
	case <-ctx.Done():
		err = fmt.Errorf("udprelay: shut down: %d flows were open: %w", r.InUse(), context.Cause(ctx))
	}
	return errors.Join(err, r.Close())
}

// Close ends all flows without lingering and returns when every goroutine of the relay has ended. It may be called
// more than once.
func (r *Relay) Close() error {
	r.mu.Lock()
	r.full = true
	if !r.ended {
		r.ended = true
		close(r.ending)
	}
	flows := slices.Collect(maps.Keys(r.flows))
	pairs := slices.Collect(maps.Values(r.pairs))
	asked := slices.Collect(maps.Values(r.asked))
	r.mu.Unlock()
	for _, f := range flows {
		f.Close()
		f.free()
	}
	for _, p := range pairs {
		p.sock[rtp].close()
		p.sock[rtcp].close()
	}
	for _, p := range asked {
		p.sock.close()
	}
	r.wg.Wait() // not under mu: a lingering flow takes it to be forgotten
	if r.fast != nil {
		r.fast.close()
	}
	return nil
}
