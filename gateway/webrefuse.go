package gateway

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strconv"
	"time"

	"go.uber.org/zap"

	"mediagate/internal/sessionlog"
)

// refusal is why a connection to a port for HTTP is not served, and what is said to it in the words that it understands.
type refusal struct {
	who    byte
	why    string
	answer []byte // nil: none, the connection is closed
	below  bool   // the answer is written below TLS, where there is any
}

// refusedTLS: RFC 8446, section 6.2, a fatal alert, handshake_failure.
func refusedTLS() refusal {
	alert := []byte{0x15, 3, 1, 0, 2, 2, 40}
	return refusal{who: sessionlog.WhoClient, why: "the player spoke TLS to a port that has none", answer: alert}
}

// refusedMMS has no answer. Observed: MPlayer goes on to HTTP when a connection for MMS is closed, and waits when it is not.
func refusedMMS() refusal {
	return refusal{who: sessionlog.WhoClient, why: "the player spoke MMS to a port for HTTP"}
}

// refusedNone: RFC 9112, section 2.2, 400 for what is no request.
func refusedNone() refusal {
	return refusal{who: sessionlog.WhoClient, why: "the player spoke no protocol that is known here",
		answer: httpRefusal(400, "Bad Request", "this is no request of HTTP")}
}

func refusedSlow() refusal {
	return refusal{who: sessionlog.WhoClientTimeout, why: "the player did not finish its first request in time",
		answer: httpRefusal(408, "Request Timeout", "the request did not come in time")}
}

// refusedBusy has an answer where no handshake is due before it.
func refusedBusy(secure bool) refusal {
	r := refusal{who: sessionlog.WhoResource, why: "the limit of connections is reached"}
	if !secure {
		r.answer = httpRefusal(503, "Service Unavailable", "too many connections")
	}
	return r
}

// httpRefusal is an answer in HTTP/1.0, after which the connection ends (RFC 9112, section 9.6).
func httpRefusal(status int, reason, text string) []byte {
	return fmt.Appendf(nil, "HTTP/1.0 %d %s\r\nConnection: close\r\nContent-Type: text/plain\r\nContent-Length: %d\r\n\r\n%s\n", status, reason, len(text)+1, text)
}

// refusedRTSP answers a request in RTSP: it is the port's to be in HTTP. RFC 2326, section 12.17: with its CSeq.
func refusedRTSP(head []byte) refusal {
	b := []byte("RTSP/1.0 501 Not Implemented\r\n")
	for line := range bytes.Lines(head) {
		name, value, _ := bytes.Cut(line, []byte(":"))
		if n, err := strconv.ParseUint(string(bytes.TrimSpace(value)), 10, 32); err == nil && bytes.EqualFold(name, []byte("CSeq")) {
			b = fmt.Appendf(b, "CSeq: %d\r\n", n)
			break
		}
	}
	b = append(b, "Connection: close\r\n\r\n"...)
	return refusal{who: sessionlog.WhoClient, why: "the player spoke RTSP to a port for HTTP", answer: b}
}

// refusedHandshake is for a handshake of TLS that came to nothing.
func refusedHandshake(err error) refusal {
	var clear tls.RecordHeaderError
	var late net.Error
	switch {
	case errors.As(err, &clear) && clear.Conn != nil: // else it was past the first record
		r := refusal{who: sessionlog.WhoClient, why: "the player did not speak TLS to a port that has nothing else"}
		if c := clear.RecordHeader[0]; 'A' <= c && c <= 'Z' { // the begin of a method
			r.answer, r.below = httpRefusal(400, "Bad Request", "this port speaks TLS"), true
		}
		return r
	case errors.As(err, &late) && late.Timeout():
		return refusal{who: sessionlog.WhoClientTimeout, why: "the player did not finish the TLS handshake in time"}
	}
	return refusal{who: sessionlog.WhoClient, why: "the TLS handshake failed: " + err.Error()}
}

const (
	refuseWrite = time.Second            // for an answer that fits into an empty send buffer
	refuseDrain = 500 * time.Millisecond // for the player to read it: what is left unread would reset the connection
	refuseBytes = 64 << 10               // that are read meanwhile
)

// refuse answers, tells, and closes.
func (w *web) refuse(conn *counted, r refusal, read int) {
	w.tell(conn, r, read)
	if r.answer != nil {
		w.say(conn, r)
	}
	_ = conn.Close() // a client that is not served
}

// say writes the answer, and waits a little while for the player to read it, if the gateway does not stop.
func (w *web) say(conn *counted, r refusal) {
	to := conn.Conn
	if r.below {
		to = conn.below()
	}
	stop := context.AfterFunc(w.ctx, func() { _ = to.SetDeadline(time.Now()) }) // what is waited for below returns by it
	defer stop()
	_ = to.SetWriteDeadline(time.Now().Add(refuseWrite))
	_, err := to.Write(r.answer)
	if half, ok := to.(interface{ CloseWrite() error }); err != nil || !ok || half.CloseWrite() != nil {
		return // who is gone already needs no answer
	}
	_ = to.SetReadDeadline(time.Now().Add(refuseDrain))
	if w.ctx.Err() != nil {
		return // the deadline may have come before the one above
	}
	_, _ = io.CopyN(io.Discard, to, refuseBytes)
}

// tell writes the log line and the record of a connection that is refused.
func (w *web) tell(conn *counted, r refusal, read int) {
	id := w.epoch + "-" + strconv.FormatUint(w.refused.Add(1), 10)
	w.log.Info("connection refused", zap.String("session", id), zap.Stringer("client", conn.RemoteAddr()), zap.String("why", r.why))
	w.record(&sessionlog.Record{
		ID: id, VirtualServer: w.name, Protocol: "http",
		Client: addrPortOf(conn.RemoteAddr()), Local: addrPortOf(conn.LocalAddr()),
		Start: sessionlog.Stamp{Time: conn.since}, Duration: sessionlog.Seconds(time.Since(conn.since)),
		ControlClient: sessionlog.Control{In: uint64(read), Out: uint64(len(r.answer))},
		End:           sessionlog.EndState{Who: r.who, Phase: sessionlog.PhaseAccept}, Why: r.why,
	})
}

func addrPortOf(a net.Addr) netip.AddrPort {
	tcp, ok := a.(*net.TCPAddr)
	if !ok {
		return netip.AddrPort{}
	}
	ap := tcp.AddrPort()
	return netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port())
}
