package gateway

import (
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/netip"
	"strings"
	"syscall"
	"testing"
	"time"

	"mediagate/balancer"
	"mediagate/internal/config"
	"mediagate/mms"
	"mediagate/rtsp"
)

// buildFile makes a gateway of a file, of which AT stands for the address of its MMS virtual server.
func buildFile(t *testing.T, at, more string) *Gateway {
	t.Helper()
	cfg, err := config.Parse("test.yaml", []byte(strings.ReplaceAll(`
sessions: {log: ""}
virtual_servers:
  - {name: MMS Control, protocol: mms, listen: ["AT"], pool: p`+more+`}
pools:
  - {name: p, monitor: {interval: 100ms, timeout: 50ms}, nodes: [{name: n1, address: 127.0.0.7, ports: {rtsp: 9, mms: 9}}]}
`, "AT", at)))
	if err != nil {
		t.Fatal(err)
	}
	g, err := New(cfg, Options{Version: "v1.2.3 (go)"})
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// freePort is a port of 127.0.0.7 that is free for TCP and UDP.
func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.7:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func TestMMSListens(t *testing.T) {
	for _, tc := range []struct {
		name, more string
		udp        bool
	}{{"with UDP", "", true}, {"without", ", udp: false", false}} {
		t.Run(tc.name, func(t *testing.T) {
			at := freePort(t)
			g := buildFile(t, at, tc.more)
			start(t, g)
			if got := g.Addrs()["MMS Control"]; len(got) != 1 || got[0] != netip.MustParseAddrPort(at) {
				t.Errorf("listens on %v, want %s", got, at)
			}
			for _, port := range []string{at, "127.0.0.7:5004"} {
				l, err := net.ListenPacket("udp", port)
				if err == nil {
					l.Close()
				}
				if errors.Is(err, syscall.EADDRINUSE) != tc.udp {
					t.Errorf("UDP %s: %v, want it bound: %v", port, err, tc.udp)
				}
			}
			if err := g.Close(); err != nil {
				t.Fatal(err)
			}
			l, err := net.ListenPacket("udp", at)
			if err != nil {
				t.Fatalf("the UDP port is not given back: %v", err)
			}
			l.Close()
		})
	}
}

func TestMMSPortTaken(t *testing.T) {
	at := freePort(t)
	taken, err := net.ListenPacket("udp", at)
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	g := buildFile(t, at, "")
	err = g.Run(t.Context())
	for _, want := range []string{"gateway: open UDP port of MMS", "udp: false", at, "another program uses it"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("run: %v, want %q in it", err, want)
		}
	}
	l, err := net.Listen("tcp", at)
	if err != nil {
		t.Fatalf("the TCP port is still held: %v", err)
	}
	l.Close()
}

// The monitor of MMS, and no other, finds the node dead; a player then gets an answer, not silence.
func TestMMSNodeDown(t *testing.T) {
	g := buildFile(t, freePort(t), "")
	start(t, g)
	for deadline := time.Now().Add(10 * time.Second); g.Nodes()["p"][0].Services[mms.Service].Health != balancer.HealthDown; {
		if time.Now().After(deadline) {
			t.Fatalf("node %+v, want it down for mms", g.Nodes()["p"][0])
		}
		time.Sleep(10 * time.Millisecond)
	}
	if h := g.Nodes()["p"][0].Services[rtsp.Service].Health; h != balancer.HealthUnknown {
		t.Errorf("rtsp is %v: nobody speaks it, so nobody should have asked", h)
	}
	conn, r := dial(t, g)
	if _, err := conn.Write(connectMessage()); err != nil {
		t.Fatal(err)
	}
	head := make([]byte, 40)
	if _, err := io.ReadFull(r, head); err != nil {
		t.Fatalf("no answer: %v", err)
	}
	// [MS-MMSP] 2.2.4.2: LinkMacToViewerReportConnectedEX, with an HRESULT that is an error.
	if mid := binary.LittleEndian.Uint32(head[36:]); mid != 0x00040001 {
		t.Errorf("answer %#08x", mid)
	}
}

// connectMessage is a LinkViewerToMacConnect in a packet of its own ([MS-MMSP] 2.2.3, 2.2.4.17).
func connectMessage() []byte {
	var name []byte
	for _, c := range "NSPlayer/9.0.0.2980; {3300AD50-2C39-46C0-AE0A-AABBCCDDEEFF}; Host: gw.test\x00" {
		name = binary.LittleEndian.AppendUint16(name, uint16(c))
	}
	body := binary.LittleEndian.AppendUint32(nil, 0xf0f0f0f0) // playIncarnation
	body = binary.LittleEndian.AppendUint32(body, 0x0004000b) // MacToViewerProtocolRevision
	body = binary.LittleEndian.AppendUint32(body, 0x0003001c) // ViewerToMacProtocolRevision
	body = append(body, name...)
	for (len(body)+8)%8 != 0 {
		body = append(body, 0)
	}
	chunks := uint32(len(body)+8) / 8
	b := []byte{1, 0, 0, 0}
	b = binary.LittleEndian.AppendUint32(b, 0xb00bface)
	b = binary.LittleEndian.AppendUint32(b, chunks*8+16)
	b = append(b, "MMS "...)
	b = binary.LittleEndian.AppendUint32(b, chunks+2)
	b = append(b, make([]byte, 12)...) // seq, MBZ, timeSent
	b = binary.LittleEndian.AppendUint32(b, chunks)
	b = binary.LittleEndian.AppendUint32(b, 0x00030001)
	return append(b, body...)
}
