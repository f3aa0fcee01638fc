//go:build linux

package main

import (
	"bytes"
	"context"
	"net/netip"
	"os"
	"os/exec"
	"strconv"
)

// coturn is the TURN server of Debian's package coturn: each flow is an allocation of the client with a channel to the
// origin, so that the origin sends to a port of the server and the client is sent to from port 3478.
type coturn struct {
	*process
	before, after int64 // resident memory
	flows         int
}

// turnPort is where clients speak TURN (RFC 8656, section 3.1).
const turnPort = 3478

func (c *coturn) open(_ context.Context, _ *bed, flows int) ([]netip.AddrPort, error) {
	program, err := exec.LookPath("turnserver")
	if err != nil {
		return nil, errAbsent{"turnserver"}
	}
	c.flows = flows
	c.process, err = startProcess(program, []string{"-n", "-L", gatewayClient.String(), "-E", gatewayOrigin.String(),
		"-p", strconv.Itoa(turnPort), "--min-port=6000", "--max-port=60000", "--no-auth", "--no-tls", "--no-dtls", "--no-cli", "--no-tcp",
		"--no-tcp-relay", "--no-rfc5780", "--log-file=stdout", "--simple-log", "--userdb=" + os.DevNull, "--pidfile=" + os.DevNull}, nil)
	if err != nil {
		return nil, err
	}
	go c.swallow() // close waits for it
	to := make([]netip.AddrPort, flows)
	err = inside(clientHost, func() error {
		for i := range to {
			if to[i], err = c.allocate(i); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	// The clients are gone; the allocations stay for ten minutes.
	c.after, err = resident(c.pid())
	return to, err
}

// allocate makes the i-th flow, on a thread that is in the client, and returns where the origin sends.
func (c *coturn) allocate(i int) (netip.AddrPort, error) {
	a, err := openAsker(netip.AddrPortFrom(clientAddr, uint16(10000+i)), netip.AddrPortFrom(gatewayClient, turnPort))
	if err != nil {
		return netip.AddrPort{}, err
	}
	defer a.close()
	ask := func(kind uint16, attributes ...attribute) (map[uint16][]byte, error) {
		request := stunRequest(kind, uint64(i)<<16|uint64(kind), attributes...)
		answer, err := a.ask(request, func(b []byte) bool {
			return len(b) >= stunHeader && bytes.Equal(b[4:stunHeader], request[4:stunHeader])
		})
		if err != nil {
			return nil, err
		}
		return stunAnswer(answer, kind)
	}
	found, err := ask(allocateRequest, attribute{attrRequestedTransport, []byte{17, 0, 0, 0}})
	if err != nil {
		return netip.AddrPort{}, err
	}
	if i == 0 { // it has started
		if c.before, err = resident(c.pid()); err != nil {
			return netip.AddrPort{}, err
		}
	}
	to, err := readXORAddress(found[attrXORRelayedAddress])
	if err != nil {
		return netip.AddrPort{}, err
	}
	_, err = ask(channelBindRequest, attribute{attrChannelNumber, []byte{firstChannel >> 8, 0, 0, 0}},
		attribute{attrXORPeerAddress, xorAddress(netip.AddrPortFrom(originAddr, mediaPort))})
	return to, err
}

func (c *coturn) pids() []int { return processIDs(c.process) }

func (c *coturn) close() { closeProcess(c.process) }

func (c *coturn) session() int64 { return (c.after - c.before) / int64(c.flows) }
