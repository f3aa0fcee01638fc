package rtsp

import (
	"net"
	"net/netip"
	"strconv"

	"mediagate/rtsp/rtspwire"
	"mediagate/udprelay"
)

func utoa(n uint16) string { return strconv.FormatUint(uint64(n), 10) }

// addrPortOf is the one adapter from net.Addr; 4-in-6 addresses become plain.
func addrPortOf(a net.Addr) netip.AddrPort {
	tcp, ok := a.(*net.TCPAddr)
	if !ok {
		return netip.AddrPort{}
	}
	ap := tcp.AddrPort()
	return netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port())
}

// portText writes our ports of a leg in the form that the other side used: "5004-5005", or "5004" alone.
func portText(p udprelay.PortPair, pair bool) string {
	if !pair || p.RTCP == 0 {
		return utoa(p.RTP)
	}
	return utoa(p.RTP) + "-" + utoa(p.RTCP)
}

// channelText writes an interleaved parameter (RFC 2326, section 12.39).
func channelText(c [2]uint8) string {
	return utoa(uint16(c[0])) + "-" + utoa(uint16(c[1]))
}

// clientPeer is where a player takes its media. A single even port implies the odd one above it for RTCP (RFC 3550,
// section 11); above a single odd port there is no such rule, and its RTCP port is learned.
func clientPeer(addr netip.Addr, p rtspwire.PortRange) udprelay.Peer {
	peer := udprelay.Peer{Addr: addr, RTP: p.Lo, RTCP: p.Hi}
	if !p.Pair {
		peer.RTCP = 0
		if p.Lo%2 == 0 {
			peer.RTCP = p.Lo + 1
		}
	}
	return peer
}

// originPeer is where the origin sends from: the address we dialled, or the one its answer names if that is a node of
// the pool, at server_port. A port that is missing or 0 is learned (traps 11 to 13).
func (s *session) originPeer(spec *rtspwire.TransportSpec) udprelay.Peer {
	peer := udprelay.Peer{Addr: s.originAddr(), Also: s.pool.Addrs()}
	if source, ok := spec.Param("source"); ok {
		if addr, err := netip.ParseAddr(source); err == nil {
			if _, known := s.pool.Node(addr.Unmap()); known && addr.Unmap().Is4() == peer.Addr.Is4() {
				peer.Addr = addr.Unmap()
			}
		}
	}
	p, ok := spec.Ports("server_port")
	if !ok || p.Lo == 0 {
		return peer
	}
	peer.RTP, peer.RTCP = p.Lo, p.Hi
	if !p.Pair && p.Lo < 65535 {
		peer.RTCP = p.Lo + 1
	}
	return peer
}
