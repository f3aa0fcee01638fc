package rtsp

import (
	"errors"
	"net"
	"time"
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
