package gateway

import (
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"mediagate/internal/config"
)

// announcer writes the URLs of an announcement in the order in which Windows Media Player climbs down: RTSP over UDP and
// TCP, MMS over UDP and TCP, HTTP.
func (g *Gateway) announcer(web *config.VirtualServer) func(host, path string) []string {
	return func(host, path string) []string {
		name := host
		if h, _, err := net.SplitHostPort(host); err == nil {
			name = h
		}
		name = strings.Trim(name, "[]")
		var urls []string
		for _, protocol := range []string{config.ProtocolRTSP, config.ProtocolMMS, config.ProtocolHTTP} {
			for i := range g.cfg.VirtualServers {
				vs := &g.cfg.VirtualServers[i]
				if vs.Protocol == protocol && announces(web, vs) {
					urls = append(urls, urlsOf(vs, g.portOf(vs), name, path)...)
				}
			}
		}
		return urls
	}
}

// announces says whether an announcement of web lists vs.
func announces(web, vs *config.VirtualServer) bool {
	if len(web.Announce) > 0 {
		return slices.Contains(web.Announce, vs.Name)
	}
	return vs.Pool == web.Pool
}

// portOf is the port of a virtual server's first listener, as bound.
func (g *Gateway) portOf(c *config.VirtualServer) uint16 {
	for _, vs := range g.servers {
		if addrs := vs.addrs(); vs.cfg == c && len(addrs) > 0 {
			return addrs[0].Port()
		}
	}
	return 0
}

func urlsOf(vs *config.VirtualServer, port uint16, host, path string) []string {
	schemes, standard := []string{"rtspu", "rtspt"}, uint16(554)
	switch vs.Protocol {
	case config.ProtocolMMS:
		schemes, standard = []string{"mmsu", "mmst"}, 1755
	case config.ProtocolHTTP:
		schemes, standard = []string{"http"}, 80
	}
	if len(schemes) > 1 && !vs.UDP {
		schemes = schemes[1:]
	}
	if a, err := netip.ParseAddr(host); err == nil && a.Is6() {
		host = "[" + host + "]"
	}
	if port != standard && port != 0 {
		host += ":" + strconv.Itoa(int(port))
	}
	urls := make([]string, 0, len(schemes))
	for _, s := range schemes {
		urls = append(urls, s+"://"+host+path)
	}
	return urls
}
