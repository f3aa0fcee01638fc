package player_test

import (
	"context"
	"fmt"
	"net/netip"

	"mediagate/internal/origin"
	"mediagate/internal/player"
)

func ExamplePlay() {
	s, err := origin.New(origin.Config{Listen: netip.MustParseAddrPort("127.0.0.183:0"), Speed: 50})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { fmt.Println("closed", s.Close()) }()
	if err := s.Start(); err != nil {
		fmt.Println(err)
		return
	}
	r, err := player.Play(context.Background(), player.Options{URL: s.URL("sample.wmv"), Transport: "tcp"})
	fmt.Println(r.Transport, r.Packets, r.EndOfStream, err)
	// Output:
	// tcp 157 true <nil>
	// closed <nil>
}
