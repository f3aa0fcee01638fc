package player

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.uber.org/zap"
)

// The errors that make "auto" go from UDP to TCP.
var (
	// ErrTransport tells that the origin refused the transport, with 461 or a ReportDisconnectedFunnel.
	ErrTransport = errors.New("player: set up stream: transport refused")
	// ErrNoMedia tells that no packet came in time.
	ErrNoMedia = errors.New("player: play: no packet came in time")
)

const (
	// maxRedirects is how many times an origin may send us elsewhere.
	maxRedirects = 5
	// maxLocal is how many of our own addresses a report has.
	maxLocal = 64
)

// Play plays o.URL and says what came of it. It returns when the media has ended, o.Duration is over (both without
// error) or ctx ends. The report is never nil, also with an error.
func Play(ctx context.Context, o Options) (*Report, error) {
	var g [16]byte
	_, _ = rand.Read(g[:]) // never fails
	p := &attempt{
		o: o, report: &Report{}, log: o.Logger, guid: fmt.Sprintf("%X-%X-%X-%X-%X", g[:4], g[4:6], g[6:8], g[8:10], g[10:]),
	}
	if p.log == nil {
		p.log = zap.NewNop()
	}
	u, transports, err := o.target()
	if err != nil {
		return p.report, err
	}
	if p.user = o.User; p.user == nil {
		p.user = u.User
	}
	u.User = nil
	p.began = time.Now()
	if o.Rollover {
		return p.report, p.climbDown(ctx, u)
	}
	p.auto = len(transports) > 1
	for i, transport := range transports {
		p.again(transport)
		err = p.follow(ctx, u, transport)
		last := i == len(transports)-1
		if err == nil || last || !errors.Is(err, ErrTransport) && !errors.Is(err, ErrNoMedia) {
			break
		}
		p.step("%s does not work here: %v", transport, err)
	}
	return p.report, err
}

// schemes are the protocols of URLs, with the transport that some of them want.
var schemes = map[string]struct{ protocol, transport string }{
	"rtsp": {"rtsp", ""}, "rtspu": {"rtsp", "udp"}, "rtspt": {"rtsp", "tcp"}, "rtsph": {"rtsp", "tunnel"},
	"mms": {"mms", ""}, "mmsu": {"mms", "udp"}, "mmst": {"mms", "tcp"},
	"http": {"http", "http"}, "mmsh": {"http", "http"},
}

// target is the URL to ask for, its scheme that of a protocol, and the transports to try in turn.
func (o *Options) target() (*url.URL, []string, error) {
	text := o.URL
	if o.Rollover && !strings.Contains(text, "://") {
		text = "rtsp://" + text
	}
	u, err := url.Parse(text)
	if err != nil || u.Host == "" {
		return nil, nil, fmt.Errorf("player: play %q: want a URL with a host, as rtsp://, mms:// or http:// have it", o.URL)
	}
	scheme, ok := schemes[u.Scheme]
	if !ok {
		return nil, nil, fmt.Errorf("player: play %q: scheme is not rtsp, rtspu, rtspt, rtsph, mms, mmsu, mmst, mmsh or http", o.URL)
	}
	u.Scheme = scheme.protocol
	transport := strings.ToLower(o.Transport)
	if o.Rollover {
		if scheme.transport != "" || transport != "" && transport != "auto" {
			return nil, nil, fmt.Errorf("player: roll over %q: want rtsp:// or mms://, or no scheme, and transport auto", o.URL)
		}
		return u, nil, nil
	}
	if scheme.transport != "" {
		transport = scheme.transport
	}
	switch {
	case transport == "" || transport == "auto":
		return u, []string{"udp", "tcp"}, nil
	case transport == "udp", transport == "tcp", transport == "http" && u.Scheme == "http",
		transport == "tunnel" && u.Scheme == "rtsp":
		return u, []string{transport}, nil
	default:
		return nil, nil, fmt.Errorf("player: play %q: transport %q is not auto, udp, tcp or, for RTSP, tunnel", o.URL, o.Transport)
	}
}

// address is where to connect to for a URL of a protocol.
func (o *Options) address(u *url.URL) string {
	if u.Port() != "" {
		return u.Host
	}
	port := o.Ports.of(u.Scheme)
	return net.JoinHostPort(u.Hostname(), strconv.Itoa(int(port)))
}

// of is the port of a protocol.
func (p Ports) of(protocol string) uint16 {
	port, usual := p.RTSP, uint16(554)
	switch protocol {
	case "mms":
		port, usual = p.MMS, 1755
	case "http":
		port, usual = p.HTTP, 80
	}
	if port == 0 {
		return usual
	}
	return port
}

// attempt is what all tries of one Play have in common.
type attempt struct {
	o      Options
	report *Report
	log    *zap.Logger
	user   *url.Userinfo
	guid   string // without braces; the same in every try: [MS-RTSP] 2.2.6.12, [MS-MMSP] 2.2.4.17, [MS-WMSP] 2.2.1.4.33

	began time.Time
	auto  bool   // TCP may be taken where UDP is refused
	via   string // MMS: address of the proxy that an origin sent us to, or empty
}

// again empties the report for another try.
func (p *attempt) again(transport string) {
	r := p.report
	*r = Report{Transport: transport, Steps: r.Steps, Ladder: r.Ladder, Local: r.Local}
}

// dial connects to an address.
func (p *attempt) dial(ctx context.Context, host string) (net.Conn, error) {
	d := net.Dialer{Timeout: dialTimeout}
	tcp, err := d.DialContext(ctx, "tcp", host)
	if err != nil {
		return nil, fmt.Errorf("player: connect: %w", err)
	}
	if at := tcp.LocalAddr().(*net.TCPAddr).AddrPort(); len(p.report.Local) < maxLocal {
		p.report.Local = append(p.report.Local, netip.AddrPortFrom(at.Addr().Unmap(), at.Port()))
	}
	p.step("connected to %s", tcp.RemoteAddr())
	return tcp, nil
}

// step notes what was done.
func (p *attempt) step(format string, args ...any) {
	s := fmt.Sprintf(format, args...)
	p.report.Steps = append(p.report.Steps, s)
	p.log.Debug("step", zap.String("step", s))
}

// heardFrom notes where media came from.
func (p *attempt) heardFrom(from netip.AddrPort) {
	if s := &p.report.MediaSources; !slices.Contains(*s, from) && len(*s) < maxFlows {
		*s = append(*s, from)
	}
}

// movedError tells where the origin sent us.
type movedError struct{ to *url.URL }

func (e *movedError) Error() string { return "player: play: moved to " + e.to.String() }

// follow plays from u or from where its origin sends us. [MS-RTSP] 3.1.5.4; [MS-MMSP] 3.1.5.7; [MS-WMSP] 3.1.5.5.
func (p *attempt) follow(ctx context.Context, u *url.URL, transport string) error {
	for range maxRedirects {
		var err error
		switch {
		case u.Scheme == "mms":
			err = newMMSRun(p, u, transport).play(ctx)
		case u.Scheme == "http":
			err = newHTTPRun(p, u).play(ctx)
		case transport == "tunnel":
			err = newTunnelRun(p, u).play(ctx)
		default:
			err = newRun(p, u, transport).play(ctx)
		}
		var moved *movedError
		if !errors.As(err, &moved) {
			return err
		}
		p.step("moved to %s", moved.to)
		u = moved.to
	}
	return fmt.Errorf("player: play %s: moved %d times", u, maxRedirects)
}
