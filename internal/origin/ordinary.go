package origin

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"sync"

	"github.com/bluenviron/gortsplib/v4"
	"go.uber.org/zap"
)

// samplePath is where the bundled H.264 and AAC are.
const samplePath = "/sample"

// Ordinary is an RTSP origin of H.264 and AAC on gortsplib's server: a tiny media server. Its sample runs in a circle
// for everybody at once, as a camera does. Its verbs may be called from any goroutine.
type Ordinary struct {
	cfg    OrdinaryConfig
	log    *zap.Logger
	clip   *clip
	server *gortsplib.Server
	seen   recorder

	wg   sync.WaitGroup
	done chan struct{} // closed by Close

	mu       sync.Mutex // guards what follows; never held over I/O
	bound    netip.AddrPort
	started  bool
	closed   bool
	streams  map[string]*published // by path, the sample's too
	sessions int
}

// published is one stream and who sends it, nil for the sample.
type published struct {
	stream *gortsplib.ServerStream
	owner  *gortsplib.ServerSession
}

// NewOrdinary checks cfg and reads the bundled sample; it binds nothing.
func NewOrdinary(cfg OrdinaryConfig) (*Ordinary, error) {
	if !cfg.Listen.Addr().IsValid() {
		return nil, fmt.Errorf("origin: listen address %q: want an address and a port", cfg.Listen)
	}
	if cfg.UDPPorts%2 != 0 {
		return nil, fmt.Errorf("origin: media port %d: RTP takes an even port, RTCP the one above it", cfg.UDPPorts)
	}
	if cfg.Logger == nil {
		cfg.Logger = zap.NewNop()
	}
	c, err := readClip()
	if err != nil {
		return nil, err
	}
	o := &Ordinary{cfg: cfg, log: cfg.Logger, clip: c, done: make(chan struct{}), streams: map[string]*published{}}
	o.server = &gortsplib.Server{Handler: o, RTSPAddress: cfg.Listen.String(), Listen: o.listen}
	if cfg.UDPPorts != 0 {
		o.server.UDPRTPAddress = netip.AddrPortFrom(cfg.Listen.Addr(), cfg.UDPPorts).String()
		o.server.UDPRTCPAddress = netip.AddrPortFrom(cfg.Listen.Addr(), cfg.UDPPorts+1).String()
	}
	return o, nil
}

// listen binds for gortsplib, to know which port it became.
func (o *Ordinary) listen(network, address string) (net.Listener, error) {
	l, err := net.Listen(network, address)
	if err != nil {
		return nil, err
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.bound = l.Addr().(*net.TCPAddr).AddrPort()
	return l, nil
}

// Start binds the listener and the UDP pair and begins to serve. A second call does nothing.
func (o *Ordinary) Start() error {
	o.mu.Lock()
	started, closed := o.started, o.closed
	o.started = true
	o.mu.Unlock()
	if closed {
		return net.ErrClosed
	}
	if started {
		return nil
	}
	err := o.server.Start()
	if err == nil {
		err = o.startSample()
	}
	if err != nil {
		o.mu.Lock()
		o.started = false
		o.mu.Unlock()
		return fmt.Errorf("origin: listen on %s: %w", o.cfg.Listen, err)
	}
	return nil
}

// startSample opens the sample's stream and begins to send it.
func (o *Ordinary) startSample() error {
	stream := &gortsplib.ServerStream{Server: o.server, Desc: o.clip.description()}
	if err := stream.Initialize(); err != nil {
		o.server.Close()
		return err
	}
	o.mu.Lock()
	o.streams[samplePath] = &published{stream: stream}
	o.mu.Unlock()
	o.wg.Go(func() {
		if err := o.clip.send(stream, o.done); err != nil {
			o.log.Error("sample ended", zap.Error(err))
		}
	})
	return nil
}

// Run serves until ctx ends or Close is called, and closes the origin; it calls Start if that was not done.
func (o *Ordinary) Run(ctx context.Context) error {
	if err := o.Start(); err != nil {
		return errors.Join(err, o.Close())
	}
	select {
	case <-ctx.Done():
	case <-o.done:
	}
	return o.Close()
}

// Close ends all sessions and waits for every goroutine. It may be called more than once.
func (o *Ordinary) Close() error {
	o.mu.Lock()
	closed, started := o.closed, o.started
	o.closed = true
	o.mu.Unlock()
	if closed {
		o.wg.Wait()
		return nil
	}
	close(o.done)
	o.wg.Wait()
	if started {
		o.server.Close()
	}
	o.mu.Lock()
	streams := o.streams
	o.streams = map[string]*published{}
	o.mu.Unlock()
	for _, p := range streams {
		p.stream.Close()
	}
	return nil
}

// Addr is the bound RTSP address; before Start it is the configured one.
func (o *Ordinary) Addr() netip.AddrPort {
	o.mu.Lock()
	defer o.mu.Unlock()
	if !o.bound.IsValid() {
		return o.cfg.Listen
	}
	return o.bound
}

// URL is the rtsp:// address of path at this origin.
func (o *Ordinary) URL(path string) string {
	return "rtsp://" + o.Addr().String() + "/" + strings.TrimPrefix(path, "/")
}

// Snapshot is a copy of what the origin has seen so far.
func (o *Ordinary) Snapshot() Log {
	l := o.seen.snapshot()
	o.mu.Lock()
	defer o.mu.Unlock()
	l.Sessions = o.sessions
	return l
}
