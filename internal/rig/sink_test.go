//go:build linux

package main

import (
	"encoding/binary"
	"net/netip"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"mediagate/internal/lab"
)

// sinkSSRC is the SSRC of flow 0: one with which the sum of a later flow's runs over.
const sinkSSRC = 0xfffffffe

// ethernet is a UDP packet as it comes to the client's interface.
func ethernet(to netip.Addr, payload []byte) []byte {
	b := make([]byte, packetIP+copiedRTP, packetIP+copiedRTP+len(payload))
	binary.BigEndian.PutUint16(b[12:], unix.ETH_P_IP)
	ip := b[packetIP:]
	ip[0], ip[8], ip[ipProtocol] = ipPlain, 64, unix.IPPROTO_UDP
	binary.BigEndian.PutUint16(ip[2:], uint16(copiedRTP+len(payload)))
	addr := to.As4()
	copy(ip[ipDestination:], addr[:])
	binary.BigEndian.PutUint16(ip[copiedUDP+4:], uint16(8+len(payload)))
	return append(b, payload...)
}

// media is what the generator sends: packet n of a flow.
func media(flow, n uint32, sent int64) []byte {
	g := &generator{ssrc: sinkSSRC, next: make([]uint32, flow+1), to: make([]unix.RawSockaddrInet4, flow+1)}
	g.next[flow], g.bytes[0] = n, make([]byte, 100)
	g.fill(0, int(flow), sent)
	return g.bytes[0]
}

// testSink is a sink of four flows that is attached to nothing.
func testSink(t *testing.T) *sink {
	t.Helper()
	lab.NeedRoot(t)
	s, err := loadSink(4, sinkSSRC)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.close)
	return s
}

// pass has the kernel run the sink's program on a packet.
func pass(t *testing.T, s *sink, packet []byte) uint32 {
	t.Helper()
	verdict, _, err := s.program.Test(packet)
	if err != nil {
		t.Fatal(err)
	}
	return verdict
}

