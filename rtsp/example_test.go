package rtsp_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"time"

	"mediagate/balancer"
	"mediagate/internal/sessionlog"
	"mediagate/rtsp"
	"mediagate/udprelay"
)

// A Proxy in front of one node: the player speaks to the listener and is carried on to the node.
func Example() {
	pool, err := balancer.New(balancer.Config{Name: "windows-media", Nodes: []balancer.Node{
		{Name: "wms1", Addr: netip.MustParseAddr("192.0.2.11"), Ports: map[string]uint16{rtsp.Service: 554}},
	}})
	if err != nil {
		fmt.Println(err)
		return
	}
	relay, err := udprelay.New(udprelay.Config{
		ClientPorts: udprelay.PortRange{Lo: 5004, Hi: 5005},
		OriginPorts: udprelay.PortRange{Lo: 20000, Hi: 29999},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer relay.Close()

	records := make(chan *sessionlog.Record, 1)
	proxy, err := rtsp.New(rtsp.Config{
		VirtualServer: "RTSP Control", Pool: pool, Relay: relay,
		Dial: func(context.Context, netip.AddrPort, netip.AddrPort) (net.Conn, error) {
			return nil, errors.New("connection refused") // the node is down today
		},
		Record: func(r *sessionlog.Record) { records <- r },
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Println(err)
		return
	}
	served := make(chan error, 1)
	go func() { served <- proxy.Serve(l) }()

	player, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Fprint(player, "OPTIONS rtsp://gateway.example/a RTSP/1.0\r\nCSeq: 1\r\n\r\n")
	answer := make([]byte, 64)
	n, _ := player.Read(answer)
	fmt.Printf("%q\n", answer[:n])
	player.Close()

	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	fmt.Println(proxy.Shutdown(ctx), errors.Is(<-served, rtsp.ErrProxyClosed), proxy.Sessions())
	r := <-records
	fmt.Println(r.End, r.NodesTried)
	// Output:
	// "RTSP/1.0 503 Service Unavailable\r\nCSeq: 1\r\n\r\n"
	// <nil> true 0
	// ND [wms1]
}
