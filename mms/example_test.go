package mms_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"time"

	"mediagate/balancer"
	"mediagate/internal/sessionlog"
	"mediagate/mms"
	"mediagate/mms/mmswire"
	"mediagate/udprelay"
)

// A Proxy in front of one node: the player speaks to the listener and is carried on to the node.
func Example() {
	pool, err := balancer.New(balancer.Config{Name: "windows-media", Nodes: []balancer.Node{
		{Name: "wms1", Addr: netip.MustParseAddr("192.0.2.11"), Ports: map[string]uint16{mms.Service: 1755}},
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
	proxy, err := mms.New(mms.Config{
		VirtualServer: "MMS Control", Pool: pool, Relay: relay,
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
	hello := mmswire.Encode(&mmswire.Connect{SubscriberName: "NSPlayer/9.0.0.2980; {0a0b0c0d-0000-0000-0000-000000000001}; Host: gateway.example"})
	_, _ = player.Write(mmswire.AppendPacket(nil, 0, 0, hello))
	item, err := mmswire.NewReader(player, mmswire.Limits{}).Read()
	if packet, ok := item.(*mmswire.Packet); ok {
		answer, _ := mmswire.Decode(packet.Messages[0])
		fmt.Printf("%v, result 0x%08X\n", answer.MID(), answer.(*mmswire.ReportConnectedEX).HR)
	} else {
		fmt.Println(err)
	}
	player.Close()

	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	fmt.Println(proxy.Shutdown(ctx), errors.Is(<-served, mms.ErrProxyClosed), proxy.Sessions())
	r := <-records
	fmt.Println(r.End, r.NodesTried)
	// Output:
	// LinkMacToViewerReportConnectedEX, result 0xC00D0006
	// <nil> true 0
	// ND [wms1]
}

// NewProbe asks a node whether it speaks MMS; with a path, whether it can serve that.
func ExampleNewProbe() {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Println(err)
		return
	}
	answered := make(chan struct{})
	go func() {
		defer close(answered)
		conn, err := l.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		if _, err := mmswire.NewReader(conn, mmswire.Limits{}).Read(); err == nil {
			full := mmswire.Encode(&mmswire.ReportConnectedEX{HR: 0xC00D000F})
			_, _ = conn.Write(mmswire.AppendPacket(nil, 0, 0, full))
		}
	}()
	at := netip.MustParseAddrPort(l.Addr().String())
	probe := mms.NewProbe(10*time.Second, "")
	fmt.Println(probe(context.Background(), balancer.Node{Name: "wms1", Addr: at.Addr(), Ports: map[string]uint16{mms.Service: at.Port()}}))
	<-answered
	l.Close()
	// Output:
	// mms: probe node "wms1": answered with an error: LinkMacToViewerReportConnectedEX with result 0xC00D000F
}