func readSink(t *testing.T, s *sink) counts {
	t.Helper()
	c, err := s.read()
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// TestSinkCounts: what is of this run is counted and dropped, what else is for a viewer is dropped, the rest goes on.
func TestSinkCounts(t *testing.T) {
	s := testSink(t)
	to := viewer(3).Addr()
	channel := append([]byte{firstChannel >> 8, 0, 0, 100}, media(2, 9, 0)...)
	changed := func(at int, v byte) []byte {
		b := ethernet(clientAddr, media(0, 9, 0))
		b[at] = v
		return b
	}
	for _, tc := range []struct {
		name    string
		packet  []byte
		counted uint64
		verdict uint32
	}{
		{"first flow", ethernet(to, media(0, 9, 0)), 1, sinkDrop},
		{"last flow", ethernet(to, media(3, 9, 0)), 1, sinkDrop},
		{"to no viewer", ethernet(clientAddr, media(1, 9, 0)), 1, sinkDrop},
		{"ChannelData", ethernet(clientAddr, channel), 1, sinkDrop},
		{"prime", ethernet(clientAddr, media(1, primes-1, 0)), 0, sinkDrop},
		{"no more than the header", ethernet(clientAddr, media(1, 9, 0)[:headerSize+channelHeader]), 1, sinkDrop},
		{"foreign SSRC", ethernet(clientAddr, media(4, 9, 0)), 0, sinkPass},
		{"foreign SSRC to a viewer", ethernet(to, media(4, 9, 0)), 0, sinkDrop},
		{"short", ethernet(clientAddr, []byte("hello")), 0, sinkPass},
		{"short to a viewer", ethernet(to, []byte("hello")), 0, sinkDrop},
		{"beside the viewers", ethernet(netip.MustParseAddr("10.97.0.1"), []byte("hello")), 0, sinkPass},
		{"another payload type", changed(packetIP+copiedRTP+1, 96), 0, sinkPass},
		{"TCP", changed(packetIP+ipProtocol, unix.IPPROTO_TCP), 0, sinkPass},
		{"options", changed(packetIP, 4<<4|6), 0, sinkPass},
		{"IPv6", changed(packetIP, 6<<4), 0, sinkPass},
	} {
		t.Run(tc.name, func(t *testing.T) {
			before := readSink(t, s).got
			verdict := pass(t, s, tc.packet)
			if counted := readSink(t, s).got - before; counted != tc.counted || verdict != tc.verdict {
				t.Errorf("counted %d, verdict %d; want %d and %d", counted, verdict, tc.counted, tc.verdict)
			}
		})
	}
}

// TestSinkOrder: a packet is out of order if a later one of its own flow has come, with ChannelData or without.
func TestSinkOrder(t *testing.T) {
	s := testSink(t)
	to := viewer(0).Addr()
	for i, n := range []uint32{3, 5, 4, 6, 6, 7} { // what came twice is one
		payload := media(1, n, 0)
		if i%2 == 1 {
			payload = append([]byte{firstChannel >> 8, 0, 0, 100}, payload...)
		}
		pass(t, s, ethernet(to, payload))
		pass(t, s, ethernet(to, media(3, 10+uint32(i), 0)))
	}
	if c := readSink(t, s); c.order != 2 || c.got != 12 {
		t.Errorf("%d of %d out of order, want 2 of 12", c.order, c.got)
	}
}

// TestSinkDelay: a delay is counted in the step that it lies in.
func TestSinkDelay(t *testing.T) {
	const last = histogramSteps - 1
	for _, ago := range []time.Duration{-time.Hour, 0, 5 * time.Millisecond, 100 * time.Millisecond, time.Hour} {
		s := testSink(t)
		sent := now() - int64(ago)
		pass(t, s, ethernet(viewer(0).Addr(), media(0, 9, sent)))
		after := now()
		least, most := max(0, int64(ago)>>histogramShift), max(0, (after-sent)>>histogramShift)
		c := readSink(t, s)
		var in uint64
		for i := min(least, last); i <= min(most, last); i++ {
			in += c.delay[i]
		}
		if c.got != 1 || in != 1 {
			t.Errorf("sent %v ago: %d of %d between steps %d and %d, it is %v", ago, in, c.got, least, most, c.delay.quantile(0.5))
		}
	}
}

// TestSinkAttach: in the client's namespace the sink sees what another host sends, cut from a train too, and leaves with
// its link.
func TestSinkAttach(t *testing.T) {
	lab.NeedRoot(t)
	lab.NeedLinux(t, 6, 6) // TCX
	lab.Need(t, "ip", "ethtool")
	b, err := newBed(t.Context(), receiveThread)
	if err != nil {
		t.Fatal(err)
	}
	defer b.close()
	s, err := newSink(load{Flows: 4}, sinkSSRC)
	if err != nil {
		t.Fatal(err)
	}
	defer s.close()
	begun := now()
	sendTrain(t, media(0, 9, now()), media(0, 10, now()), media(1, 9, now()))
	if !lab.Eventually(15*time.Second, func() bool { return readSink(t, s).got == 3 }) {
		t.Errorf("%d packets counted, want 3", readSink(t, s).got)
	}
	if err := s.link.Close(); err != nil {
		t.Fatal(err)
	}
	sendTrain(t, media(0, 11, now()))
	if c := readSink(t, s); c.got != 3 || c.order != 0 || c.delay.quantile(0.99) > time.Duration(now()-begun) {
		t.Errorf("%d packets counted after the sink had gone, %d out of order, p99 %v", c.got, c.order, c.delay.quantile(0.99))
	}
}

// sendTrain sends packets of one length from the gateway to a viewer in one call (UDP_SEGMENT).
func sendTrain(t *testing.T, packets ...[]byte) {
	t.Helper()
	a, err := newAsker(gatewayHost, netip.AddrPort{}, viewer(0))
	if err != nil {
		t.Fatal(err)
	}
	defer a.close()
	if err := unix.SetsockoptInt(a.fd, unix.SOL_UDP, unix.UDP_SEGMENT, len(packets[0])); err != nil {
		t.Fatal(err)
	}
	var train []byte
	for _, p := range packets {
		train = append(train, p...)
	}
	if _, err := unix.Write(a.fd, train); err != nil {
		t.Fatal(err)
	}
}
