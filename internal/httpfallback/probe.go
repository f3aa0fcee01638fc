package httpfallback

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"mediagate/balancer"
)

// NewProbe returns a monitor that asks a node for path ("" is "/") as a player that wants to know what there is
// ([MS-WMSP] 2.2.2.1, Describe); the node is well when it answers with a status below 500: whoever says 404 serves.
// timeout bounds the whole, with the monitor's own context.
func NewProbe(timeout time.Duration, path string) balancer.Monitor {
	if !strings.HasPrefix(path, "/") {
		path = "/" + path
	}
	return func(ctx context.Context, n balancer.Node) error {
		ctx, cancel := context.WithTimeout(ctx, timeout)
		defer cancel()
		if err := probe(ctx, n, path); err != nil {
			return fmt.Errorf("httpfallback: probe node %q: %w", n.Name, err)
		}
		return nil
	}
}

func probe(ctx context.Context, n balancer.Node, path string) error {
	addr := n.AddrPort(Service).String()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+addr+path, http.NoBody)
	if err != nil {
		return err
	}
	req.Header = http.Header{
		"User-Agent": {"NSPlayer/9.0.0.2980"},
		"Pragma":     {"no-cache,rate=1.000,stream-time=0,max-duration=0", "xClientGUID={3300AD50-2C39-46C0-AE0A-4D6564696167}"},
	}
	t := &http.Transport{
		DisableKeepAlives: true, DisableCompression: true, MaxResponseHeaderBytes: originHeader,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			var d net.Dialer
			return d.DialContext(ctx, "tcp", addr)
		},
	}
	res, err := t.RoundTrip(req) // no redirect is followed
	if err != nil {
		return err
	}
	_, err = io.ReadFull(res.Body, make([]byte, 1)) // a head alone may come from a server that cannot read its files
	_ = res.Body.Close()                            // it was only asked
	if res.StatusCode >= http.StatusInternalServerError {
		return fmt.Errorf("answered %d", res.StatusCode)
	}
	if err == io.EOF {
		return nil // no body is an answer too
	}
	return err
}

// originHeader bounds the head of an origin's response.
const originHeader = 256 << 10
