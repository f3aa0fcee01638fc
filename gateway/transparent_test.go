package gateway

import (
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"

	"mediagate/internal/config"
	"mediagate/internal/transparent"
)

func TestBorrows(t *testing.T) {
	seen := &transparency{links: []netip.Prefix{
		netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("192.0.2.0/24"), netip.MustParsePrefix("2001:db8:2::/64"),
	}}
	for _, tc := range []struct {
		name, client, node string
		want               bool
	}{
		{"from elsewhere", "198.51.100.7", "192.0.2.11", true},
		{"from elsewhere, IPv6", "2001:db8:7::7", "2001:db8:2::11", true},
		{"a client beside the node", "192.0.2.99", "192.0.2.11", false},
		{"a client beside the node, IPv6", "2001:db8:2::99", "2001:db8:2::11", false},
		{"a node behind a router", "192.0.2.99", "203.0.113.11", true},
		{"another family", "198.51.100.7", "2001:db8:2::11", false},
		{"a client of this machine", "127.0.0.1", "192.0.2.11", false},
		{"everything on this machine", "127.0.0.1", "127.0.0.2", true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got := seen.borrows(netip.MustParseAddr(tc.client), netip.MustParseAddr(tc.node)); got != tc.want {
				t.Errorf("got %v", got)
			}
		})
	}
}

func TestTransparentSpec(t *testing.T) {
	cfg, err := config.Load("../testdata/config/valid/transparent.yaml")
	if err != nil {
		t.Fatal(err)
	}
	want := transparent.Spec{
		Table: "mediagate", Mark: 7, RouteTable: 5004, Priority: 5004, Interfaces: []string{"eth1", "eth2"},
		Origins:    []netip.Addr{netip.MustParseAddr("192.0.2.11"), netip.MustParseAddr("2001:db8::11")},
		MediaPorts: []uint16{5004, 5005}, Forwarding: transparent.MediaOnly, LogGroup: 5004, KernelLog: true,
	}
	if diff := cmp.Diff(want, TransparentSpec(cfg), cmp.Comparer(func(a, b netip.Addr) bool { return a == b })); diff != "" {
		t.Error(diff)
	}
}

// Without a transparent pool nothing is made, and the protocols dial for themselves.
func TestNoTransparentPool(t *testing.T) {
	cfg, err := config.ForOrigin("192.0.2.11")
	if err != nil {
		t.Fatal(err)
	}
	seen := newTransparency(cfg, nil)
	if seen != nil || seen.dialer() != nil || seen.asker() != nil || seen.listener() != nil {
		t.Errorf("there is %+v", seen)
	}
	if err := seen.start(); err != nil {
		t.Error(err)
	}
	seen.run(t.Context())
	seen.stop()
}
