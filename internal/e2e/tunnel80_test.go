package e2e

import (
	"net/netip"
	"strings"
	"testing"

	"mediagate/internal/lab"
	"mediagate/internal/origin"
)

// TestTunnel80 plays RTSP tunnelled in HTTP through port 80 from GStreamer's RTSP
// server, by both players that tunnel, while on the same port a player of Windows
// Media gets its stream and curl its web page: the first request of a connection
// tells which it is.
func TestTunnel80(t *testing.T) {
	lab.Need(t, "ffmpeg", "gst-launch-1.0", "/usr/bin/python3")
	// 127.0.0.1 and no other: see sources.
	home := netip.MustParseAddr("127.0.0.1")
	gst := lab.StartGstOrigin(t, lab.GstOptions{Addr: home})
	places := lab.FreePorts(t, home, 2)
	web, err := origin.New(origin.Config{Listen: places[0], Media: lab.FreePair(t, home),
		HTTP: places[1], Pages: map[string]string{"/index.html": "<html></html>\n"}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := web.Close(); err != nil {
			t.Errorf("close origin: %v", err)
		}
	})
	if err := web.Start(); err != nil {
		t.Fatal(err)
	}
	gw := webProgram(t, lab.Services{}, lab.ServiceNode{Name: "both", Addr: home,
		Ports: map[string]uint16{"http": web.HTTPAddr().Port(), "rtsp": gst.Addr.Port()}})
	page := func() {
		if body, status, _ := lab.Fetch(t, "http://"+gw.Addr.String()+"/index.html"); status != "200" || body != "<html></html>\n" {
			t.Errorf("web page: %s %q", status, body)
		}
	}
	page()
	stream := lab.PlayMMS(t, lab.VLCHTTP("mmsh"), mmsURL(gw.Addr.Addr(), "sample.wmv"), nil)
	var players []*lab.Player
	for _, kind := range lab.TunnelPlayers() {
		players = append(players, lab.Play(t, kind, gw.URL(gst.Path()), nil))
	}
	for _, p := range players {
		p.WaitFrames(40, 40, playLimit)
		page()
	}
	for _, p := range players {
		p.End()
	}
	page()
	playsWhole(t, stream, lab.SampleASF(t))
	judgePort80(t, gw.FinalRecords(t), len(players))
}

// judgePort80: each tunnel has one record for its two connections, and so have the
// stream and all that curl asked for.
func judgePort80(t *testing.T, records []lab.Record, tunnels int) {
	t.Helper()
	of := map[string]int{}
	for _, r := range records {
		switch {
		case r.Transport == "tunnelled":
			of["tunnel"]++
			judge(t, r, wanted{transport: "tunnelled", mode: "play", node: "both", end: "-T"})
		case r.FirstMedia != nil && strings.HasPrefix(r.UserAgent, "NSPlayer/") && r.End == "-T" && r.FromOrigin.Packets == 157:
			of["stream"]++
		case strings.HasPrefix(r.UserAgent, "curl/") && r.Node == "both" && r.Requests == uint64(tunnels)+2:
			of["pages"]++
		default:
			t.Errorf("one more record: %+v", r)
		}
	}
	if of["tunnel"] != tunnels || of["stream"] != 1 || of["pages"] != 1 {
		t.Errorf("records: %v", of)
	}
}
