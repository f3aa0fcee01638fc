package udprelay

import (
	"errors"

	"go.uber.org/zap"
	"golang.org/x/sys/unix"
)

// dscpBits are those of an IP header's second byte that are the DSCP (RFC 2474, section 3). The other two are ECN's, which is a
// matter between the two ends of a transport, and a relay is one (RFC 3168, section 5).
const dscpBits = 0xfc

// prepare sets what makes it cheaper, and what the kernel tells besides the datagrams. A socket works without.
func (c *fastConn) prepare() {
	family, err := unix.GetsockoptInt(c.fd, unix.SOL_SOCKET, unix.SO_DOMAIN)
	c.v6 = err == nil && family == unix.AF_INET6
	set := func(level, option, value int) error { return unix.SetsockoptInt(c.fd, level, option, value) }
	_ = unix.SetNonblock(c.fd, true)
	_ = set(unix.SOL_SOCKET, unix.SO_RXQ_OVFL, 1)
	_ = set(unix.SOL_IP, unix.IP_RECVERR, 1)
	if c.v6 {
		_ = set(unix.SOL_IPV6, unix.IPV6_RECVERR, 1)
	}
	if c.engine.gro {
		_ = set(unix.SOL_UDP, unix.UDP_GRO, 1)
	}
	// Without it the kernel makes up a number for the fragments that there are none of (RFC 6864, section 4.1).
	c.whole.Store(c.discover(unix.IP_PMTUDISC_DO))
	if m := c.engine.relay.cfg.Marking; m.Set {
		c.mark(m)
		return
	}
	_ = set(unix.SOL_IP, unix.IP_RECVTOS, 1)
	if c.v6 {
		_ = set(unix.SOL_IPV6, unix.IPV6_RECVTCLASS, 1)
	}
}

// mark sets the class of all that is sent, which is no reason to send nothing.
func (c *fastConn) mark(m Marking) {
	err := unix.SetsockoptInt(c.fd, unix.SOL_IP, unix.IP_TOS, m.tos())
	if c.v6 {
		err = errors.Join(err, unix.SetsockoptInt(c.fd, unix.SOL_IPV6, unix.IPV6_TCLASS, m.tos()))
	}
	if err != nil {
		c.engine.relay.cfg.Logger.Warn("media packets are not marked", zap.Stringer("local", c.local), zap.Error(err))
	}
}

// discover sets how the way's MTU is found, for both families that a socket of IPv6 may send to.
func (c *fastConn) discover(how int) bool {
	err := unix.SetsockoptInt(c.fd, unix.SOL_IP, unix.IP_MTU_DISCOVER, how)
	if c.v6 {
		return unix.SetsockoptInt(c.fd, unix.SOL_IPV6, unix.IPV6_MTU_DISCOVER, how) == nil
	}
	return err == nil
}

// mayFragment reports whether a datagram that is longer than the way's MTU is worth another try: the kernel fragments for this
// socket from now on. What fits a packet still says that it must not be fragmented (DF).
func (c *fastConn) mayFragment() bool {
	return c.whole.Swap(false) && c.discover(unix.IP_PMTUDISC_WANT)
}
