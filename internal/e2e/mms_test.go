package e2e

import (
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"mediagate/internal/asf"
	"mediagate/internal/lab"
	"mediagate/internal/origin"
)

// mmsProgram runs the program as a gateway of MMS, on MMS's own port at a
// loopback address of its own, in front of nodes.
func mmsProgram(t *testing.T, s lab.Settings, nodes ...lab.Node) *lab.Gateway {
	t.Helper()
	s.Protocol = "mms"
	s.Listen = netip.AddrPortFrom(lab.Loopback(t), mmsPort)
	s.Nodes = nodes
	return lab.StartGateway(t, s, nil)
}

// mmsURL is the address of a file at a server that is on MMS's own port.
func mmsURL(at netip.Addr, file string) string { return "mms://" + at.String() + "/" + file }

// asked picks the record of the session that played a file.
func asked(file string) func(lab.Record) bool {
	return func(r lab.Record) bool { return strings.HasSuffix(r.URL, "/"+file) }
}

// TestMMSPlayers plays by every player and way at the same time through one
// gateway: each writes the file, packet for packet, and has its record. With
// hash-url the node is chosen when the file is known: until then the gateway
// answers the player by itself.
func TestMMSPlayers(t *testing.T) {
	kinds := append(lab.MMSPlayers(), lab.VLC("mms"), lab.MPlayerMMS("mms"), lab.LibMMS("mms", "-x"))
	sample := lab.SampleASF(t)
	for _, policy := range []string{"least-sessions", "hash-url"} {
		t.Run(policy, func(t *testing.T) {
			from := mmsOrigin(t, lab.Loopback(t), origin.Config{}, sample, filesOf(kinds)...)
			gw := mmsProgram(t, lab.Settings{Policy: policy}, from)
			plays := startAll(t, kinds, gw.Addr.Addr(), nil)
			for _, p := range plays {
				t.Run(p.Kind.Name, func(t *testing.T) {
					playsWhole(t, p, sample)
					judgeMMS(t, lab.WaitRecord(t, gw.Records, recordLimit, asked(fileOf(p.Kind))), p.Kind, sample)
				})
			}
			clients := map[netip.AddrPort]bool{}
			for _, r := range lab.Records(t, gw.Records) {
				clients[r.Client] = true
			}
			if len(clients) != len(kinds) {
				t.Errorf("records of %d clients, want %d: %v", len(clients), len(kinds), clients)
			}
		})
	}
}

// judgeMMS compares the record of a session that played a whole file with what
// happened.
func judgeMMS(t *testing.T, r lab.Record, kind lab.MMSKind, file []byte) {
	t.Helper()
	parsed, err := asf.Parse(file)
	if err != nil {
		t.Fatal(err)
	}
	packets := uint64(len(parsed.Packets))
	ends := []string{"-T", "-P"} // a CloseFile, or the end of the stream
	if kind.Frames {
		ends = append(ends, "CP") // killed when it had the last frame
	}
	switch {
	case r.Protocol != "mms" || r.Transport != kind.Transport || r.Mode != "play" || r.Node != "wms",
		!strings.HasPrefix(r.UserAgent, "NSPlayer/") || r.Client.Addr() != netip.MustParseAddr("127.0.0.1"),
		!slices.Contains(ends, r.End),
		r.FromOrigin.Packets < packets || r.ToClient != r.FromOrigin || r.ToClient.Bytes < packets*uint64(parsed.PacketSize/2),
		r.Lost != 0 || len(r.Drops) != 0 || r.FirstMedia == nil || *r.FirstMedia > 10 || r.Requests < 5:
		t.Errorf("record: %+v", r)
	}
}

// TestMMSSeek: a second StartPlaying while packets are coming passes, and the
// player's choice of playIncarnation with it.
func TestMMSSeek(t *testing.T) {
	gw := mmsProgram(t, lab.Settings{}, mmsOrigin(t, lab.Loopback(t), origin.Config{Speed: 4}, nil))
	seeks(t, gw.Addr.Addr(), lab.SampleASF(t))
}

// TestMMSOriginKilled: an origin is killed while it plays. The gateway tells
// the players of the end before it closes, so that VLC ends too, which otherwise
// waits for ever.
func TestMMSOriginKilled(t *testing.T) {
	kinds := []lab.MMSKind{lab.VLC("mmsu"), lab.VLC("mmst"), lab.MPlayerMMS("mmst"), lab.LibMMS("mmst")}
	dir := mediaFolder(t, lab.SampleASF(t), filesOf(kinds)...)
	from := lab.StartEmbeddedOrigin(t, lab.Loopback(t), nil, "--speed", "0.5", "--dir", dir) // it is to be alive when the last one plays
	gw := mmsProgram(t, lab.Settings{}, node("doomed", netip.AddrPortFrom(from.Addr, mmsPort)))
	plays := startAll(t, kinds, gw.Addr.Addr(), nil)
	for _, p := range plays {
		if !lab.Eventually(playLimit, func() bool { return len(p.Written()) > 20<<10 }) {
			t.Fatalf("%s has written %d bytes\n%s", p.Kind.Name, len(p.Written()), p.Output())
		}
	}
	from.Kill()
	for _, p := range plays {
		p.WaitExit(playLimit)
		r := lab.WaitRecord(t, gw.Records, recordLimit, asked(fileOf(p.Kind)))
		if r.End != "OP" || !strings.Contains(r.Why, "doomed") {
			t.Errorf("%s: end %q: %s", p.Kind.Name, r.End, r.Why)
		}
	}
}

// TestMMSClosed: where nothing listens for MMS, the players that go from
// protocol to protocol ask for HTTP, and VLC's mmsu does not.
func TestMMSClosed(t *testing.T) {
	addr := lab.Loopback(t)
	var mu sync.Mutex
	requests := map[string][]string{} // path to the User-Agents that asked for it
	server := &http.Server{Addr: netip.AddrPortFrom(addr, 80).String(), ReadHeaderTimeout: time.Minute,
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			mu.Lock()
			defer mu.Unlock()
			requests[r.URL.Path] = append(requests[r.URL.Path], r.UserAgent())
			http.NotFound(w, r)
		})}
	lab.NeedRoot(t) // for port 80
	ended := make(chan error, 1)
	go func() { ended <- server.ListenAndServe() }()
	t.Cleanup(func() {
		_ = server.Close()
		if err := <-ended; err != http.ErrServerClosed {
			t.Error(err)
		}
	})
	rolling := []lab.MMSKind{lab.VLC("mms"), lab.MPlayerMMS("mms"), lab.LibMMS("mms", "-x")}
	var plays []*lab.MMSPlay
	for _, kind := range append(rolling, lab.VLC("mmsu")) {
		plays = append(plays, lab.PlayMMS(t, kind, mmsURL(addr, fileOf(kind)), nil))
	}
	for _, p := range plays {
		p.WaitExit(playLimit)
	}
	mu.Lock()
	defer mu.Unlock()
	for _, kind := range rolling {
		// MPlayer asks once more as itself when it was told 404.
		agents := requests["/"+fileOf(kind)]
		if !slices.ContainsFunc(agents, func(a string) bool { return strings.HasPrefix(a, "NSPlayer/") }) {
			t.Errorf("%s: asked over HTTP as %q", kind.Name, agents)
		}
	}
	if agents := requests["/"+fileOf(lab.VLC("mmsu"))]; agents != nil {
		t.Errorf("vlc/mmsu asked over HTTP as %q", agents)
	}
}
