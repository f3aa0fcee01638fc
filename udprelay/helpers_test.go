package udprelay

import (
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"
	"os"
	"sync/atomic"
	"testing"
	"time"

	"mediagate/internal/lab"
)

func TestMain(m *testing.M) { os.Exit(lab.Quiet(m)) }

const patience = 20 * time.Second // for what loopback does in microseconds, and a busy machine some seconds later

// hosts are loopback addresses of one test's own, so that tests do not meet at a port.
type hosts struct{ toClient, toOrigin, client, origin, node2, attacker netip.Addr }

var lastNet atomic.Uint32

func newHosts() hosts {
	n := byte(lastNet.Add(1))
	at := func(host byte) netip.Addr { return netip.AddrFrom4([4]byte{127, 77, n, host}) }
	return hosts{toClient: at(1), toOrigin: at(2), client: at(10), origin: at(20), node2: at(21), attacker: at(66)}
}

func (h hosts) spec() Spec { return Spec{ClientLocal: h.toClient, OriginLocal: h.toOrigin} }

func newRelay(t testing.TB, cfg Config) *Relay {
	t.Helper()
	if name := os.Getenv("MEDIAGATE_ENGINE"); name != "" && cfg.Engine == EngineAuto {
		var err error
		if cfg.Engine, err = ParseEngine(name); err != nil {
			t.Fatal(err)
		}
	}
	if cfg.ClientPorts == (PortRange{}) {
		cfg.ClientPorts = PortRange{20000, 20099}
	}
	if cfg.OriginPorts == (PortRange{}) {
		cfg.OriginPorts = PortRange{21000, 21099}
	}
	r, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
		if n := r.InUse(); n != 0 {
			t.Errorf("%d flows in use after Close", n)
		}
	})
	return r
}

func reserve(t testing.TB, r *Relay, spec Spec) *Flow {
	t.Helper()
	f, err := r.Reserve(spec)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func connect(t testing.TB, f *Flow, side Side, p Peer) {
	t.Helper()
	if err := f.Connect(side, p); err != nil {
		t.Fatal(err)
	}
}

// end is a socket of a client, an origin or an attacker.
type end struct {
	t testing.TB
	*net.UDPConn
}

func newEnd(t testing.TB, addr netip.Addr, port uint16) *end {
	t.Helper()
	c, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(netip.AddrPortFrom(addr, port)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return &end{t, c}
}

func (e *end) addr() netip.AddrPort {
	a := e.LocalAddr().(*net.UDPAddr).AddrPort()
	return netip.AddrPortFrom(a.Addr().Unmap(), a.Port())
}

func (e *end) send(to netip.AddrPort, b []byte) {
	e.t.Helper()
	if _, err := e.WriteToUDPAddrPort(b, to); err != nil {
		e.t.Fatal(err)
	}
}

// want receives exactly b, from an address.
func (e *end) want(from netip.AddrPort, b []byte) {
	e.t.Helper()
	got := make([]byte, 1<<16)
	if err := e.SetReadDeadline(time.Now().Add(patience)); err != nil {
		e.t.Fatal(err)
	}
	n, at, err := e.ReadFromUDPAddrPort(got)
	if err != nil {
		e.t.Fatalf("%v waits for %d bytes from %v: %v", e.addr(), len(b), from, err)
	}
	if at = netip.AddrPortFrom(at.Addr().Unmap(), at.Port()); at != from || string(got[:n]) != string(b) {
		e.t.Fatalf("%v got % x from %v, want % x from %v", e.addr(), got[:min(n, 40)], at, b[:min(len(b), 40)], from)
	}
}

func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("never came true: " + what)
		}
	}
}

// wantDrops waits until a flow has dropped n datagrams for a reason.
func wantDrops(t testing.TB, f *Flow, r DropReason, n uint64) {
	t.Helper()
	eventually(t, fmt.Sprintf("%d drops for %v", n, r), func() bool { return f.Stats().Drops[r] == n })
}

func rtpPort(p PortPair) netip.AddrPort  { return netip.AddrPortFrom(p.Addr, p.RTP) }
func rtcpPort(p PortPair) netip.AddrPort { return netip.AddrPortFrom(p.Addr, p.RTCP) }

// packet is an RTP packet with a payload.
func packet(ssrc uint32, seq uint16) []byte {
	b := make([]byte, 200)
	b[0], b[1] = 0x80, 96
	binary.BigEndian.PutUint16(b[2:], seq)
	binary.BigEndian.PutUint32(b[4:], uint32(seq)*3000)
	binary.BigEndian.PutUint32(b[8:], ssrc)
	return b
}

// bare is what ffmpeg sends to open a NAT: an RTP header alone.
func bare() []byte { return packet(0, 0)[:rtpHeader] }

// emptyReport is ffmpeg's RTCP counterpart.
func emptyReport() []byte { return []byte{0x80, 0xc9, 0, 1, 0, 0, 0, 0} }

// report is a receiver report with one block.
func report(sender, media, lost uint32, fraction byte) []byte {
	b := make([]byte, 32)
	b[0], b[1], b[3] = 0x81, rtcpRR, 7
	binary.BigEndian.PutUint32(b[4:], sender)
	binary.BigEndian.PutUint32(b[8:], media)
	binary.BigEndian.PutUint32(b[12:], lost&0xffffff|uint32(fraction)<<24)
	return b
}

// nack is the resend request of a Windows Media client: a generic NACK with the E bit and a CNAME with the SSRC.
func nack(cname string) []byte {
	b := []byte{0x80 | 0x10 | fmtNACK, rtcpRTPFB, 0, 3, 0, 0, 0, 9, 0, 0, 0, 8, 0x12, 0x34, 0, 0}
	chunk := append([]byte{0, 0, 0, 9, sdesCNAME, byte(len(cname))}, cname...)
	chunk = append(chunk, make([]byte, 4-len(chunk)%4)...)
	b = append(b, 0x81, rtcpSDES, 0, byte(len(chunk)/4))
	return append(b, chunk...)
}

func wmsCNAME(ssrc uint32) string {
	return fmt.Sprintf("%d@WMS:7ff42e07-3c7c-4eb5-9c17-6bdd11ad90de", ssrc)
}
