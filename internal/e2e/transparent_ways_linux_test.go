package e2e

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"mediagate/internal/lab"
)

// TestTransparentResend: resend requests reach the origin from the client's own
// address and port, over RTSP (as reports of RTCP) and MMS, and what is sent
// again comes back the same way: the file is whole in the end.
func TestTransparentResend(t *testing.T) {
	lab.Need(t, "nft", "tshark")
	const name = "long.wmv"
	long := lab.LongSampleASF(t)
	s := newTransparentStage(t, long, []string{name}, "", "--speed", "1") // a player that is held up loses no more than it can ask for
	s.Client.LoseUDP(5004, 50)
	for _, tc := range []struct {
		scheme, filter string
		most           uint64 // packets that may be missing in the end
	}{{"mmsu", "udp port 1755", 0}, {"rtspu", "udp port 5005", 5}} {
		t.Run(tc.scheme, func(t *testing.T) {
			links := []*lab.Capture{lab.StartCapture(t, s.Origins[0], lab.HostLink, tc.filter), lab.StartCapture(t, s.Origins[1], lab.HostLink, tc.filter)}
			output := filepath.Join(t.TempDir(), "out.wmv")
			start := time.Now()
			p := lab.Start(t, lab.Command{Path: lab.Binary(t), Host: s.Client,
				Args: []string{"play", "-o", output, tc.scheme + "://" + s.GatewayClient.String() + "/" + name}})
			if code := p.WaitExit(playLimit); code != 0 {
				t.Fatalf("play ended with code %d\n%s", code, p.Output())
			}
			r := lab.WaitRecord(t, s.gw.Records, recordLimit, since(start))
			judgeSeen(t, r)
			if r.Transport != "udp" || r.ResendRequests < 5 || r.Resent < 5 {
				t.Errorf("record: %+v\n%s", r, p.Output())
			}
			if tc.most == 0 {
				got, err := os.ReadFile(output)
				if err != nil {
					t.Fatal(err)
				}
				if diff := lab.DiffPackets(got, long, 0); diff != "" {
					t.Errorf("%s\n%s", diff, p.Output())
				}
			}
			waitSeen(5, func(p lab.Packet) bool { return p.To.Addr() != s.ClientAddr }, links...)
			asked := 0
			for _, link := range links {
				for _, packet := range link.End() {
					if packet.To.Addr() != s.ClientAddr {
						asked++
						if packet.From.Addr() != s.ClientAddr {
							t.Errorf("a datagram %v -> %v", packet.From, packet.To)
						}
					}
					if tc.scheme == "mmsu" && packet.To.Addr() != s.ClientAddr && packet.From != r.MediaSeenAs {
						t.Errorf("asked from %v, not from %v", packet.From, r.MediaSeenAs)
					}
				}
			}
			if asked < 5 {
				t.Errorf("%d datagrams asked", asked)
			}
		})
	}
}

// TestTransparentBeside: a pool that is transparent and one that is not, in one
// process.
func TestTransparentBeside(t *testing.T) {
	s := &transparentStage{Network: lab.NewNetwork(t)}
	for i, host := range s.Origins {
		s.origins = append(s.origins, lab.StartEmbeddedOrigin(t, s.OriginAddrs[i], host, "--speed", "4", "--log-level", "debug"))
	}
	s.gw = lab.StartConfigured(t, fmt.Sprintf(`log: {level: info, format: console}
virtual_servers:
  - {name: seen, protocol: rtsp, listen: ["%[1]v:554"], pool: seen}
  - {name: plain, protocol: rtsp, listen: ["%[1]v:8554"], pool: plain}
pools:
  - {name: seen, transparent: true, monitor: {interval: 0s}, nodes: [{name: a, address: %[2]v}]}
  - {name: plain, monitor: {interval: 0s}, nodes: [{name: b, address: %[3]v}]}
`, s.GatewayClient, s.OriginAddrs[0], s.OriginAddrs[1]), s.listen(), s.Gateway)
	for port, want := range map[uint16]netip.Addr{554: s.ClientAddr, 8554: s.GatewayInner} {
		for _, scheme := range []string{"rtspu", "rtspt"} {
			start := time.Now()
			url := strings.Replace(lab.URL(netip.AddrPortFrom(s.GatewayClient, port), "sample.wmv"), "rtsp", scheme, 1)
			p := lab.Start(t, lab.Command{Path: lab.Binary(t), Host: s.Client, Args: []string{"play", url}})
			if code := p.WaitExit(playLimit); code != 0 {
				t.Fatalf("%s: play ended with code %d\n%s", url, code, p.Output())
			}
			r := lab.WaitRecord(t, s.gw.Records, recordLimit, since(start))
			if r.SeenAs.Addr() != want || scheme == "rtspu" && r.MediaSeenAs.Addr() != want {
				t.Errorf("%s: seen as %v and %v, want %v", url, r.SeenAs, r.MediaSeenAs, want)
			}
		}
	}
}

