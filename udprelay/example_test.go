package udprelay_test

import (
	"context"
	"fmt"
	"net/netip"
	"time"

	"mediagate/udprelay"
)

// A session reserves a flow, promises its ports to both sides, connects it when they have answered, and closes it.
func Example() {
	client, origin := netip.MustParseAddr("127.78.0.1"), netip.MustParseAddr("127.78.0.2")
	relay, err := udprelay.New(udprelay.Config{
		ClientPorts: udprelay.PortRange{Lo: 5004, Hi: 5005}, // one pair for all
		OriginPorts: udprelay.PortRange{Lo: 20000, Hi: 20999},
		Linger:      10 * time.Millisecond,
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer relay.Close()
	if err := relay.Open(client); err != nil { // at start
		fmt.Println(err)
		return
	}
	flow, err := relay.Reserve(udprelay.Spec{ClientLocal: client, OriginLocal: origin})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("to the client:", flow.ClientPair())
	fmt.Println("to the origin:", flow.OriginPair())
	for side, peer := range map[udprelay.Side]udprelay.Peer{
		udprelay.Client: {Addr: netip.MustParseAddr("127.78.0.10"), RTP: 50000, RTCP: 50001},
		udprelay.Origin: {Addr: netip.MustParseAddr("127.78.0.20"), RTP: 5004, RTCP: 5005},
	} {
		if err := flow.Connect(side, peer); err != nil {
			fmt.Println(err)
		}
	}
	flow.AddSSRC(0x1234)         // ssrc= of a Transport field
	flow.SetClockRate(96, 90000) // a=rtpmap
	fmt.Println("in use:", relay.InUse(), "packets:", flow.Stats().ToClient.Packets, "seen:", !flow.LastSeen(udprelay.Origin).IsZero())
	flow.Close()
	<-flow.Done()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	fmt.Println("in use:", relay.InUse(), "error:", relay.Shutdown(ctx), "dropped:", relay.Drops())
	// Output:
	// to the client: {127.78.0.1 5004 5005}
	// to the origin: {127.78.0.2 20000 20001}
	// in use: 1 packets: 0 seen: false
	// in use: 0 error: <nil> dropped: map[]
}

// A session of MMS has one port on each leg, and a third, shared by all, where players ask for lost packets.
func Example_mms() {
	client, origin := netip.MustParseAddr("127.78.0.1"), netip.MustParseAddr("127.78.0.2")
	relay, err := udprelay.New(udprelay.Config{
		ClientPorts: udprelay.PortRange{Lo: 5004, Hi: 5005},
		OriginPorts: udprelay.PortRange{Lo: 20000, Hi: 20999},
		OriginLatch: udprelay.LatchOff, // Data packets come from the port that the origin tells, or not at all
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer relay.Close()
	resend := netip.AddrPortFrom(client, 1755)
	if err := relay.OpenResend(resend); err != nil { // at start
		fmt.Println(err)
		return
	}
	flow, err := relay.Reserve(udprelay.Spec{ClientLocal: client, OriginLocal: origin, Protocol: udprelay.MMS, Resend: resend})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(udprelay.MMS, "from", flow.OriginPair(), "to", flow.ClientPair())
	for side, peer := range map[udprelay.Side]udprelay.Peer{
		udprelay.Client: {Addr: netip.MustParseAddr("127.78.0.10"), RTP: 7000},
		udprelay.Origin: {Addr: netip.MustParseAddr("127.78.0.20"), RTP: 5004},
	} {
		if err := flow.Connect(side, peer); err != nil {
			fmt.Println(err)
		}
	}
	// nCubs as the player got it, as the origin gave it; both are the same until a redirect.
	flow.SetResend(0x1111, 0x2222, netip.MustParseAddrPort("127.78.0.20:1755"))
	flow.CountFrom(4) // playIncarnation of each StartPlaying
	s := flow.Stats()
	fmt.Println("asked:", s.ResendRequests, "resent:", s.Resent)
	flow.Close()
	// Output:
	// mms from {127.78.0.2 20000 0} to {127.78.0.1 5004 0}
	// asked: 0 resent: 0
}

// A Meter also serves media that does not pass a flow, such as interleaved RTP.
func ExampleMeter() {
	var m udprelay.Meter
	m.SetClockRate(96, 1000)
	for _, sequence := range []byte{1, 2, 4} {
		m.Observe([]byte{0x80, 96, 0, sequence, 0, 0, 0, 0, 0, 0, 0, 7}, time.Now())
	}
	s := m.Stats()
	fmt.Println(s.Packets, "packets,", s.Lost, "lost,", s.SSRCs, "source")
	fmt.Println(udprelay.DropNotRTP, udprelay.LatchSameAddress, udprelay.Client)
	// Output:
	// 3 packets, 1 lost, 1 source
	// not-rtp same-address client
}
