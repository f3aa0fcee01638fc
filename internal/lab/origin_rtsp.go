package lab

import (
	"net/netip"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/bluenviron/gortsplib/v4"
	"github.com/bluenviron/gortsplib/v4/pkg/auth"
	"github.com/bluenviron/gortsplib/v4/pkg/base"
	"github.com/bluenviron/gortsplib/v4/pkg/description"
	"github.com/bluenviron/gortsplib/v4/pkg/format"
	"github.com/bluenviron/gortsplib/v4/pkg/liberrors"
	"github.com/pion/rtp"
)

// Origin is an origin on gortsplib's server, which we did not write either:
// what is published to a path is read from that path. Its Digest check insists
// on the exact URI of the request line.
type Origin struct {
	Addr netip.AddrPort

	server    *gortsplib.Server
	protected bool // ask players and publishers for User and Password

	mu       sync.Mutex
	streams  map[string]*published // by path
	sessions int                   // open ones
	changed  chan struct{}         // capacity 1: a publisher came or went
	once     sync.Once             // Close
}

// published is one stream and who sends it.
type published struct {
	stream *gortsplib.ServerStream
	owner  *gortsplib.ServerSession
}

// StartOrigin runs an origin at addr until the end of the test; authentication
// is "", "basic" or "digest". Publish something to it before it is played.
func StartOrigin(t testing.TB, addr netip.Addr, authentication string) *Origin {
	t.Helper()
	at := FreePort(t, addr)
	pair := FreePair(t, addr)
	o := &Origin{Addr: at, streams: map[string]*published{}, changed: make(chan struct{}, 1)}
	o.server = &gortsplib.Server{
		Handler:        o,
		RTSPAddress:    at.String(),
		UDPRTPAddress:  netip.AddrPortFrom(addr, pair).String(),
		UDPRTCPAddress: netip.AddrPortFrom(addr, pair+1).String(),
	}
	switch authentication {
	case "":
	case "basic":
		o.protected, o.server.AuthMethods = true, []auth.VerifyMethod{auth.VerifyMethodBasic}
	case "digest":
		o.protected, o.server.AuthMethods = true, []auth.VerifyMethod{auth.VerifyMethodDigestMD5}
	default:
		t.Fatalf("lab: no authentication %q", authentication)
	}
	if err := o.server.Start(); err != nil {
		t.Fatalf("lab: start origin at %s: %v", at, err)
	}
	t.Cleanup(o.Close)
	return o
}

// StartSampleOrigin runs an origin like StartOrigin with the sample published
// to Path() by an FFmpeg of its own, past any gateway.
func StartSampleOrigin(t testing.TB, addr netip.Addr, authentication string) *Origin {
	t.Helper()
	o := StartOrigin(t, addr, authentication)
	url := o.URL()
	if authentication != "" {
		url = WithCredentials(url)
	}
	p := Publish(t, url, "tcp", nil)
	t.Cleanup(func() { p.Stop(syscall.SIGKILL) }) // before the origin goes: nobody hears its TEARDOWN
	o.WaitPublished(t, o.Path(), 20*time.Second)
	return o
}

// Path is the path that StartSampleOrigin publishes to.
func (*Origin) Path() string { return "test" }

// URL is the stream's own address, without a gateway.
func (o *Origin) URL() string { return URL(o.Addr, o.Path()) }

// Close ends the origin: its connections close at once, as if it were killed.
// It may be called again.
func (o *Origin) Close() { o.once.Do(o.server.Close) }

// WaitPublished waits until somebody sends a stream to path.
func (o *Origin) WaitPublished(t testing.TB, path string, within time.Duration) {
	t.Helper()
	deadline := time.NewTimer(within)
	defer deadline.Stop()
	for o.find("/"+path) == nil {
		select {
		case <-o.changed:
		case <-deadline.C:
			t.Fatalf("lab: nobody publishes to %q after %v", path, within)
		}
	}
}

