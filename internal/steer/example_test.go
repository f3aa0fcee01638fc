package steer_test

import (
	"errors"
	"fmt"
	"net/netip"

	"mediagate/internal/steer"
)

// Without a socket nothing can be led; with one of a loop, and the privileges, the datagrams to what is held come to it.
func ExampleOpen() {
	lead := func(sockets ...int) error {
		g, err := steer.Open(steer.Spec{Lo: 20000, Hi: 29999, V4: sockets, Senders: []netip.Addr{netip.MustParseAddr("192.0.2.11")}})
		if errors.Is(err, steer.ErrUnsupported) {
			return nil // say why, and read each socket by itself
		}
		if err != nil {
			return err
		}
		at := netip.MustParseAddrPort("192.0.2.1:20000")
		return errors.Join(g.Hold(at), g.Release(at), g.Close())
	}
	fmt.Println(lead())
	// Output:
	// steer: open ports 20000-29999: wrong use: no socket
}
