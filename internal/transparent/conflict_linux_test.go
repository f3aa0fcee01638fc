package transparent_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"mediagate/internal/lab"
	"mediagate/internal/transparent"
)

func TestConflicts(t *testing.T) {
	lab.Need(t, "nft")
	input := func(policy, rules string) string {
		return "table inet fw { chain in { type filter hook input priority 0; policy " + policy + "; " + rules + " } }"
	}
	for _, tc := range []struct {
		name, nft, ip string // what somebody else has, as rules of nft and as words for ip
		kind, what    string // "" for none
		installs      bool
	}{
		{name: "nothing", installs: true},
		{name: "a table of our name", nft: "table inet mediagate { }", kind: "table", what: "table inet mediagate"},
		{name: "of another family", nft: "table ip mediagate { }", installs: true},
		{name: "our priority", ip: "rule add priority 5004 to 192.0.2.0/24 lookup 7", kind: "priority", what: "priority 5004"},
		{name: "our mark in a rule", ip: "rule add priority 90 fwmark 0x6d67 lookup 7", kind: "mark", what: "priority 90"},
		{name: "our mark under a mask", ip: "rule add priority 90 fwmark 0x60/0xf0 lookup 7", kind: "mark", what: "to table 7"},
		{name: "another mark", ip: "rule add priority 90 fwmark 0x1 lookup 7", installs: true},
		{name: "a rule that takes all", ip: "rule add priority 90 lookup 7", kind: "priority", what: "takes every packet"},
		{name: "such a rule of IPv6", ip: "-6 rule add priority 90 lookup 7", kind: "priority", what: "IPv6"},
		{name: "a route in our table", ip: "route add 192.0.2.0/24 dev lo table 5004", kind: "routes", what: "192.0.2.0/24"},
		{name: "our mark set", nft: "table ip x { chain y { type filter hook prerouting priority raw; meta mark set 0x6d67; } }",
			kind: "mark", what: "chain y of table ip x"},
		{name: "another mark set", nft: "table ip x { chain y { type filter hook prerouting priority raw; meta mark set 0x6d; } }", installs: true},
		{name: "input drops", nft: input("drop", "tcp dport 22 accept"), kind: "drop", what: "chain in of table inet fw", installs: true},
		{name: "input drops but ours", nft: input("drop", "meta mark 0x6d67 accept"), installs: true},
		{name: "input drops UDP", nft: input("accept", "meta l4proto udp drop"), kind: "drop", what: "hook input", installs: true},
		{name: "input drops UDP after ours", nft: input("accept", "meta mark 0x6d67 accept; meta l4proto udp drop"), installs: true},
		{name: "input drops a port", nft: input("accept", "udp dport 53 drop"), installs: true},
		{name: "masquerade", nft: "table ip n { chain p { type nat hook postrouting priority 100; counter masquerade; } }",
			kind: "nat", what: "chain p of table ip n", installs: true},
		{name: "masquerade towards nodes", nft: "table ip n { chain p { type nat hook postrouting priority 100; oifname origin0 masquerade; } }",
			kind: "nat", what: "addresses", installs: true},
		{name: "masquerade towards others", nft: "table ip n { chain p { type nat hook postrouting priority 100; oifname client0 masquerade; } }", installs: true},
		{name: "masquerade but for nodes", nft: "table ip n { chain p { type nat hook postrouting priority 100; oifname origin0 accept; masquerade; } }", installs: true},
		{name: "forward drops", nft: "table inet fw { chain f { type filter hook forward priority 0; policy drop; } }", installs: true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			n := lab.NewNetwork(t)
			if tc.nft != "" {
				byHand(t, n, strings.NewReplacer("; ", "\n", " }", "\n}").Replace(tc.nft))
			}
			if tc.ip != "" {
				n.Gateway.Run("ip", strings.Fields(tc.ip)...)
			}
			before := ruleset(n) + routing(n)
			n.Gateway.Do(func() {
				found, err := transparent.Check(spec(n))
				if err != nil {
					t.Error(err)
				}
				if (tc.kind == "") != (len(found) == 0) || len(found) > 0 && (found[0].Kind != tc.kind || !strings.Contains(found[0].What, tc.what)) {
					t.Errorf("found %v, want %q of %q", found, tc.kind, tc.what)
				}
			})
			if tc.installs {
				install(t, n, spec(n))
				return
			}
			n.Gateway.Do(func() {
				_, err := transparent.Install(spec(n))
				if !errors.Is(err, transparent.ErrConflict) || !strings.Contains(err.Error(), tc.what) {
					t.Errorf("install: %v, want ErrConflict with %q", err, tc.what)
				}
			})
			if diff := cmp.Diff(before, ruleset(n)+routing(n)); diff != "" {
				t.Error("something was left:", diff)
			}
		})
	}
}

// What was taken away while we run is named, each with the command that brings it back.
func TestMissing(t *testing.T) {
	lab.Need(t, "nft")
	n := lab.NewNetwork(t)
	rules := install(t, n, spec(n))
	check := func(want ...string) {
		t.Helper()
		var found []transparent.Conflict
		n.Gateway.Do(func() {
			var err error
			if found, err = rules.Check(); err != nil {
				t.Error(err)
			}
		})
		if len(found) != len(want) {
			t.Fatalf("found %v, want %q", found, want)
		}
		for i, c := range found {
			if !strings.Contains(c.String(), want[i]) {
				t.Errorf("found %v, want %q", c, want[i])
			}
			if command, ok := strings.CutPrefix(c.Mend, "ip "); ok {
				n.Gateway.Run("ip", strings.Fields(command)...)
			}
		}
	}
	check()
	n.Gateway.Run("ip", "rule", "del", "priority", "5004")
	check("policy rule of priority 5004 (IPv4) is not there: ip -4 rule add")
	check()
	n.Gateway.Run("ip", "-6", "route", "flush", "table", "5004")
	check("local route in table 5004 (IPv6) is not there: ip -6 route add")
	check()
	n.Gateway.Run("nft", "delete", "table", "inet", "mediagate")
	check("table inet mediagate is not there")
}

func TestSpecIsChecked(t *testing.T) {
	n := lab.NewNetwork(t)
	for name, change := range map[string]func(*transparent.Spec){
		"no table":         func(s *transparent.Spec) { s.Table = "" },
		"a table's name":   func(s *transparent.Spec) { s.Table = "a b" },
		"mark 0":           func(s *transparent.Spec) { s.Mark = 0 },
		"the main table":   func(s *transparent.Spec) { s.RouteTable = 254 },
		"after main":       func(s *transparent.Spec) { s.Priority = 32766 },
		"priority 0":       func(s *transparent.Spec) { s.Priority = 0 },
		"nobody's packets": func(s *transparent.Spec) { s.Origins = nil },
	} {
		t.Run(name, func(t *testing.T) {
			s := spec(n)
			change(&s)
			n.Gateway.Do(func() {
				if rules, err := transparent.Install(s); err == nil {
					t.Error("installed", rules.Remove())
				}
			})
		})
	}
}
