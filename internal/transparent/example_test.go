package transparent_test

import (
	"context"
	"errors"
	"fmt"
	"net/netip"

	"mediagate/internal/transparent"
)

// What is wrong with a spec is said before anything is changed.
func ExampleInstall() {
	_, err := transparent.Install(transparent.Spec{Table: "mediagate", Mark: 0x6d67, RouteTable: 254, Priority: 5004,
		Origins: []netip.Addr{netip.MustParseAddr("192.0.2.11")}})
	fmt.Println(err)
	// Output: transparent: install: routing table 254: want one from 1 that is not the kernel's 253 to 255
}

// A client's address family is the origin's, or there is no way.
func ExampleDial() {
	client, origin := netip.MustParseAddrPort("192.0.2.7:2000"), netip.MustParseAddrPort("[2001:db8::11]:554")
	_, err := transparent.Dial(context.Background(), client, origin)
	var op *transparent.OpError
	fmt.Println(errors.As(err, &op), op.Op, op.Addr)
	// Output: true dial [2001:db8::11]:554
}
