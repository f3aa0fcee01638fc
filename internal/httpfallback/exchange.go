package httpfallback

import (
	"context"
	"net/http"
	"net/netip"
	"strings"
	"sync/atomic"

	"go.uber.org/zap"

	"mediagate/balancer"
	"mediagate/internal/capture"
)

// exchange is one request with its response. It belongs to the goroutine of its client connection.
type exchange struct {
	proxy  *Proxy
	link   *link
	in     *http.Request
	body   []byte // of the request, whole
	pragma pragma
	wmsp   bool
	report *report // of a log POST

	pool    *balancer.Pool
	session *session
	home    string // the node that the player met before, "" if none
	log     *zap.Logger

	node     balancer.Node // that answered
	status   int           // that the player got
	identity bool          // the end of the body is the end of the connection
	media    bool          // the body may be media
	timeout  int           // of the response's Pragma, milliseconds
	cut      bool          // the response ends after $T
	framed   bool          // the end of the body can be told in it

	fromOrigin, toClient tap
	seenFrom, seenTo     figures            // of the taps, for who looks meanwhile
	kill                 atomic.Bool        // the session was killed
	cancel               context.CancelFunc // ends the wait for the origin
	tapped               bool               // it is counted among the streaming of its session; guarded by Proxy.mu
	err                  error              // the gateway answered itself, and why
	originErr            error              // the origin broke off in the body
	clientErr            error              // the player did
}

// link is what belongs to one connection of a client. NTLM and Negotiate authenticate a connection, not a request: so
// each client connection has origin connections of its own, which nobody else uses.
type link struct {
	conn          *clientConn
	client, local netip.AddrPort
	transport     *http.Transport

	// pin is the node that the connection has authenticated with, or is about to; it is asked and no other. Used by the
	// connection's goroutine only.
	pin *balancer.Node

	originIn, originOut counter
	tap                 atomic.Pointer[capture.Session] // of the last request
	seenAs              atomic.Pointer[netip.AddrPort]  // our end of the last origin connection, set by the one who dialled

	// guarded by Proxy.mu
	session *session // of the last request
	counted [4]uint64
}

type (
	linkKey     struct{}
	exchangeKey struct{}
)

func exchangeOf(ctx context.Context) *exchange {
	ex, _ := ctx.Value(exchangeKey{}).(*exchange)
	return ex
}

// serve is the handler of all requests.
func (p *Proxy) serve(w http.ResponseWriter, r *http.Request) {
	l, _ := r.Context().Value(linkKey{}).(*link)
	if err := p.admit(r, l); err != nil {
		p.refuse(w, r, err)
		return
	}
	if p.announce(w, r) {
		return
	}
	ex := &exchange{proxy: p, link: l, in: r, pragma: readPragma(r.Header)}
	ex.wmsp = speaksWMSP(r.Header, ex.pragma)
	free, err := p.readBody(w, ex)
	defer free()
	if err != nil {
		p.refuse(w, r, err)
		return
	}
	ex.report = readReport(ex)
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	ex.cancel = cancel
	p.begin(ex)
	defer p.settle(ex)
	p.tap(ex)
	p.sight(ex)
	p.reverse.ServeHTTP(&answer{ResponseWriter: w, ex: ex}, r.WithContext(context.WithValue(ctx, exchangeKey{}, ex)))
}

// admit refuses what no origin shall see. net/http has refused before what cannot be read.
func (p *Proxy) admit(r *http.Request, l *link) error {
	switch {
	case r.ProtoMajor != 1: // the preface of HTTP/2 reads like a request
		return errVersion
	case r.Method == http.MethodConnect:
		return errConnect
	case len(r.TransferEncoding) > 0:
		// A body whose length is told by chunks is what smuggling is made of (RFC 9112, section 11.2), and no player sends one.
		return errCoding
	case r.URL.Host != "" && !l.names(r.URL.Host):
		return errThirdParty
	}
	for _, via := range r.Header["Via"] {
		if strings.Contains(via, p.receivedBy) {
			return errLoop
		}
	}
	return nil
}

// names says that the host of an absolute-form target is the address that the client connected to. net/http puts it in
// the place of Host, so that a name in it cannot be compared with anything.
func (l *link) names(host string) bool {
	addr, err := netip.ParseAddr(hostOnly(host))
	return err == nil && addr.Unmap() == l.local.Addr()
}

// refuse answers a request that goes to no origin, and closes the connection: what follows cannot be trusted.
func (p *Proxy) refuse(w http.ResponseWriter, r *http.Request, err error) {
	status := judged(err).status
	if status == http.StatusMethodNotAllowed {
		w.Header().Set("Allow", "GET, HEAD, POST, OPTIONS")
	}
	w.Header().Set("Connection", "close")
	w.Header().Set("Content-Length", "0")
	w.WriteHeader(status)
	p.cfg.Logger.Info("request refused", zap.String("client", r.RemoteAddr), zap.String("method", r.Method),
		zap.String("host", r.Host), zap.Int("status", status), zap.Error(err))
}

// answer is the way to the player: it counts, and keeps net/http from adding what the origin did not say.
type answer struct {
	http.ResponseWriter
	ex *exchange
}

// Unwrap lets net/http find Flush.
func (a *answer) Unwrap() http.ResponseWriter { return a.ResponseWriter }

func (a *answer) WriteHeader(status int) {
	if status >= http.StatusOK {
		h := a.Header()
		if _, ok := h["Content-Type"]; !ok {
			h["Content-Type"] = nil // no guess
		}
		if a.ex.identity {
			h.Set("Transfer-Encoding", "identity") // net/http's word for: do not chunk, close at the end
		}
		// net/http ignores Transfer-Encoding in HTTP/1.0 without a trace, so that what follows may be the body (RFC 9112,
		// section 6.1). Only a handshake of NTLM needs the connection ([MS-WMSP] 3.2.5.1).
		if !a.ex.in.ProtoAtLeast(1, 1) && status != http.StatusUnauthorized && a.ex.link.pin == nil {
			h.Set("Connection", "close")
		}
		a.ex.status = status
	}
	a.ResponseWriter.WriteHeader(status)
}

func (a *answer) Write(b []byte) (int, error) {
	n, err := a.ResponseWriter.Write(b)
	if a.ex.media {
		a.ex.toClient.feed(b[:n], a.ex.fromOrigin.first)
		a.ex.seenTo.show(&a.ex.toClient)
	}
	if err != nil {
		a.ex.clientErr = err
	}
	return n, err
}

// hostOnly is the host of a Host field, without port and brackets.
func hostOnly(host string) string {
	if i := strings.LastIndexByte(host, ':'); i >= 0 && !strings.Contains(host[i:], "]") && (strings.Count(host, ":") == 1 || host[0] == '[') {
		host = host[:i]
	}
	return strings.Trim(host, "[]")
}

// host is the gateway as the player calls it: one of HTTP/1.0 may not say.
func (ex *exchange) host() string {
	if ex.in.Host == "" {
		return ex.link.local.String()
	}
	return ex.in.Host
}

// urlOf is the request's URL as the player wrote its parts.
func urlOf(ex *exchange) string {
	scheme := "http://"
	if ex.link.conn.secure {
		scheme = "https://"
	}
	return scheme + ex.host() + ex.in.URL.RequestURI()
}
