package config

import (
	"net/netip"
	"strconv"
	"strings"
)

// ForOrigin returns the configuration of `run --origin addr`: virtual servers for RTSP on port 554, MMS on port 1755
// and HTTP on port 80 of every address, in this order, in front of one node. addr is an IP address with or without its
// RTSP port: "192.0.2.11", "192.0.2.11:8554", "2001:db8::1" or "[2001:db8::1]:8554"; its MMS port is 1755, its HTTP port
// 80. The error is a Faults.
func ForOrigin(addr string) (*Config, error) {
	ip, port, what := parseOrigin(addr)
	if what == "" {
		what = nodeAddressFault(ip)
	}
	if what != "" {
		return nil, Faults{{File: "--origin", Text: addr, What: what}}
	}
	node := defaultNode()
	node.Name, node.Address, node.Ports.RTSP = "origin", ip, port
	pool := defaultPool()
	pool.Name, pool.Nodes = "windows-media", []Node{node}
	c := Default()
	c.Pools = []Pool{pool}
	for _, p := range []struct{ name, protocol string }{
		{"RTSP Control", ProtocolRTSP}, {"MMS Control", ProtocolMMS}, {"HTTP Service", ProtocolHTTP},
	} {
		vs := defaultVirtualServer()
		vs.Name, vs.Protocol, vs.Listen, vs.Pool = p.name, p.protocol, []Listen{{Port: DefaultPort(p.protocol)}}, pool.Name
		c.VirtualServers = append(c.VirtualServers, vs)
	}
	return c, nil
}

// parseOrigin reads an address with or without a port; what is the fault, if any.
func parseOrigin(addr string) (ip netip.Addr, port uint16, what string) {
	const give = "give an IP address such as 192.0.2.11 or 192.0.2.11:8554, names are not resolved"
	bare := addr
	if strings.HasPrefix(addr, "[") && strings.HasSuffix(addr, "]") {
		bare = addr[1 : len(addr)-1]
	}
	if isURL(addr) {
		return ip, 0, "a URL is not an address; " + give
	}
	if ip, err := netip.ParseAddr(bare); err == nil {
		return ip.Unmap(), defaultRTSPPort, zoneFault(ip.Zone())
	}
	i := strings.LastIndexByte(addr, ':')
	if i < 0 {
		return ip, 0, give
	}
	host := strings.TrimSuffix(strings.TrimPrefix(addr[:i], "["), "]")
	ip, err := netip.ParseAddr(host)
	if err != nil || strings.Contains(host, ":") && !strings.HasPrefix(addr, "[") {
		return ip, 0, give
	}
	n, err := strconv.ParseUint(addr[i+1:], 10, 16)
	if err != nil || n == 0 {
		return ip, 0, "the port is not a number from 1 to 65535; write for example " + netip.AddrPortFrom(ip, defaultRTSPPort).String()
	}
	return ip.Unmap(), uint16(n), zoneFault(ip.Zone())
}

// nodeAddressFault says why an address cannot be a node's; "" if it can.
func nodeAddressFault(ip netip.Addr) string {
	switch {
	case ip.IsUnspecified():
		return "the unspecified address is nobody's; give the origin server's own address"
	case ip.IsMulticast():
		return "a multicast address cannot be a node; give the origin server's own unicast address"
	case ip == netip.AddrFrom4([4]byte{255, 255, 255, 255}):
		return "the broadcast address cannot be a node; give the origin server's own address"
	}
	return ""
}
