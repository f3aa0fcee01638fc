package transparent

import (
	"bytes"
	"net/netip"
	"strings"

	"github.com/google/nftables"
	"github.com/google/nftables/expr"
	"github.com/vishvananda/netlink"
)

// translates tells whether a rule may give what we send to nodes another source address. A rule that names an interface
// by which no node is reached does not; whatever else it asks for is not looked at.
func translates(rules []*nftables.Rule, spec Spec) bool {
	ways := waysTo(spec.Origins)
	for _, r := range rules {
		rewrites, elsewhere, loadsName := false, false, false
		for _, e := range r.Exprs {
			switch e := e.(type) {
			case *expr.Meta:
				loadsName = e.Key == expr.MetaKeyOIFNAME && !e.SourceRegister
			case *expr.Cmp:
				if loadsName && e.Op == expr.CmpOpEq {
					elsewhere = !ways[string(bytes.TrimRight(e.Data, "\x00"))]
				}
			case *expr.Verdict:
				if e.Kind == expr.VerdictAccept && !rewrites && spares(r, spec) {
					return false // what goes to nodes ends here, unchanged
				}
			case *expr.Masq:
				rewrites = true
			case *expr.NAT:
				rewrites = rewrites || e.Type == expr.NATTypeSourceNAT
			}
		}
		if rewrites && !elsewhere {
			return true
		}
	}
	return false
}

// waysTo are the names of the interfaces by which addresses are reached.
func waysTo(addrs []netip.Addr) map[string]bool {
	ways := make(map[string]bool)
	for _, a := range addrs {
		routes, err := netlink.RouteGet(a.AsSlice())
		if err != nil || len(routes) == 0 {
			continue
		}
		if link, err := netlink.LinkByIndex(routes[0].LinkIndex); err == nil {
			ways[link.Attrs().Name] = true
		}
	}
	return ways
}

// spares tells whether a rule names every interface by which nodes are reached, which is at most one.
func spares(r *nftables.Rule, spec Spec) bool {
	ways := waysTo(spec.Origins)
	for _, e := range r.Exprs {
		if c, ok := e.(*expr.Cmp); ok && len(ways) == 1 && c.Op == expr.CmpOpEq && ways[string(bytes.TrimRight(c.Data, "\x00"))] {
			return true
		}
	}
	return false
}

// exempt is the rule that ends the translation for what goes to nodes.
func exempt(spec Spec) string {
	var names []string
	for name := range waysTo(spec.Origins) {
		names = append(names, name)
	}
	if len(names) == 1 {
		return "oifname " + names[0] + " accept"
	}
	return "oifname { " + strings.Join(names, ", ") + " } accept"
}
