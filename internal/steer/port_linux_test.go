package steer_test

import (
	"encoding/binary"
	"net/netip"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"mediagate/internal/steer"
)

// TestOriginalPort: a datagram that was led away tells in its control message where it was sent to, and UDP_GRO merges
// those that were sent back to back.
func TestOriginalPort(t *testing.T) {
	for _, tc := range []struct {
		name          string
		ours, node    netip.Addr
		level, option int
		message       int32
	}{
		{"IPv4", ours, node, unix.SOL_IP, unix.IP_RECVORIGDSTADDR, unix.IP_ORIGDSTADDR},
		{"IPv6", ours6, node6, unix.SOL_IPV6, unix.IPV6_RECVORIGDSTADDR, unix.IPV6_ORIGDSTADDR},
	} {
		t.Run(tc.name, func(t *testing.T) {
			b := newBed(t)
			loop, at := b.bind(tc.ours, 0), port(tc.ours, 20004)
			for _, o := range [][2]int{{tc.level, tc.option}, {unix.SOL_UDP, unix.UDP_GRO}} {
				if err := unix.SetsockoptInt(loop.fd(), o[0], o[1], 1); err != nil {
					t.Fatal(err)
				}
			}
			spec := steer.Spec{Lo: lo, Hi: hi, V4: []int{loop.fd()}}
			if tc.ours.Is6() {
				spec.V4, spec.V6 = nil, spec.V4
			}
			b.hold(b.open(spec), at)
			sender := b.bind(tc.node, 0)
			// Four of 100 bytes in one call (UDP_SEGMENT) cross a loopback in one piece.
			if err := unix.SetsockoptInt(sender.fd(), unix.SOL_UDP, unix.UDP_SEGMENT, 100); err != nil {
				t.Fatal(err)
			}
			sender.send(at, string(make([]byte, 400)))
			if err := loop.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
				t.Fatal(err)
			}
			buf, control := make([]byte, 1000), make([]byte, 200)
			n, cn, _, from, err := loop.ReadMsgUDPAddrPort(buf, control)
			if err != nil {
				t.Fatal(err)
			}
			if n != 400 || from != sender.at() {
				t.Errorf("%d bytes from %s, want 400 from %s", n, from, sender.at())
			}
			if got := destination(t, control[:cn], tc.level, tc.message); got != at.Port() {
				t.Errorf("it was sent to port %d, want %d", got, at.Port())
			}
		})
	}
}

// destination is the port in a control message of a kind.
func destination(t *testing.T, control []byte, level int, kind int32) uint16 {
	t.Helper()
	list, err := unix.ParseSocketControlMessage(control)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range list {
		if m.Header.Level == int32(level) && m.Header.Type == kind && len(m.Data) >= 4 {
			return binary.BigEndian.Uint16(m.Data[2:]) // struct sockaddr_in and sockaddr_in6: family, port
		}
	}
	t.Fatalf("no such message among %d", len(list))
	return 0
}
