package capture_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/netip"
	"syscall"
	"testing"
	"time"

	"mediagate/internal/capture"
	"mediagate/udprelay"
)

// BenchmarkRelay is a packet through a relay on loopback, origin's send to client's receive, over the flows in turn: with
// nobody looking on, with the flight recorder, and with one of the sessions captured too.
func BenchmarkRelay(b *testing.B) {
	for _, n := range []int{1, 1000} {
		for _, mode := range []string{"off", "flight", "captured"} {
			b.Run(fmt.Sprintf("flows=%d/%s", n, mode), func(b *testing.B) { benchRelay(b, n, mode) })
		}
	}
}

func benchRelay(b *testing.B, n int, mode string) {
	player, ours, origin := netip.MustParseAddr("127.0.0.200"), netip.MustParseAddr("127.0.0.201"), netip.MustParseAddr("127.0.0.202")
	relay, err := udprelay.New(udprelay.Config{
		ClientPorts: udprelay.PortRange{Lo: 5004, Hi: 5005}, OriginPorts: udprelay.PortRange{Lo: 20000, Hi: 25999}, Linger: -1,
	})
	if err != nil {
		b.Fatal(err)
	}
	defer relay.Close()
	book := capture.New(capture.Config{Flight: capture.Flight{Memory: 64 << 10}})
	defer book.Close()
	client, sender := listen(b, netip.AddrPortFrom(player, 30000)), listen(b, netip.AddrPortFrom(origin, 40000))
	to := make([]netip.AddrPort, n)
	for i := range to {
		spec := udprelay.Spec{ClientLocal: ours, OriginLocal: ours}
		if mode != "off" {
			spec.Tap = book.Begin(capture.About{ID: fmt.Sprint(i)}).Media()
		}
		f, err := relay.Reserve(spec)
		if err != nil {
			b.Fatal(err)
		}
		for side, p := range map[udprelay.Side]udprelay.Peer{
			udprelay.Client: {Addr: player, RTP: 30000, RTCP: 30001}, udprelay.Origin: {Addr: origin, RTP: 40000, RTCP: 40001},
		} {
			if err := f.Connect(side, p); err != nil {
				b.Fatal(err)
			}
		}
		to[i] = netip.AddrPortFrom(f.OriginPair().Addr, f.OriginPair().RTP)
	}
	if mode == "captured" {
		ctx, cancel := context.WithCancel(b.Context())
		ended := make(chan error, 1)
		go func() { ended <- book.Capture(ctx, "0", capture.Options{Bytes: 1 << 40, Packets: 1 << 40}, io.Discard) }()
		defer func() { cancel(); <-ended }()
	}
	in, out := make([]byte, 1316), make([]byte, 2000)
	in[0], in[1], in[11] = 0x80, 96, 1
	b.SetBytes(int64(len(in)))
	before := spent(b)
	for i := 0; b.Loop(); i++ {
		in[2], in[3] = byte(i/n>>8), byte(i/n)
		if _, err := sender.WriteToUDPAddrPort(in, to[i%n]); err != nil {
			b.Fatal(err)
		}
		if _, _, err := client.ReadFromUDPAddrPort(out); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(spent(b)-before)/float64(b.N), "cpu-ns/op")
}

// spent is the processor time that this process has used.
func spent(b *testing.B) time.Duration {
	b.Helper()
	var use syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &use); err != nil {
		b.Fatal(err)
	}
	return time.Duration(use.Utime.Nano() + use.Stime.Nano())
}

func listen(b *testing.B, at netip.AddrPort) *net.UDPConn {
	b.Helper()
	c, err := net.ListenUDP("udp4", net.UDPAddrFromAddrPort(at))
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = c.Close() })
	return c
}
