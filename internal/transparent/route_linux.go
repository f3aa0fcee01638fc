package transparent

import (
	"errors"
	"fmt"
	"net"
	"net/netip"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// protocolOurs is what rule and route bear in their protocol field, so that they are known again after a crash. It is of
// the range that the kernel leaves to programs, and none that iproute2's table of names has.
const protocolOurs = 109

// families are the address families that occur among the origins.
func (s Spec) families() []int {
	var all []int
	if len(s.of4()) > 0 {
		all = append(all, unix.AF_INET)
	}
	if len(s.of6()) > 0 {
		all = append(all, unix.AF_INET6)
	}
	return all
}

// rule is our policy rule of a family.
func (s Spec) rule(family int) *netlink.Rule {
	r := netlink.NewRule()
	r.Family, r.Mark, r.Table, r.Priority, r.Protocol = family, s.Mark, s.RouteTable, s.Priority, protocolOurs
	return r
}

// localRoute is our route of a family: every address is this machine's, for what the rule leads to the table.
func (s Spec) localRoute(family, loopback int) *netlink.Route {
	all := netip.PrefixFrom(netip.IPv4Unspecified(), 0)
	if family == unix.AF_INET6 {
		all = netip.PrefixFrom(netip.IPv6Unspecified(), 0)
	}
	return &netlink.Route{
		Family: family, Table: s.RouteTable, Type: unix.RTN_LOCAL, Scope: netlink.SCOPE_HOST, LinkIndex: loopback,
		Protocol: protocolOurs, Dst: &net.IPNet{IP: all.Addr().AsSlice(), Mask: net.CIDRMask(0, all.Addr().BitLen())},
	}
}

// addRoutes makes rule and route of each family; what is there already stays.
func addRoutes(spec Spec) error {
	lo, err := loopback()
	if err != nil {
		return err
	}
	for _, family := range spec.families() {
		if err := netlink.RouteReplace(spec.localRoute(family, lo)); err != nil {
			return fmt.Errorf("local route in table %d, %s: %w", spec.RouteTable, familyName(family), err)
		}
		if have, err := ourRules(spec, family); err != nil {
			return err
		} else if len(have) > 0 {
			continue // a killed process left it; it says the same
		}
		if err := netlink.RuleAdd(spec.rule(family)); err != nil {
			return fmt.Errorf("policy rule of priority %d, %s: %w", spec.Priority, familyName(family), err)
		}
	}
	return nil
}

// removeRoutes takes away what addRoutes made; what is not there is no error.
func removeRoutes(spec Spec) error {
	lo, err := loopback()
	if err != nil {
		return err
	}
	var failed error
	for _, family := range spec.families() {
		rules, err := ourRules(spec, family)
		failed = errors.Join(failed, err)
		for range rules {
			failed = errors.Join(failed, netlink.RuleDel(spec.rule(family)))
		}
		if err := netlink.RouteDel(spec.localRoute(family, lo)); err != nil && !errors.Is(err, unix.ESRCH) {
			failed = errors.Join(failed, err)
		}
	}
	return failed
}

// ourRules are the policy rules that this spec would make and that are there.
func ourRules(spec Spec, family int) ([]netlink.Rule, error) {
	all, err := netlink.RuleList(family)
	if err != nil {
		return nil, err
	}
	var found []netlink.Rule
	for _, r := range all {
		if ourRule(spec, r) {
			found = append(found, r)
		}
	}
	return found, nil
}

func ourRule(spec Spec, r netlink.Rule) bool {
	return r.Protocol == protocolOurs && r.Priority == spec.Priority && r.Table == spec.RouteTable && r.Mark == spec.Mark
}

// missingRoutes names what addRoutes makes and is not there.
func missingRoutes(spec Spec) ([]Conflict, error) {
	var all []Conflict
	for _, family := range spec.families() {
		option := map[int]string{unix.AF_INET: "-4", unix.AF_INET6: "-6"}[family]
		rules, err := ourRules(spec, family)
		if err != nil {
			return nil, err
		}
		if len(rules) == 0 {
			all = append(all, Conflict{Kind: "priority", What: fmt.Sprintf("the policy rule of priority %d (%s) is not there",
				spec.Priority, familyName(family)), Mend: fmt.Sprintf("ip %s rule add fwmark %#x lookup %d priority %d protocol %d",
				option, spec.Mark, spec.RouteTable, spec.Priority, protocolOurs)})
		}
		routes, err := routesOf(spec, family)
		if err != nil {
			return nil, err
		}
		if !hasLocal(routes) {
			all = append(all, Conflict{Kind: "routes", What: fmt.Sprintf("the local route in table %d (%s) is not there",
				spec.RouteTable, familyName(family)), Mend: fmt.Sprintf("ip %s route add local default dev lo table %d protocol %d",
				option, spec.RouteTable, protocolOurs)})
		}
	}
	return all, nil
}

func hasLocal(routes []netlink.Route) bool {
	for _, r := range routes {
		if r.Type == unix.RTN_LOCAL && r.Protocol == protocolOurs {
			return true
		}
	}
	return false
}

// routesOf are the routes of our table.
func routesOf(spec Spec, family int) ([]netlink.Route, error) {
	return netlink.RouteListFiltered(family, &netlink.Route{Table: spec.RouteTable, Type: unix.RTN_UNSPEC},
		netlink.RT_FILTER_TABLE)
}

func loopback() (int, error) {
	lo, err := netlink.LinkByName("lo")
	if err != nil {
		return 0, fmt.Errorf("interface lo: %w", err)
	}
	return lo.Attrs().Index, nil
}

func familyName(family int) string {
	if family == unix.AF_INET6 {
		return "IPv6"
	}
	return "IPv4"
}
