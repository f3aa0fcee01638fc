package main

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"syscall"
)

// The addresses of the demonstration. Windows Media's own ports are used on three addresses, so that the picture is the
// one of three machines. Linux answers on all of 127.0.0.0/8.
var (
	demoGateway = netip.AddrFrom4([4]byte{127, 0, 0, 1})
	demoOrigins = []netip.Addr{netip.AddrFrom4([4]byte{127, 0, 0, 2}), netip.AddrFrom4([4]byte{127, 0, 0, 3})}
)

// demoPorts are the ports that all three use, and those of the gateway alone that block steps of the ladder.
type demoPorts struct {
	rtsp  uint16
	mms   uint16 // over TCP, and over UDP for resend requests
	http  uint16
	media uint16 // the even one of the pair

	rtspTCP, mmsTCP uint16 // virtual servers that refuse UDP
	closed          uint16 // nobody listens there
}

// The ports to try, first the ones of the books. The others need no privilege and are some way off what people run.
var (
	rtspTries  = []uint16{554, 8554, 9554, 10554, 18554}
	mmsTries   = []uint16{1755, 11755, 12755, 13755}
	httpTries  = []uint16{80, 8080, 9080, 10080, 18080}
	mediaTries = []uint16{5004, 15004, 16004, 17004}

	rtspTCPTries = []uint16{8555, 9555, 10555, 18555}
	mmsTCPTries  = []uint16{11756, 12756, 13756}
	closedTries  = []uint16{8556, 9556, 10556, 18556}
)

// choosePorts takes the first ports that are free on all three addresses, and says why it did not take the usual ones.
func choosePorts(out io.Writer, tcp, both, pair func(netip.AddrPort) error) (p demoPorts, err error) {
	for _, c := range []struct {
		port  *uint16
		out   io.Writer
		what  string
		tries []uint16
		bind  func(netip.AddrPort) error
	}{
		{&p.rtsp, out, "RTSP", rtspTries, tcp},
		{&p.mms, out, "MMS", mmsTries, both},
		{&p.http, out, "HTTP", httpTries, tcp},
		{&p.media, out, "media", mediaTries, pair},
		{&p.rtspTCP, io.Discard, "second RTSP", rtspTCPTries, tcp},
		{&p.mmsTCP, io.Discard, "second MMS", mmsTCPTries, both},
		{&p.closed, io.Discard, "closed", closedTries, tcp},
	} {
		if *c.port, err = firstFree(c.out, c.what, c.tries, c.bind); err != nil {
			return demoPorts{}, err
		}
	}
	return p, nil
}

func firstFree(out io.Writer, what string, tries []uint16, bind func(netip.AddrPort) error) (uint16, error) {
	var why error
	for _, port := range tries {
		err := bindEverywhere(port, bind)
		if err == nil {
			if why != nil {
				fmt.Fprintf(out, "%s port %d is not to be had (%v): using %d\n", what, tries[0], why, port)
			}
			return port, nil
		}
		if errors.Is(err, syscall.EADDRNOTAVAIL) {
			return 0, fmt.Errorf("demo: %w; give this machine the address (macOS: sudo ifconfig lo0 alias 127.0.0.2 up, "+
				"and 127.0.0.3)", err)
		}
		if why == nil {
			why = err
		}
	}
	return 0, fmt.Errorf("demo: no free %s port of %v: %w", what, tries, why)
}

func bindEverywhere(port uint16, bind func(netip.AddrPort) error) error {
	for _, addr := range append([]netip.Addr{demoGateway}, demoOrigins...) {
		if err := bind(netip.AddrPortFrom(addr, port)); err != nil {
			return err
		}
	}
	return nil
}

// canBindTCP reports whether a listener may be had there.
func canBindTCP(at netip.AddrPort) error {
	l, err := net.Listen("tcp", at.String())
	if err != nil {
		return err
	}
	return l.Close()
}

// canBindBoth reports whether a port may be had for TCP and UDP.
func canBindBoth(at netip.AddrPort) error { return errors.Join(canBindTCP(at), canBindUDP(at)) }

// canBindPair reports whether a port and the one above it may be had for UDP.
func canBindPair(at netip.AddrPort) error {
	return errors.Join(canBindUDP(at), canBindUDP(netip.AddrPortFrom(at.Addr(), at.Port()+1)))
}

func canBindUDP(at netip.AddrPort) error {
	c, err := net.ListenPacket("udp", at.String())
	if err != nil {
		return err
	}
	return c.Close()
}
