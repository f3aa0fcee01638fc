package player

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"slices"
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

// maxRedirects is how many times an origin may send us elsewhere.
const maxRedirects = 5

// Play plays o.URL and says what came of it. It returns when the media has ended, o.Duration is over (both without
// error) or ctx ends. The report is never nil, also with an error.
func Play(ctx context.Context, o Options) (*Report, error) {
	p := &attempt{o: o, report: &Report{}, log: o.Logger}
	if p.log == nil {
		p.log = zap.NewNop()
	}
	u, transports, err := o.target()
	if err != nil {
		return p.report, err
	}
	p.user, u.User = o.User, nil
	if p.user == nil {
		if typed, err := url.Parse(o.URL); err == nil {
			p.user = typed.User
		}
	}
	p.began, p.auto = time.Now(), len(transports) > 1
	for i, transport := range transports {
		steps := p.report.Steps
		*p.report = Report{Transport: transport, Steps: steps}
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
	"rtsp": {"rtsp", ""}, "rtspu": {"rtsp", "udp"}, "rtspt": {"rtsp", "tcp"},
	"mms": {"mms", ""}, "mmsu": {"mms", "udp"}, "mmst": {"mms", "tcp"},
}

// target is the URL to ask for, and the transports to try in turn.
func (o *Options) target() (*url.URL, []string, error) {
	u, err := url.Parse(o.URL)
	if err != nil || u.Host == "" {
		return nil, nil, fmt.Errorf("player: play %q: want rtsp://, rtspu://, rtspt://, mms://, mmsu:// or mmst:// and a host", o.URL)
	}
	scheme, ok := schemes[u.Scheme]
	if !ok {
		return nil, nil, fmt.Errorf("player: play %q: scheme is not rtsp, rtspu, rtspt, mms, mmsu or mmst", o.URL)
	}
	u.Scheme = scheme.protocol
	transport := strings.ToLower(o.Transport)
	if scheme.transport != "" {
		transport = scheme.transport
	}
	switch transport {
	case "", "auto":
		return u, []string{"udp", "tcp"}, nil
	case "udp", "tcp":
		return u, []string{transport}, nil
	default:
		return nil, nil, fmt.Errorf("player: play %q: transport %q is not auto, udp or tcp", o.URL, o.Transport)
	}
}

// attempt is what all tries of one Play have in common.
type attempt struct {
	o      Options
	report *Report
	log    *zap.Logger
	user   *url.Userinfo

	began time.Time
	auto  bool   // TCP may be taken where UDP is refused
	via   string // MMS: address of the proxy that an origin sent us to, or empty
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

// follow plays from u or from where its origin sends us. [MS-RTSP] 3.1.5.4; [MS-MMSP] 3.1.5.7.
func (p *attempt) follow(ctx context.Context, u *url.URL, transport string) error {
	for range maxRedirects {
		var err error
		if u.Scheme == "mms" {
			err = newMMSRun(p, u, transport).play(ctx)
		} else {
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
