package gateway

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"time"

	"go.uber.org/zap"

	"mediagate/internal/transparent"
)

// dialFunc is the form that the three protocols' DialFunc have in common.
type dialFunc = func(ctx context.Context, client, to netip.AddrPort) (net.Conn, error)

// dialer opens origin connections for all pools; nil leaves them to the protocols.
func (t *transparency) dialer() dialFunc {
	if t == nil {
		return nil
	}
	return t.dial
}

// dial borrows the client's address where the node's pool wants it and the node can answer to it. A node that does not
// answer the client by way of us is asked with our own address before it counts as down: a client that the node reaches by
// another way must not take the node away from everybody.
func (t *transparency) dial(ctx context.Context, client, to netip.AddrPort) (net.Conn, error) {
	from, node := client.Addr().Unmap(), to.Addr().Unmap()
	if !t.nodes[node] {
		return dialPlain(ctx, to)
	}
	why := "the node could not answer by way of this machine"
	if t.borrows(from, node) {
		c, err := t.dialAs(ctx, client, to)
		if err == nil || ctx.Err() != nil || errors.Is(err, transparent.ErrUnsupported) {
			return c, err
		}
		why = err.Error()
	}
	c, err := dialPlain(ctx, to)
	if err == nil {
		t.log.Warn("the node sees an address of ours instead of the client's", zap.Stringer("client", client),
			zap.Stringer("node", to), zap.String("why", why))
	}
	return c, err
}

// borrows tells whether a node can answer to a client by way of us: they are of one family, neither of them is this
// machine alone, and they do not share a link, on which the node would answer past us.
func (t *transparency) borrows(client, node netip.Addr) bool {
	if client.Is4() != node.Is4() || client.IsLoopback() != node.IsLoopback() {
		return false
	}
	for _, link := range t.links {
		if link.Contains(client) && link.Contains(node) && !client.IsLoopback() {
			return false
		}
	}
	return true
}

// dialAs connects as the client, and leaves a third of the time for another try.
func (t *transparency) dialAs(ctx context.Context, client, to netip.AddrPort) (net.Conn, error) {
	if end, ok := ctx.Deadline(); ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, time.Until(end)*2/3)
		defer cancel()
	}
	return transparent.Dial(ctx, client, to)
}

func dialPlain(ctx context.Context, to netip.AddrPort) (net.Conn, error) {
	d := net.Dialer{KeepAliveConfig: deadAfter()}
	return d.DialContext(ctx, "tcp", to.String())
}

// linksOf are the networks that this machine has an address in.
func linksOf() []netip.Prefix {
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		return nil // the nodes' silence tells the same, later
	}
	var all []netip.Prefix
	for _, a := range addrs {
		if p, err := netip.ParsePrefix(a.String()); err == nil {
			all = append(all, p.Masked())
		}
	}
	return all
}
