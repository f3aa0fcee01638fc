package udprelay

import (
	"errors"
	"fmt"
	"net/netip"

	"go.uber.org/zap"
	"golang.org/x/sys/unix"
)

// steeringName is the feature's name.
const steeringName = "steering"

// leadBuffers is how much larger the buffer of a socket is that receives for all flows. At 200,000 packets a second of 1316 bytes, with
// the default, it holds 70 ms: time enough for a thread that has to wait for a processor, and little enough for who plays.
const leadBuffers = 32

// counted is how often the kernel counts what is asked for as a socket's buffer (socket(7), SO_RCVBUF), for what it keeps of each datagram.
const counted = 2

// lead makes the sockets that Steering leads to, one of each family a loop, and the Steering. Without them each flow's own sockets
// are read.
func (e *fastEngine) lead() Feature {
	steer := e.relay.cfg.Steer
	if steer == nil {
		return Feature{Name: steeringName, Why: "not wanted"}
	}
	spec := SteerSpec{Ports: e.relay.cfg.OriginPorts, Buffer: counted * leadBuffers * e.relay.cfg.ReceiveBuffer}
	err := e.leaders(unix.AF_INET, &spec.V4)
	if err == nil {
		if err6 := e.leaders(unix.AF_INET6, &spec.V6); err6 != nil {
			e.relay.cfg.Logger.Debug("no steering of IPv6", zap.Error(err6))
			spec.V6 = nil
		}
		e.steering, err = steer(spec)
	}
	if err != nil {
		e.unlead()
		return Feature{Name: steeringName, Why: err.Error()}
	}
	return Feature{Name: steeringName, On: true}
}

// leaders makes a socket of one family for each loop.
func (e *fastEngine) leaders(family int, fds *[]int) error {
	var made []*fastConn
	for range e.limit {
		fd, err := leader(family, leadBuffers*e.relay.cfg.ReceiveBuffer)
		if err != nil {
			for _, c := range made {
				c.drop()
			}
			return err
		}
		c := &fastConn{engine: e, fd: fd, local: netip.AddrPort{}, leads: true}
		c.refs.Store(1)
		c.prepare()
		c.sock = &socket{relay: e.relay, conn: c, side: Origin, drops: &e.relay.drops, quit: make(chan struct{})}
		made = append(made, c)
		*fds = append(*fds, fd)
	}
	e.leading = append(e.leading, made)
	return nil
}

// leader is a socket that receives for any address and port that is led to it, and says which. Transparent, so that the rules
// of a transparent pool know it for one of those that packets to others' addresses come to; those privileges are missing
// together with those of Steering.
func leader(family, buffer int) (int, error) {
	fd, err := unix.Socket(family, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return -1, fmt.Errorf("open socket: %w", err)
	}
	level, told, transparent, free := unix.SOL_IP, unix.IP_RECVORIGDSTADDR, unix.IP_TRANSPARENT, unix.IP_FREEBIND
	// At the loopback nobody outside reaches it unasked; the address makes no difference to what is led. Free, for the loopback may be down.
	var local unix.Sockaddr = &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}
	if family == unix.AF_INET6 {
		level, told, transparent, free = unix.SOL_IPV6, unix.IPV6_RECVORIGDSTADDR, unix.IPV6_TRANSPARENT, unix.IPV6_FREEBIND
		local = &unix.SockaddrInet6{Addr: netip.IPv6Loopback().As16()}
		err = unix.SetsockoptInt(fd, level, unix.IPV6_V6ONLY, 1)
	}
	_ = unix.SetsockoptInt(fd, level, transparent, 1)
	_ = unix.SetsockoptInt(fd, level, free, 1)
	if unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, buffer) != nil {
		_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, buffer)
	}
	if err = errors.Join(err, unix.SetsockoptInt(fd, level, told, 1), unix.Bind(fd, local)); err != nil {
		_ = unix.Close(fd)
		return -1, fmt.Errorf("prepare socket: %w", err)
	}
	return fd, nil
}

// unlead undoes lead. The loops have ended, or were never there.
func (e *fastEngine) unlead() {
	if e.steering != nil {
		if err := e.steering.Close(); err != nil {
			e.relay.cfg.Logger.Warn("steering did not close", zap.Error(err))
		}
	}
	for _, family := range e.leading {
		for _, c := range family {
			c.drop()
		}
	}
	e.leading, e.steering = nil, nil
}

// hold has the datagrams of a flow's origin leg led to the loop's own socket, before the loop knows of the flow's: what comes in
// between finds its flow all the same. What cannot be led is read from the flow's. Not the loop's thread calls it.
func (l *loop) hold(c *fastConn) {
	g := l.engine.steering
	if g == nil || c.sock.flow == nil || c.sock.side != Origin || c.local.Addr().Zone() != "" {
		return
	}
	l.engine.held.add(c.local, c.sock) // before the first comes
	if err := g.Hold(c.local); err != nil {
		l.engine.held.remove(c.local)
		l.engine.relay.cfg.Logger.Debug("media port is not led to its loop", zap.Stringer("local", c.local), zap.Error(err))
		return
	}
	c.led = true
	l.engine.led.Add(1)
}

// release undoes hold. What is on its way is counted as for a closed flow.
func (l *loop) release(c *fastConn) {
	if !c.led {
		return
	}
	c.led = false
	l.engine.led.Add(-1)
	if err := l.engine.steering.Release(c.local); err != nil {
		l.engine.relay.cfg.Logger.Warn("media port is still led to its loop", zap.Stringer("local", c.local), zap.Error(err))
	}
	l.engine.held.remove(c.local)
}
