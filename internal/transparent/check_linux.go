package transparent

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"strings"

	"github.com/google/nftables"
	"github.com/google/nftables/expr"
	"github.com/vishvananda/netlink"
)

// Check finds what of others is in the way of a spec: a table of its name, a policy rule of its priority, its mark in
// use, routes in its routing table, and chains that drop by default before or where packets come home.
func Check(spec Spec) ([]Conflict, error) {
	if err := spec.check(); err != nil {
		return nil, err
	}
	inTables, err := checkTables(spec)
	if err != nil {
		return nil, explain("transparent: check tables", err)
	}
	inRoutes, err := checkRoutes(spec)
	if err != nil {
		return nil, explain("transparent: check routes", err)
	}
	return append(inTables, inRoutes...), nil
}

// checkTables looks at the tables of nftables, those of iptables-nft among them.
func checkTables(spec Spec) ([]Conflict, error) {
	conn, err := nftables.New()
	if err != nil {
		return nil, err
	}
	marker, err := markerOf(spec.Table)
	if err != nil {
		return nil, err
	}
	tables, err := conn.ListTablesOfFamily(nftables.TableFamilyINet)
	if err != nil {
		return nil, err
	}
	var all []Conflict
	for _, t := range tables {
		if t.Name == spec.Table && marker == "" {
			all = append(all, Conflict{Kind: "table", What: fmt.Sprintf("a table inet %s is there that mediagate did not make",
				t.Name), Mend: "choose another name in transparent.table, or: nft delete table inet " + t.Name})
		}
	}
	chains, err := conn.ListChains()
	if err != nil {
		return nil, err
	}
	for _, c := range chains {
		if c.Table.Name == spec.Table && c.Table.Family == nftables.TableFamilyINet {
			continue
		}
		found, err := checkChain(conn, spec, c)
		if err != nil {
			return nil, err
		}
		all = append(all, found...)
	}
	return all, nil
}

// checkChain looks for our mark in a chain of another table, and at what the chain does with packets that come home.
func checkChain(conn *nftables.Conn, spec Spec, c *nftables.Chain) ([]Conflict, error) {
	rules, err := conn.GetRules(c.Table, c)
	if err != nil {
		return nil, err
	}
	var all []Conflict
	name := fmt.Sprintf("chain %s of table %s %s", c.Name, tableFamily(c.Table.Family), c.Table.Name)
	sets, accepts, drops := marks(rules, spec.Mark)
	if sets {
		all = append(all, Conflict{Kind: "mark", What: fmt.Sprintf("%s sets the mark %#x too", name, spec.Mark),
			Mend: "choose another number in transparent.mark"})
	}
	if c.Type == nftables.ChainTypeNAT && c.Hooknum != nil && *c.Hooknum == *nftables.ChainHookPostrouting && translates(rules, spec) {
		all = append(all, Conflict{Kind: "nat", What: name + " translates the addresses of what is sent to nodes, so they see one of ours",
			Mend: fmt.Sprintf("nft insert rule %s %s %s %s", tableFamily(c.Table.Family), c.Table.Name, c.Name, exempt(spec))})
	}
	at, ours := meets(c)
	policy := c.Policy != nil && *c.Policy == nftables.ChainPolicyDrop
	if ours && (drops || policy && !accepts) {
		all = append(all, Conflict{Kind: "drop", What: fmt.Sprintf("%s drops what comes home (hook %s)", name, at),
			Mend: fmt.Sprintf("nft insert rule %s %s %s meta mark %#x accept", tableFamily(c.Table.Family), c.Table.Name, c.Name, spec.Mark)})
	}
	return all, nil
}

// meets tells whether packets that come home pass a chain, and at which hook.
func meets(c *nftables.Chain) (hook string, ours bool) {
	if c.Hooknum == nil || c.Type == nftables.ChainTypeNAT {
		return "", false
	}
	switch c.Table.Family {
	case nftables.TableFamilyINet, nftables.TableFamilyIPv4, nftables.TableFamilyIPv6:
	default:
		return "", false
	}
	switch *c.Hooknum {
	case *nftables.ChainHookPrerouting:
		return "prerouting", true
	case *nftables.ChainHookInput:
		return "input", true
	}
	return "", false
}

