//go:build linux

package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/netip"

	"mediagate/balancer"
	"mediagate/rtsp"
	"mediagate/udprelay"
)

// proxyRole is the engine of an order for rtsp.Proxy instead of flows.
const proxyRole = "proxy"

// serveProxy is the gateway of interleaved media: one proxy before one node. It ends with the input.
func serveProxy(lines *bufio.Scanner, out io.Writer) error {
	pool, err := balancer.New(balancer.Config{Name: "rig", Nodes: []balancer.Node{
		{Name: "origin", Addr: originAddr, Ports: map[string]uint16{rtsp.Service: rtspPort}},
	}})
	if err != nil {
		return err
	}
	relay, err := udprelay.New(relayPorts())
	if err != nil {
		return err
	}
	defer func() { _ = relay.Close() }()
	proxy, err := rtsp.New(rtsp.Config{VirtualServer: "rig", Pool: pool, Relay: relay})
	if err != nil {
		return err
	}
	l, err := new(net.ListenConfig).Listen(context.Background(), "tcp", netip.AddrPortFrom(gatewayClient, rtspPort).String())
	if err != nil {
		return fmt.Errorf("rig: listen: %w", err)
	}
	served := make(chan error, 1)
	go func() { served <- proxy.Serve(l) }()
	if err := json.NewEncoder(out).Encode(made{Engine: proxyRole}); err != nil {
		return fmt.Errorf("rig: answer: %w", err)
	}
	for lines.Scan() {
	}
	proxy.Close()
	<-served // rtsp.ErrProxyClosed
	return nil
}