// TestTransparentSameLink: a player in the nodes' own network, whom they answer
// past the gateway, and one that they have another way to. Both are served as by
// a pool that is not transparent, and no node is taken for dead.
func TestTransparentSameLink(t *testing.T) {
	s := newTransparentStage(t, lab.SampleASF(t), []string{"sample.wmv"}, "")
	for i, o := range s.Origins { // the client's network is elsewhere for them now
		o.Run("ip", "route", "add", "10.99.1.0/24", "via", s.OriginAddrs[1-i].String())
	}
	for _, player := range []struct {
		host *lab.Host
		addr netip.Addr
	}{{s.Origins[1], s.OriginAddrs[1]}, {s.Client, s.ClientAddr}} {
		for range 2 {
			start := time.Now()
			url := strings.Replace(lab.URL(s.listen(), "sample.wmv"), "rtsp", "rtspu", 1)
			p := lab.Start(t, lab.Command{Path: lab.Binary(t), Host: player.host, Args: []string{"play", url}})
			if code := p.WaitExit(playLimit); code != 0 {
				t.Fatalf("%v: play ended with code %d\n%s", player.addr, code, p.Output())
			}
			r := lab.WaitRecord(t, s.gw.Records, recordLimit, since(start))
			if r.Client.Addr() != player.addr || r.SeenAs.Addr() != s.GatewayInner || len(r.NodesTried) != 1 {
				t.Errorf("record: %+v", r)
			}
		}
	}
	if got := s.gw.Output(); !strings.Contains(got, "the node sees an address of ours") || strings.Contains(got, "node is down") || strings.Contains(got, "cannot be reached") {
		t.Errorf("the log: %s", got)
	}
}

// TestTransparentNAT: a player behind a NAT that keeps ports. The node sees the
// NAT's address with the port that the player asked for. (With one that does not
// FFmpeg gets no media of Windows Media Services, through a pool that is not
// transparent either: nothing of it comes from that port that could be learned.)
func TestTransparentNAT(t *testing.T) {
	lab.Need(t, "nft", "ffmpeg")
	s := newTransparentStage(t, lab.SampleASF(t), []string{"sample.wmv"}, "")
	s.Router.Run("nft", "table ip n {\nchain p {\ntype nat hook postrouting priority 100\noifname gateway0 masquerade\n}\n}")
	outside := netip.MustParseAddr("10.99.3.2")
	start := time.Now()
	p := lab.Play(t, lab.FFmpeg("udp"), lab.URL(s.listen(), "sample.wmv"), s.Client)
	p.WaitFrames(20, 20, playLimit)
	ports := make(map[uint16]bool)
	for _, sock := range s.Client.Sockets() {
		ports[sock.Local.Port()] = true
	}
	p.End()
	r := lab.WaitRecord(t, s.gw.Records, recordLimit, since(start))
	if r.Client.Addr() != outside || r.SeenAs != r.Client || r.MediaSeenAs.Addr() != outside || !ports[r.MediaSeenAs.Port()] || r.Transport != "udp" {
		t.Errorf("record: %+v, the player's ports: %v", r, ports)
	}
}
