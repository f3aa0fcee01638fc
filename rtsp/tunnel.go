package rtsp

import "net"

// ServeTunnel serves one connection whose first request is the GET or POST of a tunnel (IsTunnel), which has not been read
// yet, and returns at once; the connection is the Proxy's from then on.
func (p *Proxy) ServeTunnel(conn net.Conn) { p.ServeConn(conn) }
