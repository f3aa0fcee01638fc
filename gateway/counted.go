package gateway

import (
	"crypto/tls"
	"net"
	"sync/atomic"
	"time"
)

// counted is a connection that is one of those that are open, until it is closed.
type counted struct {
	net.Conn
	open   *atomic.Int64 // that it is counted in; nil: none
	since  time.Time
	closed atomic.Bool
}

// Close takes the connection out of the count.
func (c *counted) Close() error {
	if !c.closed.Swap(true) && c.open != nil {
		c.open.Add(-1)
	}
	return c.Conn.Close()
}

// CloseWrite ends the sending half, where the connection has two.
func (c *counted) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return net.ErrClosed
}

// NetConn is the connection below, for those who look for TLS.
func (c *counted) NetConn() net.Conn { return c.Conn }

// below is the connection under TLS, or itself where there is none.
func (c *counted) below() net.Conn {
	if secure, ok := c.Conn.(*tls.Conn); ok {
		return secure.NetConn()
	}
	return c.Conn
}

// heard is how many bytes came in below TLS, 0 where nobody counts.
func (c *counted) heard() int {
	if m, ok := c.below().(*metered); ok {
		return int(min(m.read.Load(), 1<<30))
	}
	return 0
}

// deadAfter finds a player that is gone without a word while nothing is sent to it, as one that has paused.
func deadAfter() net.KeepAliveConfig {
	return net.KeepAliveConfig{Enable: true, Idle: 15 * time.Second, Interval: 5 * time.Second, Count: 6}
}

// keepAlive watches over a connection, if the system can.
func keepAlive(c net.Conn) {
	if tcp, ok := c.(interface {
		SetKeepAliveConfig(net.KeepAliveConfig) error
	}); ok {
		_ = tcp.SetKeepAliveConfig(deadAfter()) // it serves without
	}
}
