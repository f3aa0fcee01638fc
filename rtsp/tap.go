package rtsp

import (
	"crypto/tls"
	"net"

	"mediagate/rtsp/rtspwire"
	"mediagate/udprelay"
)

// see shows a message that was read to those who keep it.
func (p *peer) see(item rtspwire.Item) {
	if p.tap == nil {
		return
	}
	switch m := item.(type) {
	case *rtspwire.Request:
		p.tap.Received(m.Append(nil)) // to the byte as it came
	case *rtspwire.Response:
		p.tap.Received(m.Append(nil))
	}
}

// clearOf says what a connection came in that its bytes do not show. It looks below what a listener has put around it.
func clearOf(conn net.Conn) string {
	const layers = 8 // more are a ring
	for range layers {
		if _, ok := conn.(interface{ ConnectionState() tls.ConnectionState }); ok {
			return "TLS, shown without it"
		}
		inner, ok := conn.(interface{ NetConn() net.Conn })
		if !ok {
			return ""
		}
		conn = inner.NetConn()
	}
	return ""
}

// mediaTap is who is shown the datagrams of a flow; nil: nobody.
func (s *session) mediaTap() udprelay.Tap {
	if m := s.tap.Media(); m != nil {
		return m
	}
	return nil
}
