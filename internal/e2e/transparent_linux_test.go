package e2e

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"mediagate/internal/lab"
)

// transparentStage is the network of the recipe with the program in it.
type transparentStage struct {
	*lab.Network
	origins []*lab.EmbeddedOrigin
	gw      *lab.Gateway
}

// newTransparentStage starts two origins in each family and the gateway in
// front of them, which has a pool of each family. flags are the origins'.
func newTransparentStage(t *testing.T, media []byte, names []string, more string, flags ...string) *transparentStage {
	t.Helper()
	s := &transparentStage{Network: lab.NewNetwork(t)}
	flags = append([]string{"--speed", "2", "--dir", mediaFolder(t, media, names...), "--log-level", "debug"}, flags...)
	for i, host := range s.Origins {
		for _, addr := range []netip.Addr{s.OriginAddrs[i], s.OriginAddrs6[i]} {
			s.origins = append(s.origins, lab.StartEmbeddedOrigin(t, addr, host, flags...))
		}
	}
	s.gw = lab.StartConfigured(t, s.yaml()+more, s.listen(), s.Gateway)
	return s
}

// yaml has no monitor: what the origins see is the players' doing alone.
func (s *transparentStage) yaml() string {
	var b strings.Builder
	b.WriteString("log: {level: info, format: console}\nvirtual_servers:\n")
	for _, v := range []struct {
		pool string
		at   netip.Addr
	}{{"four", s.GatewayClient}, {"six", s.GatewayClient6}} {
		for _, p := range []string{"rtsp", "mms", "http"} {
			fmt.Fprintf(&b, "  - {name: %s %s, protocol: %s, listen: [%q], pool: %s}\n", p, v.pool, p,
				netip.AddrPortFrom(v.at, lab.UsualPort(p)), v.pool)
		}
	}
	b.WriteString("pools:\n")
	for pool, nodes := range map[string][2]netip.Addr{"four": s.OriginAddrs, "six": s.OriginAddrs6} {
		fmt.Fprintf(&b, "  - {name: %s, transparent: true, policy: round-robin, monitor: {interval: 0s}, nodes: [{name: a, address: %q}, {name: b, address: %q}]}\n",
			pool, nodes[0], nodes[1])
	}
	return b.String()
}

// clientsSeen are the addresses that the origins' logs name.
func (s *transparentStage) clientsSeen() map[netip.Addr]int {
	seen := make(map[netip.Addr]int)
	for _, o := range s.origins {
		for line := range strings.Lines(o.Output()) {
			_, rest, ok := strings.Cut(line, `"client": "`)
			text, _, _ := strings.Cut(rest, `"`)
			if at, err := netip.ParseAddrPort(text); ok && err == nil {
				seen[at.Addr()]++
			}
		}
	}
	return seen
}

// borrowed are the UDP sockets of the gateway at the client's address, and own
// the client's own: while a player plays over UDP they are the same.
func (s *transparentStage) borrowed() (borrowed, own []netip.AddrPort) {
	for _, sock := range s.Gateway.Sockets() {
		if a := sock.Local.Addr(); sock.Network == "udp" && (a == s.ClientAddr || a == s.ClientAddr6) {
			borrowed = append(borrowed, sock.Local)
		}
	}
	for _, sock := range s.Client.Sockets() {
		if sock.Network == "udp" {
			own = append(own, sock.Local)
		}
	}
	return borrowed, own
}

// judgeBorrowed: what the gateway has bound at the client's address has a port
// of the player's own sockets. (GStreamer sets up twice; what it gave up
// lingers.)
func (s *transparentStage) judgeBorrowed(t *testing.T, who string) {
	t.Helper()
	borrowed, own := s.borrowed()
	if !slices.ContainsFunc(borrowed, func(b netip.AddrPort) bool {
		return slices.ContainsFunc(own, func(o netip.AddrPort) bool { return o.Port() == b.Port() })
	}) {
		t.Errorf("%s: the gateway has bound %v, the player %v", who, borrowed, own)
	}
}

// TestTransparent: real players over every protocol, both families. The origins
// know nobody but the client, and every datagram they send goes to its own port.
func TestTransparent(t *testing.T) {
	lab.Need(t, "ffmpeg", "gst-launch-1.0", "vlc", "tshark", "nft", "curl")
	sample := lab.SampleASF(t)
	kinds := []lab.MMSKind{lab.VLC("mmsu"), lab.VLC("mmst"), lab.FFmpegMMS(), lab.FFmpegMMSH(), lab.VLCHTTP("mmsh")}
	s := newTransparentStage(t, sample, append(filesOf(kinds), "sample.wmv"), "admin: {listen: \"127.0.0.1:9554\"}\n", "--speed", "1")
	links := []*lab.Capture{lab.StartCapture(t, s.Origins[0], lab.HostLink, "udp"), lab.StartCapture(t, s.Origins[1], lab.HostLink, "udp")}
	for _, at := range []netip.Addr{s.GatewayClient, s.GatewayClient6} {
		for _, kind := range []lab.PlayerKind{lab.FFmpeg("udp"), lab.FFmpeg("tcp"), lab.GStreamerASF("udp"), lab.GStreamerASF("tcp")} {
			t.Run(fmt.Sprint(kind.Name, " ", at), func(t *testing.T) { s.playRTSP(t, kind, at) })
		}
		t.Run(fmt.Sprint("others ", at), func(t *testing.T) { s.playOthers(t, kinds, at, sample) })
	}
	seen := s.clientsSeen()
	if seen[s.ClientAddr] < 5 || seen[s.ClientAddr6] < 5 || len(seen) != 2 {
		t.Errorf("the origins saw %v, want the client alone", seen)
	}
	s.judgeLed(t)
	s.judgeLinks(t, links)
	s.CheckForwardsNothing(t)
	if rules := s.Gateway.Run("nft", "list", "ruleset"); strings.Contains(rules, "type nat") || strings.Contains(rules, "refused_media packets 1") {
		t.Errorf("rules: %s", rules)
	}
}

