package httpfallback

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"net/http/httputil"
	"slices"
	"strings"

	"go.uber.org/zap"

	"mediagate/balancer"
)

// rewrite edits the request that goes to an origin. What is not named here passes as net/http read it.
func (p *Proxy) rewrite(pr *httputil.ProxyRequest) {
	in, out, ex := pr.In, pr.Out, exchangeOf(pr.In.Context())
	out.URL.Scheme, out.URL.RawQuery = "http", in.URL.RawQuery // as it was: ReverseProxy drops what it cannot parse
	setTarget(out, in.RequestURI)
	out.Host = in.Host
	out.Close = in.Close // a player that keeps no connection needs none kept for it
	for _, field := range []string{"Upgrade", "Expect", "Te"} {
		out.Header.Del(field) // hop by hop; RFC 9110, section 7.8: an Upgrade may be ignored; the body is here already
	}
	out.Header.Add("Via", p.via(in))
	if !ex.wmsp {
		return
	}
	// [MS-WMSP] 3.1.5.1: a proxy SHOULD name the player's verb and MUST name its agent; 3.2.5.1 and 2.2.1.4.21: what is
	// there already MUST NOT be changed.
	if in.Header.Get("X-Proxy-Client-Verb") == "" {
		out.Header.Set("X-Proxy-Client-Verb", in.Method)
	}
	if agent := in.UserAgent(); agent != "" && !ex.pragma.agent && !strings.Contains(agent, `"`) {
		out.Header.Add("Pragma", `proxy-client-agent="`+agent+`"`)
	}
}

// via is our entry of Via (RFC 9110, section 7.6.3).
func (p *Proxy) via(in *http.Request) string {
	version := "1.1"
	if !in.ProtoAtLeast(1, 1) {
		version = "1.0"
	}
	return version + " " + p.receivedBy + " (" + p.cfg.Pseudonym + "/" + p.cfg.Version + ")"
}

// setTarget writes the path as the player wrote it, in whatever way it escaped it.
func setTarget(out *http.Request, uri string) {
	path, _, _ := strings.Cut(uri, "?")
	if strings.HasPrefix(path, "/") && !strings.HasPrefix(path, "//") {
		out.URL.Opaque = path
	}
}

// maxHops bounds the redirects that are followed for one request.
const maxHops = 3

// answered is an answer with the node that gave it.
type answered struct {
	res *http.Response
	by  balancer.Node
}

// roundTrip asks node after node until one answers: ReverseProxy's way to the origins. Nothing has been sent to the player
// before it returns.
func (p *Proxy) roundTrip(out *http.Request) (*http.Response, error) {
	ex := exchangeOf(out.Context())
	var tried []string
	var held answered // a 503, the answer if there is no other node
	var failed error
	for hops := 0; ; {
		node, err := p.nextNode(ex, tried)
		if err != nil {
			switch {
			case held.res != nil:
				return p.accepted(ex, held.by, held.res)
			case failed != nil:
				return nil, failed
			}
			return nil, err
		}
		discard(held.res)
		held = answered{}
		res, err := p.ask(ex, out, node)
		if err == nil && res.StatusCode != http.StatusServiceUnavailable {
			if hops++; hops <= maxHops && p.followed(ex, out, res) {
				continue
			}
			return p.accepted(ex, node, res)
		}
		if !ex.mayMove(err) {
			if err != nil {
				return nil, err
			}
			return p.accepted(ex, node, res)
		}
		p.leave(ex, node, err)
		tried, held, failed = append(tried, node.Name), answered{res, node}, err
	}
}

// nextNode is the node that the connection is bound to, or the session's, or another one.
func (p *Proxy) nextNode(ex *exchange, tried []string) (balancer.Node, error) {
	if pin := ex.link.pin; pin != nil {
		if slices.Contains(tried, pin.Name) {
			return balancer.Node{}, balancer.ErrNoNode
		}
		return *pin, nil
	}
	return p.nodeFor(ex, tried)
}

// mayMove says that another node may be asked instead of one that failed or (err nil) answered 503. A connection that has
// authenticated may not; nor may what is about a session of that node only, such as a log; nor what a node may have done
// already.
func (ex *exchange) mayMove(err error) bool {
	if ex.in.Context().Err() != nil || ex.link.pin != nil || connectionAuth(ex.in.Header["Authorization"]) {
		return false
	}
	if ex.in.Method == http.MethodGet || ex.in.Method == http.MethodHead {
		return true
	}
	return ex.pragma.clientID == "" && (err == nil || errors.Is(err, errUnreachable))
}

// leave notes that a node did not serve.
func (p *Proxy) leave(ex *exchange, n balancer.Node, err error) {
	ex.log.Info("node left", zap.String("node", n.Name), zap.Bool("answered", err == nil), zap.Error(err))
	if !errors.Is(err, errUnreachable) {
		return
	}
	p.mu.Lock()
	lease := ex.session.lease
	p.mu.Unlock()
	if lease != nil && lease.Node().Name == n.Name {
		lease.Failed(err)
	}
}

// ask sends the request to one node.
func (p *Proxy) ask(ex *exchange, out *http.Request, n balancer.Node) (*http.Response, error) {
	req := out.Clone(out.Context())
	req.URL.Host = n.AddrPort(Service).String()
	req.Body, req.ContentLength = nil, int64(len(ex.body))
	if len(ex.body) > 0 {
		req.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(ex.body)), nil }
		req.Body, _ = req.GetBody()
	}
	if ex.home != "" && ex.home != n.Name {
		replaceToken(req.Header, "client-id", "") // here it may be somebody else's
	}
	res, err := ex.link.transport.RoundTrip(req)
	if err != nil {
		return nil, originError(err)
	}
	return res, nil
}

// accepted takes an answer for the one that the player gets.
func (p *Proxy) accepted(ex *exchange, n balancer.Node, res *http.Response) (*http.Response, error) {
	ex.node = n
	if connectionAuth(res.Header["Www-Authenticate"]) && res.StatusCode == http.StatusUnauthorized || connectionAuth(ex.in.Header["Authorization"]) {
		ex.link.pin = &n
	}
	if err := p.keepInside(ex, res); err != nil {
		_ = res.Body.Close() // nobody reads it
		return nil, err
	}
	p.served(ex, ex.node)
	return res, nil
}

// connectionAuth says that one of the schemes of Authorization or WWW-Authenticate authenticates a connection.
func connectionAuth(values []string) bool {
	for _, v := range values {
		for scheme := range strings.SplitSeq(v, ",") {
			name, _, _ := strings.Cut(strings.TrimSpace(scheme), " ")
			if strings.EqualFold(name, "NTLM") || strings.EqualFold(name, "Negotiate") {
				return true
			}
		}
	}
	return false
}

// discardBytes is what is read of a body that nobody wants, so that its connection can be used again.
const discardBytes = 4 << 10

func discard(res *http.Response) {
	if res != nil {
		_, _ = io.CopyN(io.Discard, res.Body, discardBytes) // what is longer costs the connection
		_ = res.Body.Close()
	}
}
