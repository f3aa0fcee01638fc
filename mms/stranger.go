package mms

import (
	"bytes"
	"encoding/binary"
	"errors"
	"net"
	"strconv"
	"time"

	"go.uber.org/zap"

	"mediagate/internal/sessionlog"
	"mediagate/mms/mmswire"
)

// Connections that never become a conversation of MMS: scanners, players that were given the wrong port, and those over
// the limit.

// strangerError is a player that speaks another protocol. Its first bytes tell, while the wire reader would take them for a
// Data packet and wait for the rest of it.
type strangerError struct{ speaks string }

func (e *strangerError) Error() string { return "mms: read greeting: " + e.speaks + ", no MMS" }

// sessionMark is the session ID in the header of each packet that a player sends, after four bytes of which the first is 1
// ([MS-MMSP] 2.2.3).
const sessionMark = 0xb00bface

// greeting is what a player says first, as much of it as tells what it speaks. It belongs to the pump.
type greeting struct {
	head [8]byte
	n    int
}

// hear takes the next bytes, and returns a *strangerError as soon as they can be no MMS.
func (g *greeting) hear(b []byte) error {
	if g == nil || g.n == len(g.head) {
		return nil
	}
	g.n += copy(g.head[g.n:], b)
	if speaks := stranger(g.head[:g.n]); speaks != "" {
		return &strangerError{speaks: speaks}
	}
	return nil
}

// stranger says what b is the beginning of if it is not MMS; "" while it may be, and while a word that may name a protocol
// is not whole.
func stranger(b []byte) string {
	whole := len(b) == len(greeting{}.head)
	switch {
	case len(b) == 0:
		return ""
	case b[0] == 0x16: // RFC 8446, section 5.1: a handshake
		return "TLS"
	case 'A' <= b[0] && b[0] <= 'Z':
		word, _, ended := bytes.Cut(b, []byte(" "))
		if !ended && !whole {
			return ""
		}
		switch string(word) {
		case "GET", "POST", "HEAD", "PUT", "CONNECT":
			return "HTTP"
		case "OPTIONS", "DESCRIBE", "SETUP", "PLAY", "ANNOUNCE":
			return "RTSP"
		}
	case b[0] == 1 && !whole, b[0] == 1 && binary.LittleEndian.Uint32(b[4:]) == sessionMark:
		return ""
	}
	return "nothing that is known here"
}

func endStranger(e *strangerError) *end {
	return &end{who: sessionlog.WhoClient, cause: sessionlog.Cause{Kind: sessionlog.PlayerForeign, Text: e.speaks + " to a port for MMS"}, err: e, refusal: true}
}

// firstWords is how the end of a connection is told that came before its first message.
func (s *session) firstWords() string {
	if n := s.client.pace.n.Load(); n > 0 {
		return " after " + strconv.FormatUint(n, 10) + " bytes, which are no request"
	}
	return " without a word"
}

// turnAway answers a connection that is not served, without a goroutine of its own, and writes the record of one over the
// limit. One that comes while the gateway drains has none: the listeners are closed, and the log is about to be.
func (p *Proxy) turnAway(conn net.Conn, err error) {
	_ = conn.SetWriteDeadline(time.Now().Add(time.Second)) // an accepted connection takes this much at once
	refused := mmswire.AppendPacket(nil, 0, 0, mmswire.Encode(refusal(mmswire.MIDConnect, 0, hresultOf(err))))
	n, _ := conn.Write(refused)
	_ = conn.Close() // a client that we do not serve
	if !errors.Is(err, errBusy) {
		p.cfg.Logger.Warn("connection refused", zap.Stringer("client", conn.RemoteAddr()), zap.Error(err))
		return
	}
	s := p.newSession(conn)
	defer p.survive(s)
	s.cancel(err)
	s.endWith(&end{who: sessionlog.WhoResource, cause: sessionlog.Cause{Kind: sessionlog.LimitReached}, err: err, refusal: true})
	s.client.out.n.Add(uint64(n))
	s.writeRecord()
}
