package rtsp

import (
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"go.uber.org/zap"

	"mediagate/internal/sessionlog"
)

// RTSP tunnelled in HTTP (Apple, "Tunnelling RTSP and RTP through HTTP"): the player writes into the body of a POST,
// base64, and reads the answer to a GET. Each connection begins as a conversation of its own. That of the GET becomes the
// tunnel's: its connection is replaced by a tunnelConn. That of the POST parks its connection for the tunnel and ends
// without a record when it is taken.

const (
	maxTunnelHead = 8 << 10 // of the GET or the POST
	maxCookie     = 128     // GStreamer's has 23 bytes, QuickTime's 22, ffmpeg's 16
	// secondPost is how long a POST waits for the end of the one before, whose FIN may come later than its own head.
	secondPost = 2 * time.Second
)

// ServeTunnel serves one connection whose first request is the GET or POST of a tunnel (IsTunnel), which has not been read
// yet, and returns at once; the connection is the Proxy's from then on. Anything else is refused, in HTTP.
func (p *Proxy) ServeTunnel(conn net.Conn) { p.serve(conn, true) }

// meet looks at what a player says first, and tells the owner of a tunnel. It reports false when there is no owner any more.
func (p *peer) meet() bool {
	req, ahead := p.look()
	p.pace.ahead = ahead
	if req == nil && p.http && len(ahead) > 0 {
		req = &tunnelRequest{fault: errNoTunnel}
	}
	return req == nil || p.deliver(event{peer: p, tunnel: req})
}

// look reads until it is clear whether a tunnel is asked for, and returns what else was read. Errors come again with the
// next read.
func (p *peer) look() (req *tunnelRequest, ahead []byte) {
	buf := make([]byte, 0, 1<<10)
	for {
		if !mayBeTunnel(buf) || len(buf) >= maxTunnelHead {
			return nil, buf
		}
		if n := headEnd(buf); n >= 0 {
			if req, ok := parseTunnel(buf[:n]); ok {
				req.rest = buf[n:]
				return req, nil
			}
			return nil, buf
		}
		if len(buf) == cap(buf) {
			buf = append(make([]byte, 0, 2*cap(buf)), buf...)
		}
		n, err := p.conn.Read(buf[len(buf):cap(buf)])
		buf = buf[:len(buf)+n]
		if err != nil {
			return nil, buf
		}
	}
}

// mayBeTunnel says that b is the beginning of a GET or POST, as far as it goes. GET_PARAMETER is none.
func mayBeTunnel(b []byte) bool {
	for _, method := range []string{"GET ", "POST "} {
		if n := min(len(b), len(method)); string(b[:n]) == method[:n] {
			return true
		}
	}
	return false
}

// onTunnel makes a connection that asks for a tunnel an end of it. The pump waits meanwhile.
func (s *session) onTunnel(ev event) {
	req := ev.tunnel
	if err := req.check(); err != nil {
		s.refuseTunnel(err)
		return
	}
	key := tunnelKey{client: s.player, cookie: req.cookies[0]}
	if req.post {
		s.parkPost(key, req)
		return
	}
	if err := s.openTunnel(key); err != nil {
		s.refuseTunnel(err)
		return
	}
	close(ev.done)
}

// openTunnel answers a GET and lets the pump read what the POSTs bring.
func (s *session) openTunnel(key tunnelKey) error {
	if s.surplus {
		return errBusy
	}
	t := newTunnelConn(s.client.conn, s.proxy.tunnels, key)
	if err := s.proxy.tunnels.open(t); err != nil {
		return err
	}
	_ = t.Conn.SetReadDeadline(time.Time{}) // whoever looked at the head may have left one
	s.client.become(t)
	s.toClient(func(b []byte) []byte { return append(b, tunnelAnswer...) })
	s.proxy.wg.Go(t.watch)
	s.proxy.wg.Go(t.feed)
	s.log.Info("tunnel opened")
	return nil
}

