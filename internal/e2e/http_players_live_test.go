package e2e

import (
	"bytes"
	"strings"
	"syscall"
	"testing"

	"mediagate/internal/lab"
)

// livePackets is how many packets, of 4096 bytes, and liveFrames how many frames
// of each stream a player of VLC's server is to have before it is stopped: some
// two and a half seconds.
const livePackets, liveFrames = 12, 40

// TestHTTPPlayersOfVLC plays from VLC's server, an origin that we did not write.
//
// It is live and writes packets of its own, so that there is no file to compare
// packets with. What is compared instead: a player with no gateway between begins
// before all others and ends after them. Its frames are those of the file that VLC
// plays, but for what VLC leaves out when it is held up. What VLC, MPlayer and libmms
// write through the gateway are packets of that player's, byte for byte and none
// missing between them; what FFmpeg gets through the gateway are that player's
// frames, none missing. Where a player joins the stream is not looked at.
func TestHTTPPlayersOfVLC(t *testing.T) {
	from := lab.StartVLCOrigin(t, lab.Loopback(t))
	gw := webProgram(t, lab.Services{}, lab.ServiceNode{Name: "vlc", Addr: from.Addr.Addr(), Ports: map[string]uint16{"http": from.Addr.Port()}})
	path := "/" + from.Path()
	direct := lab.PlayMMS(t, lab.LibMMSH(), "mmsh://"+from.Addr.String()+path, nil)
	waitWritten(t, direct, 1)
	var plays []*lab.MMSPlay
	for _, kind := range lab.HTTPPlayers() {
		p := lab.PlayMMS(t, kind, "mmsh://"+gw.Addr.Addr().String()+path, nil)
		waitWritten(t, p, 1)
		plays = append(plays, p)
	}
	written := map[*lab.MMSPlay][]byte{}
	for i, p := range plays {
		enough(t, p)
		if i < len(plays)-1 {
			p.Stop(syscall.SIGTERM)
		}
		written[p] = p.Written()
	}
	waitWritten(t, direct, len(direct.Written())+4*4096) // then it has what they have
	// VLC ends without an end of the stream.
	from.Kill()
	for _, p := range []*lab.MMSPlay{direct, plays[len(plays)-1]} {
		p.WaitExit(playLimit)
	}
	reference := direct.Written()
	all := lab.Frames(t, reference)
	if diff := lab.FramesOf(all, lab.Frames(t, lab.SampleASF(t)), liveFrames); diff != "" {
		t.Errorf("without a gateway: %s", diff)
	}
	for _, p := range plays {
		diff := ""
		if p.Kind.Frames {
			diff = lab.RunOfFrames(written[p], all, liveFrames)
		} else {
			diff = lab.RunOfASF(written[p], reference, livePackets)
		}
		if diff != "" {
			t.Errorf("%s: %s\n%s", p.Kind.Name, diff, p.Output())
		}
	}
	judgeLive(t, gw.FinalRecords(t), len(plays)-1)
}

// judgeLive: all players but one were stopped in mid stream, and that one saw the
// origin go.
func judgeLive(t *testing.T, records []lab.Record, stopped int) {
	t.Helper()
	const size = 4096 + 8
	const oneRead = 32<<10/size + 1 // what the gateway may have in hand for a player that goes
	ends := map[string]int{}
	for _, r := range records {
		if r.FirstMedia == nil {
			continue // a Describe that another player with the same GUID came between
		}
		ends[r.End]++
		if r.Protocol != "http" || r.Node != "vlc" || !strings.HasPrefix(r.UserAgent, "NSPlayer/") || r.Viewer == "" ||
			r.FromOrigin.Bytes != r.FromOrigin.Packets*size || r.ToClient.Packets > r.FromOrigin.Packets || r.ToClient.Packets+oneRead < r.FromOrigin.Packets || r.Lost != 0 {
			t.Errorf("record: %+v", r)
		}
	}
	if ends["CP"] != stopped || ends["OP"] != 1 || len(ends) != 2 {
		t.Errorf("ends %v, want %d CP and 1 OP: %+v", ends, stopped, records)
	}
}

// waitWritten waits until a player has written at least so many bytes.
func waitWritten(t *testing.T, p *lab.MMSPlay, least int) {
	t.Helper()
	if !lab.Eventually(playLimit, func() bool { return len(p.Written()) >= least }) {
		t.Fatalf("%s has written %d bytes, want %d\n%s", p.Kind.Name, len(p.Written()), least, p.Output())
	}
}

// enough waits until a player of VLC's server has what is compared.
func enough(t *testing.T, p *lab.MMSPlay) {
	t.Helper()
	if !p.Kind.Frames {
		waitWritten(t, p, (livePackets+2)*4096)
		return
	}
	frames := func() (n int) {
		for line := range bytes.Lines(p.Written()) {
			if bytes.HasPrefix(line, []byte("0,")) {
				n++
			}
		}
		return n
	}
	if !lab.Eventually(playLimit, func() bool { return frames() > liveFrames+10 }) {
		t.Fatalf("%s has %d frames\n%s", p.Kind.Name, frames(), p.Output())
	}
}
