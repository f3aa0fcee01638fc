package lab

import (
	"net/netip"
	"strings"
	"testing"
	"time"
)

// EmbeddedOrigin is the program's own origin as a process, which can be killed
// and run in a namespace.
type EmbeddedOrigin struct {
	*Proc
	Addr netip.Addr
}

// StartEmbeddedOrigin runs "mediagate origin" at addr, MMS on port 1755, with
// more flags, until the end of the test.
func StartEmbeddedOrigin(t testing.TB, addr netip.Addr, host *Host, flags ...string) *EmbeddedOrigin {
	t.Helper()
	ready := make(chan struct{}, 8)
	args := append([]string{"origin", "--listen", netip.AddrPortFrom(addr, 554).String()}, flags...)
	o := &EmbeddedOrigin{Addr: addr}
	o.Proc = Start(t, Command{Path: Binary(t), Args: args, Host: host, Stdout: func(line string) {
		if strings.HasPrefix(line, "serving mms") {
			select {
			case ready <- struct{}{}:
			default:
			}
		}
	}})
	select {
	case <-ready:
	case <-o.Done():
		t.Fatalf("lab: the origin ended\n%s", o.Output())
	case <-time.After(startLimit):
		t.Fatalf("lab: the origin is not ready\n%s", o.Output())
	}
	return o
}