// become puts a tunnel in the place of the GET's connection, while the pump waits.
func (p *peer) become(t *tunnelConn) {
	p.conn, p.pace.conn = t, t
	p.tap.Mark("tunnelled in HTTP, shown without it")
	p.out.mu.Lock()
	defer p.out.mu.Unlock()
	p.out.conn = t
}

// tunnelAnswer is what Darwin and GStreamer answer to a GET. That it is HTTP/1.0 says that the body has no end.
const tunnelAnswer = "HTTP/1.0 200 OK\r\nConnection: close\r\nCache-Control: no-store\r\nPragma: no-cache\r\nContent-Type: " + tunnelType + "\r\n\r\n"

// parkPost keeps a POST until a tunnel takes it. It is not answered (Apple's paper: the server never replies to it).
func (s *session) parkPost(key tunnelKey, req *tunnelRequest) {
	half := &postHalf{conn: s.client.conn, rest: req.rest, chunked: req.coding != "", taken: make(chan struct{})}
	if req.expects && req.version != "1.0" {
		s.toClient(func(b []byte) []byte { return append(b, "HTTP/1.1 100 Continue\r\n\r\n"...) }) // RFC 9110, section 10.1.1
	}
	joined, err := s.proxy.tunnels.park(key, half, s.surplus)
	if err != nil {
		s.refuseTunnel(err)
		return
	}
	s.half, s.halfKey, s.taken = half, key, half.taken
	s.halfUntil = s.life.started.Add(s.proxy.cfg.Timeouts.FirstRequest)
	if joined {
		s.halfUntil = time.Now().Add(secondPost)
	}
}

// onTaken ends the conversation of a POST that has become part of a tunnel.
func (s *session) onTaken() {
	s.client, s.half, s.taken = nil, nil, nil
	s.endWith(&end{quiet: true})
}

// withdrawPost takes a parked POST back before the conversation ends, if it still can.
func (s *session) withdrawPost() {
	if s.half == nil {
		return
	}
	if s.proxy.tunnels.withdraw(s.halfKey, s.half) {
		s.half, s.taken = nil, nil
		return
	}
	s.end = nil // whatever it was, it came too late
	s.onTaken()
}

// onPostTimeout answers a POST that no tunnel has taken in time.
func (s *session) onPostTimeout() {
	err := errTunnelAlone
	if s.halfUntil.Before(s.life.started.Add(s.proxy.cfg.Timeouts.FirstRequest)) {
		err = errTunnelUsed
	}
	if s.withdrawPost(); s.end == nil {
		s.refuseTunnel(err)
	}
}

// refuseTunnel answers a half in HTTP and ends its conversation.
func (s *session) refuseTunnel(err error) {
	status := statusOf(err)
	s.log.Info("tunnel refused", zap.Int("status", status), zap.Error(err))
	s.refused = err
	s.toClient(func(b []byte) []byte { return append(b, httpAnswer(status, err)...) })
	if errors.Is(err, errBusy) {
		s.endWith(endBusy(err))
		return
	}
	who, ok := blame(err)
	if !ok {
		who = sessionlog.WhoClient
	}
	s.endWith(&end{who: who, cause: sessionlog.Cause{Kind: sessionlog.TunnelRefused, Text: err.Error()}, err: err})
}

// httpAnswer is an error in HTTP, with a sentence for who reads it.
func httpAnswer(status int, err error) string {
	text := strings.TrimPrefix(err.Error(), "rtsp: ") + "\n"
	return fmt.Sprintf("HTTP/1.0 %d %s\r\nConnection: close\r\nCache-Control: no-store\r\nContent-Type: text/plain\r\nContent-Length: %d\r\n\r\n%s",
		status, reasonPhrases[status], len(text), text)
}

// tunnel is the tunnel that the player's connection is, nil if it is none.
func (s *session) tunnel() *tunnelConn {
	if s.client == nil {
		return nil
	}
	t, _ := s.client.conn.(*tunnelConn)
	return t
}

// lonelyGet says that the conversation is the GET of a tunnel that no POST has joined.
func (s *session) lonelyGet() bool {
	t := s.tunnel()
	return t != nil && !s.proxy.tunnels.hasMet(t)
}
