package origin

import (
	"net"
	"net/netip"

	"github.com/bluenviron/gortsplib/v4"
	"github.com/bluenviron/gortsplib/v4/pkg/base"
	"github.com/bluenviron/gortsplib/v4/pkg/description"
	"github.com/bluenviron/gortsplib/v4/pkg/format"
	"github.com/bluenviron/gortsplib/v4/pkg/headers"
	"github.com/bluenviron/gortsplib/v4/pkg/liberrors"
	"github.com/pion/rtp"
)

// OnRequest is called by gortsplib for each request, before it is answered.
func (o *Ordinary) OnRequest(c *gortsplib.ServerConn, req *base.Request) {
	url := "*"
	if req.URL != nil {
		url = req.URL.String()
	}
	client := c.NetConn().RemoteAddr().(*net.TCPAddr).AddrPort()
	client = netip.AddrPortFrom(client.Addr().Unmap(), client.Port())
	o.seen.request(requestOf(client, string(req.Method), url, req.Header, req.Body))
}

// OnSessionOpen counts a session.
func (o *Ordinary) OnSessionOpen(*gortsplib.ServerHandlerOnSessionOpenCtx) { o.count(1) }

// OnSessionClose counts a session, and ends what it published.
func (o *Ordinary) OnSessionClose(ctx *gortsplib.ServerHandlerOnSessionCloseCtx) {
	o.count(-1)
	for _, p := range o.takeOwned(ctx.Session) {
		p.stream.Close()
	}
}

func (o *Ordinary) count(n int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.sessions += n
}

func (o *Ordinary) takeOwned(owner *gortsplib.ServerSession) (out []*published) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for path, p := range o.streams {
		if p.owner == owner {
			delete(o.streams, path)
			out = append(out, p)
		}
	}
	return out
}

// admit checks the credentials of a request, if the origin asks for any. gortsplib wants the exact URI of the request
// line in a Digest.
func (o *Ordinary) admit(c *gortsplib.ServerConn, req *base.Request) (*base.Response, error) {
	if len(o.cfg.Users) == 0 {
		return nil, nil
	}
	var a headers.Authorization
	name := "nobody" // VerifyCredentials makes the challenge's nonce, so it must be asked, with some name
	if a.Unmarshal(req.Header["Authorization"]) == nil {
		name = a.Username
	}
	password, known := o.cfg.Users[name]
	if c.VerifyCredentials(req, name, password) && known {
		return nil, nil
	}
	return &base.Response{StatusCode: base.StatusUnauthorized}, liberrors.ErrServerAuth{}
}

// open answers a reader.
func (o *Ordinary) open(c *gortsplib.ServerConn, req *base.Request, path string) (*base.Response, *gortsplib.ServerStream, error) {
	if res, err := o.admit(c, req); res != nil {
		return res, nil, err
	}
	o.mu.Lock()
	p := o.streams[path]
	o.mu.Unlock()
	if p == nil {
		return &base.Response{StatusCode: base.StatusNotFound}, nil, nil
	}
	return &base.Response{StatusCode: base.StatusOK}, p.stream, nil
}

// OnDescribe answers DESCRIBE.
func (o *Ordinary) OnDescribe(ctx *gortsplib.ServerHandlerOnDescribeCtx) (*base.Response, *gortsplib.ServerStream, error) {
	return o.open(ctx.Conn, ctx.Request, ctx.Path)
}

// OnSetup answers SETUP, of a reader with the stream and of a publisher without one.
func (o *Ordinary) OnSetup(ctx *gortsplib.ServerHandlerOnSetupCtx) (*base.Response, *gortsplib.ServerStream, error) {
	if ctx.Session.State() == gortsplib.ServerSessionStatePreRecord {
		return &base.Response{StatusCode: base.StatusOK}, nil, nil
	}
	return o.open(ctx.Conn, ctx.Request, ctx.Path)
}

// OnPlay answers PLAY.
func (o *Ordinary) OnPlay(*gortsplib.ServerHandlerOnPlayCtx) (*base.Response, error) {
	return &base.Response{StatusCode: base.StatusOK}, nil
}

// OnAnnounce answers ANNOUNCE: one publisher a path, the first one.
func (o *Ordinary) OnAnnounce(ctx *gortsplib.ServerHandlerOnAnnounceCtx) (*base.Response, error) {
	if res, err := o.admit(ctx.Conn, ctx.Request); res != nil {
		return res, err
	}
	if !o.cfg.Publish || ctx.Path == samplePath {
		return &base.Response{StatusCode: base.StatusMethodNotAllowed}, nil
	}
	p := &published{stream: &gortsplib.ServerStream{Server: o.server, Desc: ctx.Description}, owner: ctx.Session}
	if err := p.stream.Initialize(); err != nil {
		return &base.Response{StatusCode: base.StatusBadRequest}, err
	}
	o.mu.Lock()
	_, taken := o.streams[ctx.Path]
	taken = taken || o.closed
	if !taken {
		o.streams[ctx.Path] = p
	}
	o.mu.Unlock()
	if taken {
		p.stream.Close()
		return &base.Response{StatusCode: base.StatusForbidden}, nil
	}
	return &base.Response{StatusCode: base.StatusOK}, nil
}

// OnRecord answers RECORD: each packet goes to the path's readers.
func (o *Ordinary) OnRecord(ctx *gortsplib.ServerHandlerOnRecordCtx) (*base.Response, error) {
	o.mu.Lock()
	p := o.streams[ctx.Path]
	o.mu.Unlock()
	if p == nil || p.owner != ctx.Session {
		return &base.Response{StatusCode: base.StatusMethodNotValidInThisState}, nil
	}
	ctx.Session.OnPacketRTPAny(func(m *description.Media, _ format.Format, packet *rtp.Packet) {
		_ = p.stream.WritePacketRTP(m, packet) // a reader that cannot take it is ended by gortsplib
	})
	return &base.Response{StatusCode: base.StatusOK}, nil
}
