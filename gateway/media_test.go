package gateway

import (
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"

	"mediagate/internal/config"
	"mediagate/udprelay"
)

func TestMarking(t *testing.T) {
	for d, want := range map[config.DSCP]udprelay.Marking{config.DSCPKeep: {}, 0: {Set: true}, 46: {Set: true, DSCP: 46}} {
		if got := marking(d); got != want {
			t.Errorf("%v: %+v, want %+v", d, got, want)
		}
	}
}

func TestSteerFunc(t *testing.T) {
	cfg := config.Default()
	if steerFunc(cfg) == nil {
		t.Error("nothing is led away by default")
	}
	cfg.Relay.Steer = config.SteerOff
	if steerFunc(cfg) != nil {
		t.Error("something is led away with steer: off")
	}
	cfg.Relay.Steer = config.SteerAuto
	if s, err := steerFunc(cfg)(udprelay.SteerSpec{}); err == nil || s != nil {
		t.Errorf("without a socket: %v, %v", s, err)
	}
}

func TestNodeAddresses(t *testing.T) {
	node := func(text string) config.Node { return config.Node{Address: netip.MustParseAddr(text)} }
	cfg := &config.Config{Pools: []config.Pool{
		{Nodes: []config.Node{node("192.0.2.11"), node("::ffff:192.0.2.12")}},
		{Nodes: []config.Node{node("192.0.2.11"), node("fe80::1%eth0")}},
	}}
	var got []string
	for _, a := range nodeAddresses(cfg) {
		got = append(got, a.String())
	}
	if diff := cmp.Diff([]string{"192.0.2.11", "192.0.2.12", "fe80::1"}, got); diff != "" {
		t.Error(diff)
	}
}
