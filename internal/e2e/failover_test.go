package e2e

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"mediagate/internal/lab"
)

// TestTwoOrigins: sessions spread; when one origin is killed its sessions end
// with a state that names it, and new ones go to the other, unseen by the
// client.
func TestTwoOrigins(t *testing.T) {
	lab.Need(t, "ffmpeg")
	one := lab.StartSampleOrigin(t, lab.Loopback(t), "")
	two := lab.StartSampleOrigin(t, lab.Loopback(t), "")
	gw := program(t, lab.Settings{Policy: "least-sessions"}, node("one", one.Addr), node("two", two.Addr))

	kinds := []lab.PlayerKind{lab.FFmpeg("udp"), lab.FFmpeg("udp"), lab.FFmpeg("tcp"), lab.FFmpeg("tcp")}
	var players []*lab.Player
	for _, kind := range kinds {
		p := lab.Play(t, kind, gw.URL("test"), nil)
		p.WaitFrames(5, 0, playLimit) // one after the other: the lease of each is counted
		players = append(players, p)
	}
	killed := time.Now()
	one.Close()
	diedOn(t, gw, "one", 2)
	for range 4 { // more than the nodes, so that the dead one's turn comes
		p := lab.Play(t, lab.FFmpeg("tcp"), gw.URL("test"), nil)
		p.WaitFrames(5, 0, playLimit)
		p.End()
	}
	for _, p := range players {
		p.End()
	}
	after := 0
	lab.Eventually(recordLimit, func() bool {
		after = 0
		for _, r := range lab.Records(t, gw.Records) {
			if r.Start.After(killed) && r.Node == "two" && r.End == "-T" {
				after++
			}
		}
		return after == 4
	})
	if after != 4 {
		t.Errorf("%d of 4 new sessions played from the other origin: %+v", after, lab.Records(t, gw.Records))
	}
}

// diedOn waits for want records of sessions that an origin's end ended, and for
// none of another kind on it.
func diedOn(t *testing.T, gw *lab.Gateway, name string, want int) {
	t.Helper()
	lab.Eventually(recordLimit, func() bool { return len(lab.Records(t, gw.Records)) >= want })
	died := 0
	for _, r := range lab.Records(t, gw.Records) {
		if r.Node != name {
			continue
		}
		died++
		if r.End != "OP" || !strings.Contains(r.Why, name) {
			t.Errorf("session on the killed origin: end %q, why %q", r.End, r.Why)
		}
	}
	if died != want {
		t.Errorf("%d sessions ended with the killed origin, want %d", died, want)
	}
}

// slow are time-outs of the gateway that nobody can take for a machine that is busy: what waits for one does not end "at once".
func unhurried() map[string]string { return map[string]string{"connect": "20s", "response": "20s"} }

// atOnce is how long what waits for nothing may take on a busy machine.
const atOnce = 8 * time.Second

// TestNoOrigin: with no origin left the answer is 503, at once.
func TestNoOrigin(t *testing.T) {
	gw := program(t, lab.Settings{Timeouts: unhurried()}, node("gone", lab.FreePort(t, lab.Loopback(t))))
	start := time.Now()
	reply := lab.Dial(t, gw.Addr).Do("DESCRIBE", gw.URL("test"))
	if reply.Status != 503 {
		t.Errorf("DESCRIBE without an origin: %d, want 503", reply.Status)
	}
	within(t, "the refusal", time.Since(start), atOnce)
}

// TestOriginKilled: an origin's process is killed while it plays; the session's
// record names it, over both transports.
func TestOriginKilled(t *testing.T) {
	lab.Need(t, "ffmpeg", "/usr/bin/python3")
	for _, lower := range []string{"udp", "tcp"} {
		t.Run(lower, func(t *testing.T) {
			origin := lab.StartGstOrigin(t, lab.GstOptions{Addr: netip.MustParseAddr("127.0.0.1")})
			gw := program(t, lab.Settings{}, node("doomed", origin.Addr))
			p := lab.Play(t, lab.FFmpeg(lower), gw.URL(origin.Path()), nil)
			p.WaitFrames(10, 10, playLimit)
			origin.Kill()
			r := lab.WaitRecord(t, gw.Records, recordLimit, func(lab.Record) bool { return true })
			if r.End != "OP" || !strings.Contains(r.Why, "doomed") || r.Transport != p.Kind.Transport {
				t.Errorf("end %q over %q: %s", r.End, r.Transport, r.Why)
			}
			p.WaitExit(playLimit) // FFmpeg ends when its connection does
		})
	}
}

// TestPortsExhausted: when the ports towards the origins are used up, UDP is
// refused with 461 at once, and a player that may goes on over TCP.
func TestPortsExhausted(t *testing.T) {
	lab.Need(t, "ffmpeg")
	origin := lab.StartSampleOrigin(t, lab.Loopback(t), "")
	// Two pairs: the two medias of one session.
	gw := program(t, lab.Settings{OriginPorts: "24000-24003"}, node("one", origin.Addr))
	first := lab.Play(t, lab.FFmpeg("udp"), gw.URL("test"), nil)
	first.WaitFrames(10, 10, playLimit)
	start := time.Now()
	second := lab.Play(t, lab.Patient(lab.FFmpeg("any"), 20*time.Second), gw.URL("test"), nil)
	second.WaitFrames(10, 10, playLimit)
	second.End()
	r := lab.WaitRecord(t, gw.Records, recordLimit, since(start))
	if r.Transport != "interleaved" || r.End != "-T" || *r.FirstMedia > atOnce.Seconds() {
		t.Errorf("record: %+v", r)
	}
	first.End()
	url := gw.URL("test")
	// The ports serve again when they have lingered.
	if !lab.Eventually(playLimit, func() bool {
		c := lab.Dial(t, gw.Addr)
		defer func() { _ = c.Close() }()
		c.Do("DESCRIBE", url, "Accept: application/sdp")
		r := c.Do("SETUP", url+"/trackID=0", "Transport: RTP/AVP;unicast;client_port=30000-30001")
		if r.Status == 200 {
			c.Do("TEARDOWN", url, "Session: "+r.Session())
		}
		return r.Status == 200
	}) {
		t.Error("the ports of an ended session stay refused")
	}
}
