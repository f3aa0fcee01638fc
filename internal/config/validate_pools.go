package config

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"
)

func (k *checker) pools(pools []Pool) {
	if len(pools) == 0 {
		k.say("pools", "no pool, so there is nowhere to send a player; add one with a name and nodes")
	}
	names := map[string]string{}
	for i, p := range pools {
		at := "pools[" + strconv.Itoa(i) + "]"
		k.name(at+".name", p.Name, "pool", names)
		if slices.Contains(laterPolicies, p.Policy) {
			k.say(at+".policy", "this policy is not in this version yet; choose one of %s",
				strings.Join([]string{PolicyRoundRobin, PolicyLeastSessions}, ", "))
		} else {
			k.oneOf(at+".policy", p.Policy, PolicyRoundRobin, PolicyLeastSessions)
		}
		if p.Transparent {
			k.say(at+".transparent", "transparent: true is not in this version yet; remove it")
		}
		k.monitor(at+".monitor", p.Monitor)
		k.nodes(at+".nodes", p.Nodes)
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
}

func (k *checker) nodes(path string, nodes []Node) {
	const heaviest = 1000
	if len(nodes) == 0 {
		k.say(path, "the pool has no nodes; add one with name and address")
	}
	names, addresses := map[string]string{}, map[netip.AddrPort]string{}
	for i, n := range nodes {
		at := path + "[" + strconv.Itoa(i) + "]"
		k.name(at+".name", n.Name, "node", names)
		k.number(at+".weight", n.Weight, 1, heaviest)
		if n.Ports.RTSP == 0 {
			k.say(at+".ports.rtsp", "port 0 cannot be connected to; give a number from 1 to 65535")
		}
		if !k.readable(at+".address") || !k.readable(at+".ports.rtsp") {
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
		ap := netip.AddrPortFrom(n.Address, n.Ports.RTSP)
		if first, twice := addresses[ap]; twice {
			k.say(at+".address", "%s is already there as %s; remove one, weight gives a node a larger share", ap, first)
			continue
		}
		addresses[ap] = at
	}
}
