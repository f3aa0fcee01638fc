package gateway

import (
	"bytes"
	"encoding/binary"
	"io"
	"net"
	"time"

	"mediagate/rtsp"
)

// maxSniff bounds what is read of a first request to tell a tunnel: a head that is longer is no tunnel's.
const maxSniff = 8 << 10

// speech is what somebody speaks who connects to a port for HTTP.
type speech uint8

const (
	notYet speech = iota // too little was read to tell
	speechHTTP
	speechTunnel // RTSP in HTTP
	speechRTSP
	speechMMS
	speechTLS
	speechNone // nothing that is known
)

// mmsMark is the session ID in the header of each packet of MMS messages ([MS-MMSP] 2.2.3), after four bytes of which
// the first is 1.
const mmsMark = 0xb00bface

// listen tells what begins like head; whole says that nothing more comes.
func listen(head []byte, whole bool) speech {
	if len(head) == 0 {
		return notYet
	}
	switch first := head[0]; {
	case first == 0x16: // a handshake record, RFC 8446, section 5.1
		return speechTLS
	case first == 1 && len(head) >= 8 && binary.LittleEndian.Uint32(head[4:]) == mmsMark:
		return speechMMS
	case first == 1 && len(head) < 8 && !whole:
		return notYet
	case first == '\r' || first == '\n':
		return speechHTTP // which passes over an empty line, RFC 9112, section 2.2
	case first < 'A' || first > 'z':
		return speechNone
	}
	line, _, ended := bytes.Cut(head, []byte("\n"))
	isRTSP := bytes.Contains(line, []byte(" RTSP/"))
	switch {
	case !ended && !whole:
		return notYet
	case !whole && (isRTSP || mayBeTunnel(head)) && !headEnds(head):
		return notYet
	case isRTSP:
		return speechRTSP
	case ended && !bytes.Contains(line, []byte(" HTTP/")):
		return speechNone
	case rtsp.IsTunnel(head):
		return speechTunnel
	}
	return speechHTTP
}

func headEnds(head []byte) bool {
	return bytes.Contains(head, []byte("\n\r\n")) || bytes.Contains(head, []byte("\n\n"))
}

// mayBeTunnel says that a request is one that tunnels are made of.
func mayBeTunnel(head []byte) bool {
	return bytes.HasPrefix(head, []byte("GET ")) || bytes.HasPrefix(head, []byte("POST "))
}

// sniff reads the head of a first request as far as it takes to tell what is spoken: its first byte for so long as first
// at most, the rest for so long as rest. What was read is the caller's to replay. With an error nothing can be told.
func sniff(conn net.Conn, first, rest time.Duration) (head []byte, what speech, err error) {
	_ = conn.SetReadDeadline(time.Now().Add(first)) // a closed connection is seen by the Read below
	b := make([]byte, 1024)
	for {
		n, err := conn.Read(b)
		if len(head) == 0 && n > 0 {
			_ = conn.SetReadDeadline(time.Now().Add(rest))
		}
		head = append(head, b[:n]...)
		whole := err == io.EOF || len(head) >= maxSniff
		if what := listen(head, whole); what != notYet {
			return head, what, nil
		}
		if err != nil {
			return head, notYet, err
		}
	}
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
	r.head = nil
	return r.Conn.Read(b)
}

// CloseWrite ends the sending half, where the connection has two.
func (r *replay) CloseWrite() error {
	if half, ok := r.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return net.ErrClosed
}

// NetConn is the connection below, for those who look for TLS.
func (r *replay) NetConn() net.Conn { return r.Conn }
