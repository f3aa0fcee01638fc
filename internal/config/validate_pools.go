package config

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"
)

// knownPolicies are those of package balancer, in the order in which they are offered.
var knownPolicies = []string{PolicyRoundRobin, PolicyLeastSessions, PolicyRandomTwo, PolicyHashURL, PolicyHashClient}

func (k *checker) pools(c *Config) {
	if len(c.Pools) == 0 {
		k.say("pools", "no pool, so there is nowhere to send a player; add one with a name and nodes")
	}
	names := map[string]string{}
	for i, p := range c.Pools {
		at := "pools[" + strconv.Itoa(i) + "]"
		k.name(at+".name", p.Name, "pool", names)
		if slices.Contains(laterPolicies, p.Policy) {
			k.say(at+".policy", "this policy is not in this version yet; choose one of %s",
				strings.Join(knownPolicies, ", "))
		} else {
			k.oneOf(at+".policy", p.Policy, knownPolicies...)
		}
		k.monitor(at+".monitor", p.Monitor)
		k.nodes(at+".nodes", p.Nodes, c.Protocols(p.Name))
	}
}

func (k *checker) monitor(path string, m Monitor) {
	const (
		shortest = 100 * time.Millisecond // a faster probe is a load of its own
		longest  = time.Hour
		most     = 100
	)
	interval, timeout := time.Duration(m.Interval), time.Duration(m.Timeout)
	if interval != 0 {
		k.span(path+".interval", m.Interval, shortest, longest)
		k.span(path+".timeout", m.Timeout, shortest/10, longest)
		if timeout >= interval && k.readable(path+".interval") {
			k.say(path+".timeout", "the timeout of %s is not shorter than the interval of %s, so probes would overlap; "+
				"shorten the timeout or lengthen the interval", m.Timeout, m.Interval)
		}
	}
	k.number(path+".rise", m.Rise, 1, most)
	k.number(path+".fall", m.Fall, 1, most)
	if m.MMSPath != "" {
		k.urlPath(path+".mms_path", m.MMSPath)
	}
	if m.HTTPPath != "" {
		k.urlPath(path+".http_path", m.HTTPPath)
	}
}

// nodes checks the nodes of a pool whose virtual servers speak these protocols: two nodes that are one server to one of
// them would get its sessions twice.
func (k *checker) nodes(path string, nodes []Node, protocols []string) {
	const heaviest = 1000
	if len(nodes) == 0 {
		k.say(path, "the pool has no nodes; add one with name and address")
	}
	names, addresses := map[string]string{}, map[server]string{}
	for i, n := range nodes {
		at := path + "[" + strconv.Itoa(i) + "]"
		k.name(at+".name", n.Name, "node", names)
		k.number(at+".weight", n.Weight, 1, heaviest)
		for _, protocol := range []string{ProtocolRTSP, ProtocolMMS, ProtocolHTTP} {
			if n.Ports.Of(protocol) == 0 {
				k.say(at+".ports."+protocol, "port 0 cannot be connected to; give a number from 1 to 65535")
			}
		}
		if !k.readable(at + ".address") {
			continue
		}
		if !n.Address.IsValid() {
			k.say(at+".address", "the node has no address; give its IP address")
			continue
		}
		if what := nodeAddressFault(n.Address); what != "" {
			k.say(at+".address", "%s", what)
			continue
		}
		k.nodeTwice(at, n, protocols, addresses)
	}
}

// server is where a node serves a protocol.
type server struct {
	protocol string
	at       netip.AddrPort
}

func (k *checker) nodeTwice(path string, n Node, protocols []string, seen map[server]string) {
	told := false
	for _, protocol := range protocols {
		if !k.readable(path + ".ports." + protocol) {
			continue
		}
		s := server{protocol, netip.AddrPortFrom(n.Address, n.Ports.Of(protocol))}
		first, twice := seen[s]
		switch {
		case !twice:
			seen[s] = path
		case !told:
			told = true
			k.say(path+".address", "%s is already there as %s for %s; remove one, weight gives a node a larger share",
				s.at, first, protocol)
		}
	}
}
