package e2e

import (
	"net/netip"
	"slices"
	"strings"
	"testing"

	"mediagate/internal/asf"
	"mediagate/internal/lab"
	"mediagate/internal/origin"
)

// webOrigin runs the embedded origin at addr with RTSP, MMS and HTTP at their
// usual ports. It serves media under each of the names.
func webOrigin(t *testing.T, name string, cfg origin.Config, media []byte, names ...string) (*origin.Server, lab.ServiceNode) {
	t.Helper()
	lab.NeedRoot(t) // for the ports
	addr := lab.Loopback(t)
	cfg.Listen = netip.AddrPortFrom(addr, lab.UsualPort("rtsp"))
	cfg.MMS = netip.AddrPortFrom(addr, lab.UsualPort("mms"))
	cfg.HTTP = netip.AddrPortFrom(addr, lab.UsualPort("http"))
	cfg.Dir = mediaFolder(t, media, names...)
	srv, err := origin.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := srv.Close(); err != nil {
			t.Errorf("close origin: %v", err)
		}
	})
	if err := srv.Start(); err != nil {
		t.Fatal(err)
	}
	return srv, lab.ServiceNode{Name: name, Addr: addr}
}

// webProgram runs the program as a gateway of HTTP and more protocols at a
// loopback address of its own.
func webProgram(t *testing.T, s lab.Services, nodes ...lab.ServiceNode) *lab.Gateway {
	t.Helper()
	s.Addr, s.Nodes = lab.Loopback(t), nodes
	if s.Protocols == nil {
		s.Protocols = []string{"http"}
	}
	return lab.StartServices(t, s)
}

// startEach starts players one after the other, each on its own file and as soon
// as the one before has media: until then a constant GUID tells two players of
// one address apart for nobody (docs/adr/0019).
func startEach(t *testing.T, kinds []lab.MMSKind, at netip.Addr) []*lab.MMSPlay {
	t.Helper()
	var plays []*lab.MMSPlay
	for _, kind := range kinds {
		p := lab.PlayMMS(t, kind, mmsURL(at, fileOf(kind)), nil)
		if !lab.Eventually(playLimit, func() bool { return len(p.Written()) > 0 }) {
			t.Errorf("%s does not begin\n%s", kind.Name, p.Output())
		}
		plays = append(plays, p)
	}
	return plays
}

// ofFile picks the records of a file: those of sessions with media, and those of
// players that only asked.
func ofFile(records []lab.Record, file string) (media, asks []lab.Record) {
	for _, r := range records {
		switch {
		case !asked(file)(r):
		case r.FirstMedia != nil:
			media = append(media, r)
		default:
			asks = append(asks, r)
		}
	}
	return media, asks
}

// judgeWeb compares the record of a session that played a whole file over HTTP
// with what happened.
func judgeWeb(t *testing.T, records []lab.Record, kind lab.MMSKind, file []byte, nodes ...string) {
	t.Helper()
	parsed, err := asf.Parse(file)
	if err != nil {
		t.Fatal(err)
	}
	packets := uint64(len(parsed.Packets))
	size := uint64(parsed.PacketSize) + 8 // with the header of a Data packet of MMS ([MS-WMSP] 2.2.3.1)
	media, asks := ofFile(records, fileOf(kind))
	if len(media) != 1 {
		t.Errorf("%d records with media, want 1: %+v", len(media), media)
		return
	}
	r := media[0]
	switch {
	case r.Protocol != "http" || r.Transport != "http" || r.Mode != "play" || r.VirtualServer != "HTTP",
		!strings.HasPrefix(r.UserAgent, "NSPlayer/") || r.Viewer == "" || r.Client.Addr() != netip.MustParseAddr("127.0.0.1"),
		!slices.Contains(nodes, r.Node) || !slices.Equal(r.NodesTried, []string{r.Node}),
		r.End != "-T" || r.Why != "the stream came to its end" || r.Requests != 2,
		r.FromOrigin.Packets != packets || r.FromOrigin.Bytes != packets*size || r.ToClient != r.FromOrigin,
		r.Lost != 0 || len(r.Drops) != 0 || *r.FirstMedia > 10:
		t.Errorf("record: %+v", r)
	}
	if len(asks) != 0 && kind.Scheme == "mmsh" {
		t.Errorf("one more record: %+v", asks)
	}
}

// judgeFirstTries: a player asks for http:// as an ordinary client first. Such
// requests of one address are one session, of the first one's file, without
// media; the player that goes on is the same viewer.
func judgeFirstTries(t *testing.T, records []lab.Record, kinds ...lab.MMSKind) {
	t.Helper()
	media, asks := ofFile(records, fileOf(kinds[0]))
	if len(media) != 1 || len(asks) != 1 || asks[0].End != "-D" || asks[0].Viewer != media[0].Viewer ||
		asks[0].Requests != uint64(len(kinds)) || strings.HasPrefix(asks[0].UserAgent, "NSPlayer/") {
		t.Errorf("records of the first requests: %+v", asks)
	}
}