// find gives the stream of a path, nil if nobody sends one.
func (o *Origin) find(path string) *gortsplib.ServerStream {
	o.mu.Lock()
	defer o.mu.Unlock()
	if p := o.streams[path]; p != nil {
		return p.stream
	}
	return nil
}

// admit checks the credentials of a request, if the origin asks for any.
func (o *Origin) admit(c *gortsplib.ServerConn, req *base.Request) bool {
	return !o.protected || c.VerifyCredentials(req, User, Password)
}

// OnDescribe answers DESCRIBE.
func (o *Origin) OnDescribe(ctx *gortsplib.ServerHandlerOnDescribeCtx) (*base.Response, *gortsplib.ServerStream, error) {
	return o.open(ctx.Conn, ctx.Request, ctx.Path)
}

// OnSetup answers SETUP, of a player with the stream and of a publisher
// without one.
func (o *Origin) OnSetup(ctx *gortsplib.ServerHandlerOnSetupCtx) (*base.Response, *gortsplib.ServerStream, error) {
	if ctx.Session.State() == gortsplib.ServerSessionStatePreRecord {
		return &base.Response{StatusCode: base.StatusOK}, nil, nil
	}
	return o.open(ctx.Conn, ctx.Request, ctx.Path)
}

func (o *Origin) open(c *gortsplib.ServerConn, req *base.Request, path string) (*base.Response, *gortsplib.ServerStream, error) {
	if !o.admit(c, req) {
		return &base.Response{StatusCode: base.StatusUnauthorized}, nil, liberrors.ErrServerAuth{}
	}
	stream := o.find(path)
	if stream == nil {
		return &base.Response{StatusCode: base.StatusNotFound}, nil, nil
	}
	return &base.Response{StatusCode: base.StatusOK}, stream, nil
}

// OnPlay answers PLAY.
func (*Origin) OnPlay(*gortsplib.ServerHandlerOnPlayCtx) (*base.Response, error) {
	return &base.Response{StatusCode: base.StatusOK}, nil
}

// OnAnnounce takes a stream that is going to be published.
func (o *Origin) OnAnnounce(ctx *gortsplib.ServerHandlerOnAnnounceCtx) (*base.Response, error) {
	if !o.admit(ctx.Conn, ctx.Request) {
		return &base.Response{StatusCode: base.StatusUnauthorized}, liberrors.ErrServerAuth{}
	}
	stream := &gortsplib.ServerStream{Server: o.server, Desc: ctx.Description}
	if err := stream.Initialize(); err != nil {
		return &base.Response{StatusCode: base.StatusInternalServerError}, err
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.streams[ctx.Path] = &published{stream: stream, owner: ctx.Session}
	return &base.Response{StatusCode: base.StatusOK}, nil
}

// OnRecord hands what arrives to the readers of the path.
func (o *Origin) OnRecord(ctx *gortsplib.ServerHandlerOnRecordCtx) (*base.Response, error) {
	stream := o.find(ctx.Path)
	ctx.Session.OnPacketRTPAny(func(m *description.Media, _ format.Format, p *rtp.Packet) {
		_ = stream.WritePacketRTP(m, p) // a reader that is too slow loses packets, no more
	})
	select {
	case o.changed <- struct{}{}:
	default:
	}
	return &base.Response{StatusCode: base.StatusOK}, nil
}

// Readers is the number of sessions that play or publish here, but for the
// publishers whose streams are served.
func (o *Origin) Readers() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.sessions - len(o.streams)
}

// OnSessionOpen counts a session.
func (o *Origin) OnSessionOpen(*gortsplib.ServerHandlerOnSessionOpenCtx) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.sessions++
}

// OnSessionClose removes the stream of a publisher that went away.
func (o *Origin) OnSessionClose(ctx *gortsplib.ServerHandlerOnSessionCloseCtx) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.sessions--
	for path, p := range o.streams {
		if p.owner == ctx.Session {
			p.stream.Close()
			delete(o.streams, path)
		}
	}
}