// judgeLed: what the origins sent to clients came by the one socket that each loop has for all flows.
func (s *transparentStage) judgeLed(t *testing.T) {
	t.Helper()
	if lab.Engine() == "plain" {
		return // it has a socket for each flow
	}
	var came, led uint64
	for _, r := range lab.Records(t, s.gw.Records) {
		if r.Transport == "udp" {
			came += r.FromOrigin.Packets
		}
	}
	lab.Eventually(recordLimit, func() bool { // a loop counts its packets when each is its flow's already
		page := s.Gateway.Run("curl", "--silent", "http://127.0.0.1:9554/metrics")
		if _, rest, ok := strings.Cut(page, "\nmediagate_relay_steered_packets_total "); ok {
			_, _ = fmt.Sscan(rest, &led)
		}
		return led >= came
	})
	if came < 100 || led < came {
		t.Errorf("%d datagrams came from the origins, %d of them were led to the loops", came, led)
	}
}

// playRTSP plays for a while and looks at the record.
func (s *transparentStage) playRTSP(t *testing.T, kind lab.PlayerKind, at netip.Addr) {
	start := time.Now()
	p := lab.Play(t, kind, lab.URL(netip.AddrPortFrom(at, 554), "sample.wmv"), s.Client)
	p.WaitFrames(20, 20, playLimit)
	if kind.Transport == "udp" {
		s.judgeBorrowed(t, kind.Name)
	}
	p.End()
	r := lab.WaitRecord(t, s.gw.Records, recordLimit, since(start))
	if r.Transport != kind.Transport || r.FromOrigin.Packets == 0 {
		t.Errorf("record: %+v", r)
	}
	judgeSeen(t, r)
}

// judgeSeen: the record says that the node saw the player's own address and
// port.
func judgeSeen(t *testing.T, r lab.Record) {
	t.Helper()
	if r.SeenAs.Addr() != r.Client.Addr() || r.Transport != "http" && r.SeenAs != r.Client {
		t.Errorf("seen as %v, not %v", r.SeenAs, r.Client)
	}
	if (r.Transport == "udp") != (r.MediaSeenAs.IsValid() && r.MediaSeenAs.Addr() == r.Client.Addr()) {
		t.Errorf("media of %q seen as %v", r.Transport, r.MediaSeenAs)
	}
}

// playOthers plays by several players at once to the end and compares with the
// file.
func (s *transparentStage) playOthers(t *testing.T, kinds []lab.MMSKind, at netip.Addr, sample []byte) {
	host := at.String()
	if at.Is6() {
		host = "[" + host + "]"
	}
	start := time.Now()
	var plays []*lab.MMSPlay
	for _, kind := range kinds {
		p := lab.PlayMMS(t, kind, "mms://"+host+"/"+fileOf(kind), s.Client)
		if kind.Transport == "udp" {
			if !lab.Eventually(playLimit, func() bool { return len(p.Written()) > 0 }) {
				t.Fatalf("%s does not begin\n%s", kind.Name, p.Output())
			}
			s.judgeBorrowed(t, kind.Name)
		}
		plays = append(plays, p)
	}
	for _, p := range plays {
		t.Run(p.Kind.Name, func(t *testing.T) {
			playsWhole(t, p, sample)
			r := lab.WaitRecord(t, s.gw.Records, recordLimit, func(r lab.Record) bool { return since(start)(r) && asked(fileOf(p.Kind))(r) })
			if r.Transport != p.Kind.Transport {
				t.Errorf("record: %+v", r)
			}
			judgeSeen(t, r)
		})
	}
}

// judgeLinks looks at every datagram of IPv4 on the origins' links: between an
// origin and the client, media from port 5004 or 5005.
func (s *transparentStage) judgeLinks(t *testing.T, links []*lab.Capture) {
	t.Helper()
	waitSeen(1, func(p lab.Packet) bool { return p.From.Addr() == s.ClientAddr }, links...)
	waitSeen(100, func(p lab.Packet) bool { return p.To.Addr() == s.ClientAddr }, links...)
	media, reports := 0, 0
	for _, link := range links {
		for _, p := range link.End() {
			switch {
			case p.To.Addr() == s.ClientAddr && (p.From.Port() == 5004 || p.From.Port() == 5005):
				media++
			case p.From.Addr() == s.ClientAddr:
				reports++
			default:
				t.Errorf("a datagram %v -> %v on an origin's link", p.From, p.To)
			}
		}
	}
	if media < 100 || reports == 0 {
		t.Errorf("%d datagrams to the client and %d from it", media, reports)
	}
}

// listen is where the gateway is waited for.
func (s *transparentStage) listen() netip.AddrPort { return netip.AddrPortFrom(s.GatewayClient, 554) }
