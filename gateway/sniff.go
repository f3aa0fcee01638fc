package gateway

import (
	"bytes"
	"net"
	"time"

	"mediagate/rtsp"
)

// maxSniff bounds what is read of a first request to tell a tunnel: a head that is longer is no tunnel's.
const maxSniff = 8 << 10

// sniff reads the head of a first request, for so long at most, and says whether it asks for a tunnel. What was read is
// the caller's to replay. A head that does not come, or not whole, is HTTP's to refuse.
func sniff(conn net.Conn, wait time.Duration) (head []byte, tunnel bool) {
	_ = conn.SetReadDeadline(time.Now().Add(wait)) // a closed connection is seen by the Read below
	b := make([]byte, 1024)
	for len(head) < maxSniff {
		n, err := conn.Read(b)
		head = append(head, b[:n]...)
		if !mayBeTunnel(head) || bytes.Contains(head, []byte("\r\n\r\n")) || bytes.Contains(head, []byte("\n\n")) || err != nil {
			break
		}
	}
	return head, rtsp.IsTunnel(head)
}

// mayBeTunnel says that a head may still become one of GET or POST.
func mayBeTunnel(head []byte) bool {
	for _, method := range [][]byte{[]byte("GET "), []byte("POST ")} {
		if n := min(len(head), len(method)); bytes.Equal(head[:n], method[:n]) {
			return true
		}
	}
	return false
}

// replay is a connection of which some has been read already.
type replay struct {
	net.Conn
	head []byte // what was read and not given out yet; who reads is one goroutine at a time
}

// Read gives what was read first.
func (r *replay) Read(b []byte) (int, error) {
	if len(r.head) > 0 {
		n := copy(b, r.head)
		r.head = r.head[n:]
		return n, nil
	}
	return r.Conn.Read(b)
}

// CloseWrite ends the sending half, where the connection has two.
func (r *replay) CloseWrite() error {
	if half, ok := r.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return net.ErrClosed
}
