package e2e

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"mediagate/internal/lab"
)

// TestLadderTwoOrigins: with two nodes that take turns, the steps of one viewer
// meet one node, carry one viewer id, and the last has those before it in its
// ladder. Where the policy refuses UDP no step is waited for.
func TestLadderTwoOrigins(t *testing.T) {
	top := lab.NewTopology(t)
	lab.Need(t, "nft")
	second := netip.MustParseAddr("10.99.2.3")
	top.Origin.Run("ip", "addr", "add", second.String()+"/24", "dev", lab.HostLink)
	for _, addr := range []netip.Addr{top.OriginAddr, second} {
		lab.StartEmbeddedOrigin(t, addr, top.Origin, "--speed", "2")
	}
	var yaml strings.Builder
	yaml.WriteString("virtual_servers:\n")
	for _, p := range []string{"rtsp", "mms", "http"} {
		fmt.Fprintf(&yaml, "  - {name: %s, protocol: %s, listen: [%q], pool: origins}\n", p, p, netip.AddrPortFrom(top.GatewayClient, lab.UsualPort(p)))
	}
	fmt.Fprintf(&yaml, "  - {name: tcp only, protocol: rtsp, listen: [%q], udp: false, pool: origins}\n", netip.AddrPortFrom(top.GatewayClient, 8554))
	fmt.Fprintf(&yaml, "pools:\n  - name: origins\n    policy: round-robin\n    nodes:\n"+
		"      - {name: wms1, address: %s, ports: {rtsp: 554, mms: 1755, http: 80}}\n"+
		"      - {name: wms2, address: %s, ports: {rtsp: 554, mms: 1755, http: 80}}\n", top.OriginAddr, second)
	gw := lab.StartConfigured(t, yaml.String(), netip.AddrPortFrom(top.GatewayClient, 80), top.Gateway)

	landed, first, output := rollOver(t, top, "--rtsp-port", "8554")
	if landed != "rtspt" || first <= 0 {
		t.Errorf("UDP refused: landed on %q\n%s", landed, output)
	}
	within(t, "the step that policy leaves", first, ladderNoWait)

	top.Client.Run("nft", "add table inet ladder; add chain inet ladder in { type filter hook input priority 0; }; "+
		"add chain inet ladder out { type filter hook output priority 0; }; "+
		"add rule inet ladder out tcp dport 554 reject with tcp reset; add rule inet ladder in meta l4proto udp drop")
	nodes := map[string]bool{}
	for range 2 {
		began := time.Now().Truncate(time.Millisecond)
		landed, _, output := rollOver(t, top)
		if landed != "mmst" {
			t.Fatalf("landed on %q\n%s", landed, output)
		}
		of := func(transport string) lab.Record {
			return lab.WaitRecord(t, gw.Records, recordLimit, func(r lab.Record) bool {
				return !r.Start.Before(began) && r.Protocol == "mms" && r.Transport == transport
			})
		}
		above, last := of("udp"), of("interleaved")
		if above.Node == "" || last.Node != above.Node || last.Viewer == "" || last.Viewer != above.Viewer {
			t.Errorf("mmsu: node %q, viewer %q; mmst: node %q, viewer %q", above.Node, above.Viewer, last.Node, last.Viewer)
		}
		if len(last.Ladder) != 1 || last.Ladder[0].Session != above.ID || last.Ladder[0].Why == "" || last.Ladder[0].Transport != "udp" {
			t.Errorf("ladder: %+v", last.Ladder)
		}
		nodes[last.Node] = true
	}
	if len(nodes) != 2 {
		t.Errorf("two viewers met %v: the nodes do not take turns", nodes)
	}
}
