package config

import (
	"net/netip"
	"strings"
)

// admin refuses an API that others than this machine's users could reach without a token, and one where players are served.
func (k *checker) admin(a Admin, servers []VirtualServer) {
	k.printable("admin.token_file", a.TokenFile)
	path, isUnix := strings.CutPrefix(a.Listen, "unix:")
	if a.Listen == "" || !k.printable("admin.listen", a.Listen) {
		return
	}
	at, err := netip.ParseAddrPort(a.Listen)
	switch {
	case isUnix && path != "":
	case isUnix || err != nil || at.Port() == 0:
		k.say("admin.listen", "not a place for the admin API; give an address and a port such as 127.0.0.1:9554, or unix:/run/mediagate.sock")
	case !at.Addr().Unmap().IsLoopback() && a.TokenFile == "":
		k.say("admin.listen", "others could reach it; give a loopback address, or a token in admin.token_file")
	default:
		k.apart("admin.listen", Listen{Addr: at.Addr().Unmap(), Port: at.Port()}, servers)
	}
}

// apart refuses a listen address that a virtual server has.
func (k *checker) apart(path string, l Listen, servers []VirtualServer) {
	for i, vs := range servers {
		for _, other := range vs.Listen {
			if other.collides(l) {
				k.say(path, "%q of virtual_servers[%d] already listens there; give each its own address or port", other, i)
				return
			}
		}
	}
}
