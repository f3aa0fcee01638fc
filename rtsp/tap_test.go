package rtsp

import (
	"crypto/tls"
	"net"
	"testing"
)

// wrapped is a connection with another one in it.
type wrapped struct{ net.Conn }

func (w wrapped) NetConn() net.Conn { return w.Conn }

func TestClearOf(t *testing.T) {
	a, b := net.Pipe()
	defer a.Close()
	defer b.Close()
	inTLS := tls.Server(a, &tls.Config{})
	ring := &struct{ wrapped }{}
	ring.Conn = ring
	for _, tc := range []struct {
		name string
		conn net.Conn
		want bool
	}{
		{"TCP", a, false}, {"TLS", inTLS, true}, {"TLS below", wrapped{wrapped{inTLS}}, true}, {"none below", wrapped{a}, false}, {"a ring", ring, false},
	} {
		if got := clearOf(tc.conn); got != "" != tc.want {
			t.Errorf("%s: %q", tc.name, got)
		}
	}
}
