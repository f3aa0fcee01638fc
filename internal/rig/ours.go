//go:build linux

package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/netip"
	"os"
	"runtime"

	"go.uber.org/zap"

	"mediagate/internal/steer"
	"mediagate/udprelay"
)

// roleVariable in the environment makes this program one of the relays of the bed.
const roleVariable = "MEDIAGATE_RIG_ROLE"

// ours is udprelay in a process of its own.
type ours struct {
	engine string
	made   made
	*process
}

// order tells the process what to make, flows what it made.
type order struct {
	Engine    string
	Flows     int
	Interface string // that faces the origin
}

type made struct {
	Engine string
	Ports  []uint16 // of the origin legs
	Before int64    // resident memory before the flows were there
	After  int64    // and with them
}

func (o *ours) open(_ context.Context, b *bed, flows int) ([]netip.AddrPort, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("rig: find program: %w", err)
	}
	if o.process, err = startProcess(self, nil, []string{roleVariable + "=relay"}); err != nil {
		return nil, err
	}
	if err = o.say(order{Engine: o.engine, Flows: flows, Interface: b.originLink}); err != nil {
		return nil, err
	}
	if err = o.hear(&o.made); err != nil {
		return nil, err
	}
	to := make([]netip.AddrPort, flows)
	for i := range to {
		to[i] = netip.AddrPortFrom(gatewayOrigin, o.made.Ports[i])
	}
	return to, nil
}

func (o *ours) pids() []int { return processIDs(o.process) }

func (o *ours) close() { closeProcess(o.process) }

func (o *ours) session() int64 {
	return (o.made.After - o.made.Before) / int64(max(1, len(o.made.Ports)))
}

// relayRole is the process: it reads an order, makes the flows, answers, and ends with its standard input.
func relayRole(in io.Reader, out io.Writer) error {
	lines := bufio.NewScanner(in)
	if !lines.Scan() {
		return fmt.Errorf("rig: read order: %w", io.ErrUnexpectedEOF)
	}
	var want order
	if err := json.Unmarshal(lines.Bytes(), &want); err != nil {
		return fmt.Errorf("rig: read order: %w", err)
	}
	if want.Engine == proxyRole {
		return serveProxy(lines, out)
	}
	cfg, err := relayConfig(want)
	if err != nil {
		return err
	}
	relay, err := udprelay.New(cfg)
	if err != nil {
		return err
	}
	defer func() { _ = relay.Close() }()
	if want.Engine == "steer" || want.Engine == "xdp" {
		for _, f := range relay.Engine().Features {
			if !f.On {
				return fmt.Errorf("rig: relay does without %s: %s", f.Name, f.Why)
			}
		}
	}
	answer := made{Engine: want.Engine}
	if answer.Ports, err = makeFlows(relay, want.Flows, &answer); err != nil {
		return err
	}
	if err := json.NewEncoder(out).Encode(answer); err != nil {
		return fmt.Errorf("rig: answer: %w", err)
	}
	for lines.Scan() {
	}
	return nil
}

// relayPorts is the gateway's configuration, with room for the flows.
func relayPorts() udprelay.Config {
	return udprelay.Config{
		ClientPorts: udprelay.PortRange{Lo: mediaPort, Hi: mediaPort + 1},
		OriginPorts: udprelay.PortRange{Lo: 20000, Hi: 39999},
		Logger:      zap.NewNop(),
	}
}

// relayConfig is the configuration of an engine.
func relayConfig(want order) (udprelay.Config, error) {
	cfg := relayPorts()
	switch want.Engine {
	case "plain":
		cfg.Engine = udprelay.EnginePlain
	case "fast":
		cfg.Engine = udprelay.EngineFast
	case "steer":
		cfg.Engine, cfg.Steer = udprelay.EngineFast, steering()
	case "xdp":
		cfg.Engine, cfg.Steer = udprelay.EngineFast, steering(want.Interface)
	default:
		return cfg, fmt.Errorf("rig: choose engine: there is no %q", want.Engine)
	}
	return cfg, nil
}

// steering leads what comes from the origin to the loops' sockets, or takes it from interfaces.
func steering(interfaces ...string) udprelay.SteerFunc {
	return func(s udprelay.SteerSpec) (udprelay.Steering, error) {
		g, err := steer.Open(steer.Spec{Lo: s.Ports.Lo, Hi: s.Ports.Hi, V4: s.V4, V6: s.V6, Senders: []netip.Addr{originAddr},
			Interfaces: interfaces, Buffer: s.Buffer})
		if err != nil {
			return nil, err
		}
		return bypass{g}, nil
	}
}

// bypass is a Steering as the relay sees it.
type bypass struct{ *steer.Steering }

func (b bypass) Queues() (all []udprelay.Queue) {
	for _, i := range b.Interfaces() {
		for _, q := range i.Queues {
			all = append(all, q)
		}
	}
	return all
}

func (b bypass) Features() (all []udprelay.Feature) {
	for _, i := range b.Interfaces() {
		f := udprelay.Feature{Name: "xdp", On: i.Err == nil && i.Native}
		if i.Err != nil {
			f.Why = i.Err.Error()
		}
		all = append(all, f)
	}
	return all
}

// makeFlows does for each flow what a session does.
func makeFlows(relay *udprelay.Relay, n int, m *made) (ports []uint16, err error) {
	if err := relay.Open(gatewayClient); err != nil {
		return nil, err
	}
	runtime.GC()
	if m.Before, err = resident(os.Getpid()); err != nil {
		return nil, err
	}
	for i := range n {
		f, err := relay.Reserve(udprelay.Spec{ClientLocal: gatewayClient, OriginLocal: gatewayOrigin})
		if err != nil {
			return nil, err
		}
		to := viewer(i)
		if err := f.Connect(udprelay.Client, udprelay.Peer{Addr: to.Addr(), RTP: to.Port(), RTCP: to.Port() + 1}); err != nil {
			return nil, err
		}
		if err := f.Connect(udprelay.Origin, udprelay.Peer{Addr: originAddr, RTP: mediaPort, RTCP: mediaPort + 1}); err != nil {
			return nil, err
		}
		ports = append(ports, f.OriginPair().RTP)
	}
	runtime.GC()
	m.After, err = resident(os.Getpid())
	return ports, err
}
