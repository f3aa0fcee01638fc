package mms

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"mediagate/mms/mmswire"
)

// halfConn is one end of a made-up TCP connection: as net.Pipe, with a write side that can be shut down by itself.
type halfConn struct {
	in, out net.Conn
}

// duplex returns both ends.
func duplex() (*halfConn, *halfConn) {
	aIn, bOut := net.Pipe()
	bIn, aOut := net.Pipe()
	return &halfConn{in: aIn, out: aOut}, &halfConn{in: bIn, out: bOut}
}

func (c *halfConn) Read(b []byte) (int, error)  { return c.in.Read(b) }
func (c *halfConn) Write(b []byte) (int, error) { return c.out.Write(b) }
func (c *halfConn) CloseWrite() error           { return c.out.Close() }
func (c *halfConn) Close() error                { return errors.Join(c.in.Close(), c.out.Close()) }

func (c *halfConn) LocalAddr() net.Addr  { return c.in.LocalAddr() }
func (c *halfConn) RemoteAddr() net.Addr { return c.in.RemoteAddr() }

func (c *halfConn) SetDeadline(t time.Time) error {
	return errors.Join(c.SetReadDeadline(t), c.SetWriteDeadline(t))
}
func (c *halfConn) SetReadDeadline(t time.Time) error  { return c.in.SetReadDeadline(t) }
func (c *halfConn) SetWriteDeadline(t time.Time) error { return c.out.SetWriteDeadline(t) }

// gatewayConn is the gateway's end of a connection. It has the addresses of TCP, and it sees that each write is one whole
// item, and no packet has two messages: players want that (doc of writer).
type gatewayConn struct {
	*halfConn
	local, remote netip.AddrPort
	reset         atomic.Bool // the other side broke off: Read says so

	mu    sync.Mutex // guards what follows
	fault error      // the first write that was not one item
}

func (c *gatewayConn) LocalAddr() net.Addr  { return net.TCPAddrFromAddrPort(c.local) }
func (c *gatewayConn) RemoteAddr() net.Addr { return net.TCPAddrFromAddrPort(c.remote) }

// Read implements net.Conn.
func (c *gatewayConn) Read(b []byte) (int, error) {
	n, err := c.halfConn.Read(b)
	if errors.Is(err, io.EOF) && c.reset.Load() {
		err = &net.OpError{Op: "read", Net: "tcp", Err: syscall.ECONNRESET}
	}
	return n, err
}

// Write implements net.Conn.
func (c *gatewayConn) Write(b []byte) (int, error) {
	if err := whole(b); err != nil {
		c.mu.Lock()
		if c.fault == nil {
			c.fault = err
		}
		c.mu.Unlock()
	}
	return c.halfConn.Write(b)
}

// whole says whether b is one item with at most one message.
func whole(b []byte) error {
	r := mmswire.NewReader(bytes.NewReader(b), mmswire.Limits{Message: 1 << 20})
	item, err := r.Read()
	if err != nil {
		return fmt.Errorf("a write of %d bytes: %w", len(b), err)
	}
	if p, ok := item.(*mmswire.Packet); ok && len(p.Messages) != 1 {
		return fmt.Errorf("a write with %d messages", len(p.Messages))
	}
	if r.InMessage() {
		return fmt.Errorf("a write of %d bytes is more than one item", len(b))
	}
	return nil
}

func (c *gatewayConn) wrote() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.fault
}
