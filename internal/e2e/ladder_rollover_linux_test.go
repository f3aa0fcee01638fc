package e2e

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"mediagate/internal/lab"
)

// ladderNoWait is how long a way down may take on which no step is waited for: less than the five and more seconds that the built-in
// player waits for a header over UDP, the eight for media, and the ten for all else.
const ladderNoWait = 5 * time.Second

// ladderStage runs the embedded origin and a gateway that has all three
// protocols, and makes a table for what is refused on the client's host and on
// the origin's. flags are the origin's.
func ladderStage(t *testing.T, top *lab.Topology, flags ...string) *lab.Gateway {
	t.Helper()
	lab.Need(t, "nft")
	from := lab.StartEmbeddedOrigin(t, top.OriginAddr, top.Origin, append(flags, "--speed", "2")...)
	var yaml strings.Builder
	yaml.WriteString("virtual_servers:\n")
	for _, p := range []string{"rtsp", "mms", "http"} {
		fmt.Fprintf(&yaml, "  - {name: %s, protocol: %s, listen: [%q], pool: origins}\n", p, p, netip.AddrPortFrom(top.GatewayClient, lab.UsualPort(p)))
	}
	fmt.Fprintf(&yaml, "pools:\n  - name: origins\n    nodes:\n      - {name: wms, address: %s, ports: {rtsp: 554, mms: 1755, http: 80}}\n", from.Addr)
	yaml.WriteString("timeouts: {connect: 20s, response: 20s}\n") // as unhurried says
	for _, host := range []*lab.Host{top.Client, top.Origin} {
		host.Run("nft", "add table inet ladder; add chain inet ladder in { type filter hook input priority 0; }; "+
			"add chain inet ladder out { type filter hook output priority 0; }")
	}
	return lab.StartConfigured(t, yaml.String(), netip.AddrPortFrom(top.GatewayClient, 80), top.Gateway)
}

// TestLadderRollover: the built-in player climbs down the ladder on three hosts,
// with its upper steps refused or dropped on the client's link, and lands on the
// step that is left; a refusal costs it no wait.
func TestLadderRollover(t *testing.T) {
	top := lab.NewTopology(t)
	gw := ladderStage(t, top)
	for _, c := range []struct {
		name, rules, plays string
		most               time.Duration // to the first packet
	}{
		{"nothing", "", "rtspu", ladderNoWait},
		{"554 refused", "add rule inet ladder out tcp dport 554 reject with tcp reset", "mmsu", ladderNoWait},
		{"554 and 1755 refused", "add rule inet ladder out tcp dport { 554, 1755 } reject with tcp reset", "http", ladderNoWait},
		{"UDP dropped", "add rule inet ladder in meta l4proto udp drop", "rtspt", 15 * time.Second},
		{"554 refused, UDP dropped", "add rule inet ladder out tcp dport 554 reject with tcp reset; " +
			"add rule inet ladder in meta l4proto udp drop", "mmst", 15 * time.Second},
		{"554 dropped", "add rule inet ladder out tcp dport 554 drop", "mmsu", 15 * time.Second},
		{"554 and 1755 dropped", "add rule inet ladder out tcp dport { 554, 1755 } drop", "http", 25 * time.Second},
	} {
		t.Run(c.name, func(t *testing.T) {
			top.Client.Run("nft", "flush table inet ladder; "+c.rules)
			began := time.Now().Truncate(time.Millisecond)
			landed, first, output := rollOver(t, top)
			t.Logf("%s: first packet after %v", landed, first)
			if landed != c.plays || first <= 0 || first > c.most {
				t.Errorf("landed on %q after %v, want %s within %v\n%s", landed, first, c.plays, c.most, output)
			}
			r := lab.WaitRecord(t, gw.Records, 2*recordLimit, func(r lab.Record) bool {
				return !r.Start.Before(began) && r.FirstMedia != nil && strings.HasPrefix(c.plays, r.Protocol)
			})
			if r.Node != "wms" || r.Viewer == "" || r.Client.Addr() != top.ClientAddr {
				t.Errorf("record: %+v", r)
			}
		})
	}
}

// rollOver lets the built-in player climb down, and tells on which step it
// landed and how long the first packet took from its begin.
func rollOver(t *testing.T, top *lab.Topology, flags ...string) (landed string, first time.Duration, output string) {
	t.Helper()
	args := append([]string{"play", "--rollover", "--duration", "500ms"}, flags...)
	p := lab.Start(t, lab.Command{Path: lab.Binary(t), Host: top.Client, Args: append(args, top.GatewayClient.String()+"/sample.wmv")})
	if code := p.WaitExit(playLimit); code != 0 {
		t.Fatalf("play ended with code %d\n%s", code, p.Output())
	}
	for line := range strings.Lines(p.Output()) {
		f := strings.Fields(line)
		switch {
		case len(f) == 3 && f[0] == "first" && f[1] == "packet":
			first, _ = time.ParseDuration(f[2])
		case len(f) == 4 && f[0] == "step" && f[3] == "plays":
			landed = f[1]
		}
	}
	return landed, first, p.Output()
}
