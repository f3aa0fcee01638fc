package player

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"sync"
	"time"

	"github.com/bluenviron/gortsplib/v4/pkg/auth"
)

const (
	answerTimeout   = 10 * time.Second
	dialTimeout     = 10 * time.Second
	firewallTimer   = 10 * time.Second // [MS-RTSP] 3.1.5.6
	mediaTimeout    = 8 * time.Second  // to the first packet of media; less than two steps of a player may take
	teardownTimeout = 2 * time.Second
	tickEvery       = 50 * time.Millisecond
	defaultTimeout  = 60 * time.Second // of sessions; RFC 2326, section 12.37
)

// wmPlayer and a GUID are our User-Agent. [MS-RTSP] 2.2.6.12.
const wmPlayer = "WMPlayer/9.0.0.2833 guid/"

// errDone tells that the media has ended as it should.
var errDone = errors.New("player: done")

// run is one try: a connection, a session and its sockets. One goroutine, Play's, owns it; others only feed events.
type run struct {
	*attempt
	url       *url.URL
	transport string
	tunnelled bool // transport is "tcp", in a tunnel

	tcp    net.Conn
	origin netip.Addr
	local  netip.Addr
	events chan event    // from the readers; they wait if it is full, and TCP with them
	done   chan struct{} // closed when the run ends: readers give up
	wg     sync.WaitGroup

	cseq     int
	digest   *auth.Sender
	agent    string
	session  string
	timeout  time.Duration
	lastSent time.Time

	desc    *description
	entry   string // X-Playlist-Gen-Id
	media   *pair  // of all ordinary streams of a Windows Media origin
	pairs   []*pair
	rtx     *pair
	rtxSSRC uint32
	rtcpTo  netip.AddrPort
	noises  int // packets of a packet pair that came

	flows    map[uint32]*flow
	out      *output
	playing  bool
	playedAt time.Time
	firstAt  time.Time
	ended    time.Time // when the end of stream was told
	last     uint16    // the sequence number after the last, if hasLast
	hasLast  bool
	announce *announcement
	reported time.Time
}

func newRun(p *attempt, u *url.URL, transport string) *run {
	return &run{
		attempt: p, url: u, transport: transport, agent: wmPlayer + p.guid,
		events: make(chan event, 256), done: make(chan struct{}), timeout: defaultTimeout,
		flows: map[uint32]*flow{},
	}
}

// newTunnelRun is for RTSP in HTTP, where media can only be interleaved.
func newTunnelRun(p *attempt, u *url.URL) *run {
	r := newRun(p, u, "tcp")
	r.tunnelled = true
	return r
}

// play does everything, and leaves nothing behind.
func (r *run) play(ctx context.Context) (err error) {
	defer func() { err = errors.Join(err, r.finish()) }()
	for _, step := range []func(context.Context) error{r.connect, r.describe, r.selectStreams, r.startPlaying} {
		if err := step(ctx); err != nil {
			r.teardown(ctx) // the origin may have a session by now
			return err
		}
	}
	err = r.receive(ctx)
	r.teardown(ctx)
	if errors.Is(err, errDone) {
		return nil
	}
	return err
}

func (r *run) connect(ctx context.Context) error {
	var tcp net.Conn
	var err error
	if r.tunnelled {
		tcp, err = r.openTunnel(ctx, r.url)
	} else {
		tcp, err = r.dial(ctx, r.o.address(r.url))
	}
	if err != nil {
		return err
	}
	r.tcp = tcp
	r.origin = tcp.RemoteAddr().(*net.TCPAddr).AddrPort().Addr().Unmap()
	r.local = tcp.LocalAddr().(*net.TCPAddr).AddrPort().Addr().Unmap()
	r.wg.Go(func() { r.readTCP(tcp) })
	return nil
}

// finish ends the readers, closes the sockets and completes the report.
func (r *run) finish() error {
	close(r.done)
	if r.tcp != nil {
		_ = r.tcp.Close() // nothing is left to be said on it
	}
	for _, p := range r.pairs {
		p.close()
	}
	r.wg.Wait()
	for _, f := range r.flows {
		f.flush()
		f.addTo(r.report)
	}
	if r.out == nil {
		return nil
	}
	return r.out.finish()
}

// receive handles what comes until the media is over.
func (r *run) receive(ctx context.Context) error {
	tick := time.NewTicker(tickEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return fmt.Errorf("player: play: %w", context.Cause(ctx))
		case e := <-r.events:
			if err := r.handle(e); err != nil {
				return err
			}
		case now := <-tick.C:
			if err := r.tick(ctx, now); err != nil {
				return err
			}
		}
		if r.announce != nil {
			if err := r.nextEntry(ctx); err != nil {
				return err
			}
		}
	}
}

// tick does what is due.
func (r *run) tick(ctx context.Context, now time.Time) error {
	if r.o.Resend && r.transport == "udp" {
		r.sendNacks(now)
	}
	for _, f := range r.flows {
		f.giveUp(now)
	}
	switch {
	case r.firstAt.IsZero() && now.Sub(r.playedAt) > mediaTimeout && r.ended.IsZero():
		return ErrNoMedia
	case !r.ended.IsZero() && (r.complete() || now.Sub(r.ended) > endWait):
		r.step("end of stream")
		return errDone
	case r.o.Duration > 0 && !r.firstAt.IsZero() && now.Sub(r.firstAt) >= r.o.Duration:
		r.step("played for %s", r.o.Duration)
		return errDone
	}
	if !r.desc.wms && r.transport == "udp" && now.Sub(r.reported) > reportEvery {
		r.reported = now
		r.sendReports()
	}
	// [MS-RTSP] 3.1.5.10: over TCP there is no need to say that we live.
	if (r.transport == "udp" || !r.desc.wms) && now.Sub(r.lastSent) > r.timeout/2 {
		return r.keepAlive(ctx)
	}
	return nil
}

// complete tells whether every packet before the end has come.
func (r *run) complete() bool {
	for _, f := range r.flows {
		if len(f.missing) == 0 && (!r.hasLast || uint16(f.highest+1) == r.last) {
			return true
		}
	}
	return false
}
