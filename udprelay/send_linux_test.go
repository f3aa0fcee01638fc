package udprelay

import (
	"net"
	"net/netip"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestICMP: nobody listens at the client's port. The answers are counted for that flow alone, the flow beside it on the same socket
// loses nothing, and what is sent after is sent.
func TestICMP(t *testing.T) {
	for mode, ports := range modes() {
		t.Run(mode, func(t *testing.T) {
			h := newHosts()
			r := newRelay(t, Config{Engine: EngineFast, ClientPorts: ports, Linger: -1})
			origin, client := newEnd(t, h.origin, 0), newEnd(t, h.client, 31000)
			var flows [2]*Flow
			for i, port := range []uint16{30998, 31000} {
				flows[i] = reserve(t, r, h.spec())
				connect(t, flows[i], Client, Peer{Addr: h.client, RTP: port, RTCP: port + 1})
				connect(t, flows[i], Origin, Peer{Addr: h.origin, RTP: origin.addr().Port(), RTCP: origin.addr().Port() + 1})
			}
			const n = 20
			for i := range uint16(n) {
				origin.send(rtpPort(flows[0].OriginPair()), packet(1, i))
				origin.send(rtpPort(flows[1].OriginPair()), packet(2, i))
				client.want(rtpPort(flows[1].ClientPair()), packet(2, i))
			}
			eventually(t, "the answers are counted", func() bool { return flows[0].Stats().ClientICMP.PortUnreachable > 0 })
			eventually(t, "all is sent", func() bool {
				return flows[0].Stats().ToClient.Packets == n && flows[1].Stats().ToClient.Packets == n
			})
			gone, there := flows[0].Stats(), flows[1].Stats()
			if there.ClientICMP != (ICMP{}) || len(there.Drops) != 0 || there.ToClient.Packets != n {
				t.Errorf("the flow beside it: %+v", there)
			}
			if gone.ClientICMP.Other != 0 || len(gone.Drops) != 0 {
				t.Errorf("the flow without a listener: %+v", gone)
			}
		})
	}
}

// TestDSCP: the class of what came is kept, ECN is not, and another can be set; of either family, of trains too.
func TestDSCP(t *testing.T) {
	for family, h := range map[string]hosts{"IPv4": newHosts(), "IPv6": hosts6()} {
		for name, tt := range map[string]struct {
			marking Marking
			engine  EngineChoice
			want    int
		}{
			"kept":       {Marking{}, EngineFast, 46 << 2},
			"set":        {Marking{Set: true, DSCP: 34}, EngineFast, 34 << 2},
			"set to 0":   {Marking{Set: true}, EngineFast, 0},
			"set, plain": {Marking{Set: true, DSCP: 34}, EnginePlain, 34 << 2},
		} {
			t.Run(family+", "+name, func(t *testing.T) {
				r := newRelay(t, Config{Engine: tt.engine, Marking: tt.marking, Linger: -1})
				f, origin, client := reserve(t, r, h.spec()), newEnd(t, h.origin, 0), newEnd(t, h.client, 0)
				connect(t, f, Client, Peer{Addr: h.client, RTP: client.addr().Port()})
				connect(t, f, Origin, Peer{Addr: h.origin, RTP: origin.addr().Port()})
				setInt(t, origin.UDPConn, h.origin, unix.IP_TOS, unix.IPV6_TCLASS, 46<<2|1)
				setInt(t, client.UDPConn, h.client, unix.IP_RECVTOS, unix.IPV6_RECVTCLASS, 1)
				for range 2 {
					train := append(packet(7, 1), packet(7, 2)...)
					origin.sendTrain(rtpPort(f.OriginPair()), 200, train)
					if got := class(t, client.UDPConn); got != tt.want {
						t.Errorf("class %#x, want %#x", got, tt.want)
					}
				}
			})
		}
	}
}

// setInt sets an option of the socket's family.
func setInt(t *testing.T, c *net.UDPConn, local netip.Addr, four, six, value int) {
	t.Helper()
	raw, err := c.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	level, option := unix.SOL_IP, four
	if local.Is6() {
		level, option = unix.SOL_IPV6, six
	}
	var failed error
	if err := raw.Control(func(fd uintptr) { failed = unix.SetsockoptInt(int(fd), level, option, value) }); err != nil || failed != nil {
		t.Fatal(err, failed)
	}
}

// class is the second byte of the IP header of the next datagram.
func class(t *testing.T, c *net.UDPConn) int {
	t.Helper()
	if err := c.SetReadDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	b, control := make([]byte, 2048), make([]byte, 256)
	_, n, _, _, err := c.ReadMsgUDPAddrPort(b, control)
	if err != nil {
		t.Fatal(err)
	}
	all, err := syscall.ParseSocketControlMessage(control[:n])
	if err != nil || len(all) != 1 || len(all[0].Data) < 1 {
		t.Fatalf("%d control messages, %v", len(all), err)
	}
	return int(all[0].Data[0])
}
