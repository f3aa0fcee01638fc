package config

import (
	"net/netip"
	"strconv"
	"strings"
	"unicode"
)

// Values of transparent.forwarding.
const (
	ForwardingReject    = "reject"     // what belongs to no session is counted, logged and rejected
	ForwardingMediaOnly = "media-only" // the same, but for UDP from the media ports, which the kernel may forward
	ForwardingOff       = "off"        // the kernel deals with it
)

// Transparent says how the machine's network is made fit for pools that are transparent. Without such a pool none of it
// is used.
type Transparent struct {
	Forwarding string    `yaml:"forwarding"`  // reject, media-only or off
	Interfaces []string  `yaml:"interfaces"`  // that lead to the nodes; what comes by them is treated as what nodes send
	MediaPorts PortRange `yaml:"media_ports"` // that nodes send media from
	Table      string    `yaml:"table"`       // our table of nftables, of family inet
	Mark       int       `yaml:"mark"`        // of packets that come home
	RouteTable int       `yaml:"route_table"` // the routing table for them
	Priority   int       `yaml:"priority"`    // of the policy rule that leads there
	LogGroup   int       `yaml:"log_group"`   // the NFLOG group by which we hear of what was refused
	KernelLog  bool      `yaml:"kernel_log"`  // the kernel's own log hears of it too
}

func defaultTransparent() Transparent {
	return Transparent{
		Forwarding: ForwardingReject,
		MediaPorts: PortRange{5004, 5005}, // Windows Media Services send from these
		Table:      "mediagate",
		// Numbers that nobody has by habit: "mg", and the media port.
		Mark: 0x6d67, RouteTable: 5004, Priority: 5004, LogGroup: 5004,
	}
}

// TransparentNodes are the addresses of the nodes of transparent pools, each once.
func (c *Config) TransparentNodes() []netip.Addr {
	var all []netip.Addr
	seen := make(map[netip.Addr]bool)
	for _, p := range c.Pools {
		for _, n := range p.Nodes {
			if p.Transparent && !seen[n.Address] {
				seen[n.Address] = true
				all = append(all, n.Address)
			}
		}
	}
	return all
}

// transparent checks the section, and that a node is either transparent or not: what it sends is one stream of packets.
func (k *checker) transparent(c *Config) {
	t := c.Transparent
	k.oneOf("transparent.forwarding", t.Forwarding, ForwardingReject, ForwardingMediaOnly, ForwardingOff)
	const most = 256 // each is an element of a set in the kernel
	if k.portRange("transparent.media_ports", t.MediaPorts) && t.MediaPorts.Hi-t.MediaPorts.Lo >= most {
		k.say("transparent.media_ports", "more than %d ports; give those that the nodes send from", most)
	}
	for i, name := range t.Interfaces {
		if at := "transparent.interfaces[" + strconv.Itoa(i) + "]"; !isInterface(name) {
			k.say(at, "not the name of an interface; give one as ip link tells it, up to 15 characters")
		}
	}
	if t.Table == "" || len(t.Table) > 32 || strings.ContainsFunc(t.Table, notTable) {
		k.say("transparent.table", "not a name for a table; give 1 to 32 letters, digits and _")
	}
	k.number("transparent.mark", t.Mark, 1, 1<<31-1)
	k.number("transparent.route_table", t.RouteTable, 1, 1<<31-1)
	if t.RouteTable >= 253 && t.RouteTable <= 255 {
		k.say("transparent.route_table", "this table is the kernel's own; choose another number")
	}
	k.number("transparent.priority", t.Priority, 1, 32765)
	k.number("transparent.log_group", t.LogGroup, 0, 65535)
	k.bothWays(c)
}

func (k *checker) bothWays(c *Config) {
	plain := make(map[netip.Addr]string)
	for _, p := range c.Pools {
		for _, n := range p.Nodes {
			if !p.Transparent {
				plain[n.Address] = p.Name
			}
		}
	}
	for i, p := range c.Pools {
		for j, n := range p.Nodes {
			if other, both := plain[n.Address]; both && p.Transparent && n.Address.IsValid() {
				k.say("pools["+strconv.Itoa(i)+"].nodes["+strconv.Itoa(j)+"].address", "is a node of pool %q too, which is not transparent; "+
					"make both pools transparent or neither", other)
			}
		}
	}
}

// isInterface says that Linux could have an interface of this name (dev_valid_name). One such as eth0:1 is an old way to name an address.
func isInterface(name string) bool {
	const longest = 15 // IFNAMSIZ, without the byte that ends it
	return name != "" && name != "." && name != ".." && len(name) <= longest && !strings.ContainsFunc(name, notInterface)
}

func notInterface(r rune) bool {
	return r == '/' || r == ':' || !unicode.IsPrint(r) || unicode.IsSpace(r)
}

func notTable(r rune) bool {
	return r != '_' && (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z')
}