// marks tells whether rules set our mark, accept packets that bear it, or drop every packet of UDP or every packet at
// all before that.
func marks(rules []*nftables.Rule, mark uint32) (sets, accepts, drops bool) {
	value := make([]byte, 4)
	binary.NativeEndian.PutUint32(value, mark)
	for _, r := range rules {
		var loadsMark, isOurs bool
		var immediate []byte
		conditions := 0
		for _, e := range r.Exprs {
			switch e := e.(type) {
			case *expr.Immediate:
				immediate = e.Data
			case *expr.Meta:
				if e.Key == expr.MetaKeyMARK && e.SourceRegister {
					sets = sets || bytes.Equal(immediate, value)
				}
				loadsMark = e.Key == expr.MetaKeyMARK && !e.SourceRegister
			case *expr.Cmp:
				isOurs = isOurs || loadsMark && e.Op == expr.CmpOpEq && bytes.Equal(e.Data, value)
				if !isUDP(e.Data) {
					conditions++
				}
			case *expr.Lookup, *expr.Range, *expr.Limit, *expr.Fib, *expr.Ct:
				conditions++
			case *expr.Verdict:
				accepts = accepts || isOurs && e.Kind == expr.VerdictAccept && !drops
				drops = drops || !accepts && e.Kind == expr.VerdictDrop && conditions == 0
			}
		}
	}
	return sets, accepts, drops
}

// isUDP tells whether what a rule compares with is the number of UDP.
func isUDP(data []byte) bool { return bytes.Equal(data, []byte{17}) }

func tableFamily(f nftables.TableFamily) string {
	switch f {
	case nftables.TableFamilyINet:
		return "inet"
	case nftables.TableFamilyIPv4:
		return "ip"
	case nftables.TableFamilyIPv6:
		return "ip6"
	case nftables.TableFamilyBridge:
		return "bridge"
	case nftables.TableFamilyARP:
		return "arp"
	}
	return "netdev"
}

// checkRoutes looks at the policy rules and at our routing table.
func checkRoutes(spec Spec) ([]Conflict, error) {
	var all []Conflict
	for _, family := range spec.families() {
		rules, err := netlink.RuleList(family)
		if err != nil {
			return nil, err
		}
		for _, r := range rules {
			if !ourRule(spec, r) {
				all = append(all, checkRule(spec, family, r)...)
			}
		}
		routes, err := routesOf(spec, family)
		if err != nil {
			return nil, err
		}
		for _, r := range routes {
			if r.Protocol != protocolOurs {
				all = append(all, Conflict{Kind: "routes", What: fmt.Sprintf("routing table %d (%s) has a route that mediagate "+
					"did not make, %s", spec.RouteTable, familyName(family), oneLine(r)),
					Mend: "choose another number in transparent.route_table"})
			}
		}
	}
	return all, nil
}

// checkRule looks at a policy rule of somebody else's.
func checkRule(spec Spec, family int, r netlink.Rule) []Conflict {
	name := fmt.Sprintf("the policy rule of priority %d (%s, to table %d)", r.Priority, familyName(family), r.Table)
	switch {
	case r.Priority == spec.Priority:
		return []Conflict{{Kind: "priority", What: name + " has our priority",
			Mend: "choose another number in transparent.priority"}}
	case matchesMark(r, spec.Mark):
		return []Conflict{{Kind: "mark", What: fmt.Sprintf("%s takes packets with the mark %#x", name, spec.Mark),
			Mend: "choose another number in transparent.mark"}}
	case r.Priority > 0 && r.Priority < spec.Priority && r.Mark == 0 && plain(r):
		return []Conflict{{Kind: "priority", What: name + " comes before ours and takes every packet",
			Mend: fmt.Sprintf("choose a number below %d in transparent.priority", r.Priority)}}
	}
	return nil
}

// matchesMark tells whether a rule that asks for a mark takes ours.
func matchesMark(r netlink.Rule, mark uint32) bool {
	if r.Mask != nil {
		return r.Mark != 0 && mark&*r.Mask == r.Mark
	}
	return r.Mark != 0 && r.Mark == mark
}

// plain tells whether a rule asks for nothing.
func plain(r netlink.Rule) bool {
	return r.Src == nil && r.Dst == nil && r.IifName == "" && r.OifName == "" && r.Mask == nil && r.Tos == 0 &&
		r.Dport == nil && r.Sport == nil && r.IPProto == 0 && r.UIDRange == nil && !r.Invert && r.SuppressPrefixlen < 0
}

func oneLine(r netlink.Route) string {
	to := "default"
	if r.Dst != nil {
		to = r.Dst.String()
	}
	return strings.TrimSpace(fmt.Sprintf("to %s", to))
}
