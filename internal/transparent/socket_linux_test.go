package transparent_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"strings"
	"syscall"
	"testing"
	"time"

	"mediagate/internal/lab"
	"mediagate/internal/transparent"
)

// pairOf is a client's address with an origin's, of one family.
type pairOf struct {
	name           string
	client, origin netip.Addr
}

func families(n *lab.Network) []pairOf {
	return []pairOf{{"IPv4", n.ClientAddr, n.OriginAddrs[0]}, {"IPv6", n.ClientAddr6, n.OriginAddrs6[0]}}
}

// serve answers each connection with the address that it sees.
func serve(t *testing.T, h *lab.Host, addr netip.AddrPort) {
	t.Helper()
	var l net.Listener
	var err error
	h.Do(func() { l, err = net.Listen("tcp", addr.String()) })
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			_, _ = io.WriteString(c, c.RemoteAddr().String()+"\n")
			_ = c.Close()
		}
	}()
	t.Cleanup(func() { _ = l.Close(); <-done })
}

// dialAs connects from the gateway as a client and gives what the origin saw.
func dialAs(t *testing.T, n *lab.Network, client, to netip.AddrPort) (net.Conn, netip.AddrPort) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	var c net.Conn
	var err error
	n.Gateway.Do(func() { c, err = transparent.Dial(ctx, client, to) })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	if err := c.SetReadDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 100)
	got, err := c.Read(b)
	if err != nil {
		t.Fatal(err)
	}
	return c, netip.MustParseAddrPort(strings.TrimSpace(string(b[:got])))
}

func TestOriginsSeeTheClientOverTCP(t *testing.T) {
	n := lab.NewNetwork(t)
	rules := install(t, n, spec(n))
	for _, f := range families(n) {
		t.Run(f.name, func(t *testing.T) {
			client := at(f.client, 40000)
			serve(t, n.Origins[0], at(f.origin, 554))
			if _, got := dialAs(t, n, client, at(f.origin, 554)); got != client {
				t.Errorf("the origin saw %v, want %v", got, client)
			}
			// The port is taken towards this origin now, but not towards the other.
			_, got := dialAs(t, n, client, at(f.origin, 554))
			if got.Addr() != f.client || got.Port() == 40000 {
				t.Errorf("with a taken port the origin saw %v, want another port of %v", got, f.client)
			}
			second := n.OriginAddrs[1]
			if f.client.Is6() {
				second = n.OriginAddrs6[1]
			}
			serve(t, n.Origins[1], at(second, 554))
			if _, got := dialAs(t, n, client, at(second, 554)); got != client {
				t.Errorf("the second origin saw %v, want %v", got, client)
			}
		})
	}
	if got := counts(t, n, rules); got["home"] == 0 {
		t.Errorf("counters %v: nothing came home", got)
	}
	n.CheckForwardsNothing(t)
}

func TestUDPOfAClient(t *testing.T) {
	n := lab.NewNetwork(t)
	rules := install(t, n, spec(n))
	for _, f := range families(n) {
		t.Run(f.name, func(t *testing.T) {
			ours := listenAs(t, n, at(f.client, 6970))
			origin := listenUDP(t, n.Origins[0], at(f.origin, 5004))
			write(t, ours, "a receiver report", at(f.origin, 5004))
			if text, from := read(t, origin); text != "a receiver report" || from != at(f.client, 6970) {
				t.Errorf("the origin got %q of %v", text, from)
			}
			// 4000 bytes come in three fragments, and only the first has ports.
			for _, text := range []string{"media", strings.Repeat("m", 4000)} {
				write(t, origin, text, at(f.client, 6970))
				if got, from := read(t, ours); got != text || from != at(f.origin, 5004) {
					t.Errorf("got %d bytes of %v, want %d of %v", len(got), from, len(text), at(f.origin, 5004))
				}
			}
			n.Gateway.Do(func() {
				_, err := transparent.ListenUDP(at(f.client, 6970))
				if !errors.Is(err, syscall.EADDRINUSE) {
					t.Errorf("a taken port: %v, want EADDRINUSE", err)
				}
			})
		})
	}
	got := counts(t, n, rules)
	for reason, packets := range got {
		if reason != "home" {
			t.Errorf("%d packets were refused as %s", packets, reason)
		}
	}
}

func TestDialSaysWhatWentWrong(t *testing.T) {
	n := lab.NewNetwork(t)
	install(t, n, spec(n))
	client := at(n.ClientAddr, 40000)
	dial := func(ctx context.Context, to netip.AddrPort) (err error) {
		n.Gateway.Do(func() { _, err = transparent.Dial(ctx, client, to) })
		var op *transparent.OpError
		if !errors.As(err, &op) || op.Addr != to || op.Op != "dial" {
			t.Errorf("dial %v: %v is no OpError about it", to, err)
		}
		return err
	}
	if err := dial(t.Context(), at(n.OriginAddrs[0], 1)); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("nobody listens: %v, want ECONNREFUSED", err)
	}
	if err := dial(t.Context(), at(n.OriginAddrs6[0], 554)); err == nil {
		t.Error("dialled an IPv6 origin as an IPv4 client")
	}
	// 10.99.2.99 is nobody's.
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	if err := dial(ctx, netip.MustParseAddrPort("10.99.2.99:554")); !errors.Is(err, context.DeadlineExceeded) {
		var timeout net.Error
		if !errors.As(err, &timeout) || !timeout.Timeout() {
			t.Errorf("nobody answers: %v, want a time-out", err)
		}
	}
}
