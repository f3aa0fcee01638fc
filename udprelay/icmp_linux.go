package udprelay

import (
	"encoding/binary"
	"net/netip"
	"unsafe"

	"golang.org/x/sys/unix"
)

// complaintsAtOnce bounds what is read of a socket's error queue in a row.
const complaintsAtOnce = 64

// fromICMP reports whether an error may be what the kernel made of an ICMP message (its icmp_err_convert; icmpv6_err_convert adds
// EACCES and EPROTO). It is told once, by whatever call comes next on the socket that an earlier datagram was sent from.
func fromICMP(errno unix.Errno) bool {
	switch errno {
	case unix.ECONNREFUSED, unix.EHOSTUNREACH, unix.ENETUNREACH, unix.EHOSTDOWN, unix.ENONET, unix.ENOPROTOOPT,
		unix.EOPNOTSUPP, unix.EPROTO, unix.EACCES, unix.EMSGSIZE:
		return true
	}
	return false
}

// hear reads the error queue of a socket and counts each ICMP answer for the flow whose datagram it is about. Any loop may.
func (c *fastConn) hear() {
	var name unix.RawSockaddrInet6
	var control [256]byte
	h := unix.Msghdr{Name: (*byte)(unsafe.Pointer(&name)), Control: &control[0]}
	for range complaintsAtOnce {
		h.Namelen = unix.SizeofSockaddrInet6
		h.SetControllen(len(control))
		_, _, errno := unix.RawSyscall(unix.SYS_RECVMSG, uintptr(c.fd), uintptr(unsafe.Pointer(&h)),
			unix.MSG_ERRQUEUE|unix.MSG_DONTWAIT)
		if errno != 0 {
			return
		}
		if complaint, ok := extended(control[:min(uint64(h.Controllen), uint64(len(control)))]); ok {
			c.blame(destination(&name), complaint == unix.ECONNREFUSED)
		}
	}
}

// extended is the error in a message of an error queue (ip(7), IP_RECVERR: struct sock_extended_err); false if it was not
// ICMP that told it.
func extended(control []byte) (unix.Errno, bool) {
	for len(control) >= unix.SizeofCmsghdr {
		h := (*unix.Cmsghdr)(unsafe.Pointer(&control[0]))
		n := int(h.Len)
		if n < unix.SizeofCmsghdr || n > len(control) {
			break
		}
		data := control[unix.SizeofCmsghdr:n]
		if len(data) >= 5 && (h.Level == unix.SOL_IP && h.Type == unix.IP_RECVERR || h.Level == unix.SOL_IPV6 && h.Type == unix.IPV6_RECVERR) {
			origin := data[4]
			return unix.Errno(binary.NativeEndian.Uint32(data)),
				origin == unix.SO_EE_ORIGIN_ICMP || origin == unix.SO_EE_ORIGIN_ICMP6
		}
		control = control[min(unix.CmsgSpace(n-unix.SizeofCmsghdr), len(control)):]
	}
	return 0, false
}

// destination is an address as the kernel writes it.
func destination(name *unix.RawSockaddrInet6) netip.AddrPort {
	port := binary.BigEndian.Uint16((*[2]byte)(unsafe.Pointer(&name.Port))[:])
	if name.Family == unix.AF_INET {
		return netip.AddrPortFrom(netip.AddrFrom4((*unix.RawSockaddrInet4)(unsafe.Pointer(name)).Addr), port)
	}
	return netip.AddrPortFrom(netip.AddrFrom16(name.Addr).Unmap(), port)
}

// blame counts an ICMP answer to a datagram that was sent to an address.
func (c *fastConn) blame(to netip.AddrPort, port bool) {
	s := c.sock
	if s == nil {
		return
	}
	f := s.flow
	if f == nil && s.shared != nil {
		f = s.shared.receiver(s.k, to)
	}
	if f != nil {
		f.icmp[s.side].add(port)
	}
}
