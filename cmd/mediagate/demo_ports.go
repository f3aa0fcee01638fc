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

// demoPorts are the ports that all three use.
type demoPorts struct {
	rtsp  uint16
	mms   uint16 // over TCP, and over UDP for resend requests
	media uint16 // the even one of the pair
}

// The ports to try, first the ones of the books. The others need no privilege and are some way off what people run.
var (
	rtspTries  = []uint16{554, 8554, 9554, 10554, 18554}
	mmsTries   = []uint16{1755, 11755, 12755, 13755}
	mediaTries = []uint16{5004, 15004, 16004, 17004}
)

// choosePorts takes the first ports that are free on all three addresses, and says why it did not take the usual ones.
func choosePorts(out io.Writer, tcp, both, pair func(netip.AddrPort) error) (p demoPorts, err error) {
	if p.rtsp, err = firstFree(out, "RTSP", rtspTries, tcp); err != nil {
		return demoPorts{}, err
	}
	if p.mms, err = firstFree(out, "MMS", mmsTries, both); err != nil {
		return demoPorts{}, err
	}
	p.media, err = firstFree(out, "media", mediaTries, pair)
	return p, err
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
