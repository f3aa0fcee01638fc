package e2e

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"mediagate/internal/lab"
)

// fate is what becomes of a client whose origin ends: the statuses that its
// last answer may have, 0 for a connection that ends or media that stops, and
// the end states that the record may have.
type fate struct {
	status []int
	end    []string
}

// The endings of one phase: a connection that breaks, however it does, and one
// that stays silent.
type fates struct{ broken, silent fate }

// deaths are the phases in which an origin ends. Where two values stand, either
// is right: the client's next request and the end of the origin's connection
// may cross; and a session that got a refusal and then went away may be said to
// have ended by the one or by the other.
var deaths = []struct {
	name  string
	at    string
	after bool
	fates
}{
	// A reset may come before the connect is over: then no node was reached.
	{"on accept", "", false,
		fates{fate{[]int{502, 503}, []string{"OD", "ND"}}, fate{[]int{504}, []string{"oD"}}}},
	{"instead of DESCRIBE's answer", "DESCRIBE", false,
		fates{fate{[]int{502}, []string{"OD"}}, fate{[]int{504}, []string{"oD"}}}},
	// Nothing is set up yet: the gateway connects again, and the client plays;
	// unless its SETUP was on the way already.
	{"after DESCRIBE", "DESCRIBE", true,
		fates{fate{[]int{0, 502}, []string{"CP", "OD", "OS"}}, fate{[]int{504}, []string{"oD", "oS"}}}},
	{"instead of SETUP's answer", "SETUP", false,
		fates{fate{[]int{502}, []string{"OD", "OS"}}, fate{[]int{504}, []string{"oD", "oS"}}}},
	{"after SETUP", "SETUP", true,
		fates{fate{[]int{0, 502}, []string{"OS"}}, fate{[]int{504}, []string{"oS", "CS"}}}},
	{"instead of PLAY's answer", "PLAY", false,
		fates{fate{[]int{502}, []string{"OS"}}, fate{[]int{504}, []string{"oS", "CS"}}}},
	// Media over TCP that pauses is no fault: the session runs until the client
	// leaves.
	{"during PLAY", "PLAY", true,
		fates{fate{[]int{0}, []string{"OP"}}, fate{[]int{0}, []string{"CP"}}}},
}

// TestOriginDies: an origin that ends at each phase, in each way. The client
// gets the right answer or the right end, the record says who and when, and
// nothing stays.
func TestOriginDies(t *testing.T) {
	for _, death := range deaths {
		for _, ending := range []lab.Ending{lab.EndClose, lab.EndReset, lab.EndGarbage, lab.EndSilence} {
			t.Run(fmt.Sprintf("%s/%s", death.name, ending), func(t *testing.T) {
				// A connection that breaks ends what waits for it, however slow the machine; what is silent has to be waited for.
				want, response, pause := death.broken, "20s", atOnce
				if ending == lab.EndSilence {
					want, response, pause = death.silent, "3s", mediaPause
				}
				script := lab.Script{At: death.at, After: death.after, Ending: ending}
				origin := lab.StartScriptOrigin(t, lab.Loopback(t), script)
				g := embed(t, lab.Settings{Timeouts: map[string]string{"response": response}}, node("fragile", origin.Addr))
				if status := converse(t, g, pause); !slices.Contains(want.status, status) {
					t.Errorf("status %d, want %v", status, want.status)
				}
				r := lab.WaitRecord(t, g.settings.Records, recordLimit, func(lab.Record) bool { return true })
				// A reset that ends the connect leaves a session that never had the node.
				named := r.Node == "fragile" || r.End == "ND" && strings.Contains(r.Why, "fragile: already tried")
				if !slices.Contains(want.end, r.End) || !named {
					t.Errorf("end %q on node %q (%s), want %v", r.End, r.Node, r.Why, want.end)
				}
				origin.Close()
				g.rests(t)
			})
		}
	}
}

// converse plays until something is refused, the connection ends or no media
// comes for a time, and gives the status of the refusal, or 0.
func converse(t *testing.T, g *inProcess, pause time.Duration) int {
	t.Helper()
	c := lab.Dial(t, g.settings.Listen)
	defer func() { _ = c.Close() }()
	url, session := g.URL("a"), ""
	for _, request := range []struct{ method, url, field string }{
		{"DESCRIBE", url, "Accept: application/sdp"},
		{"SETUP", url + "/track1", "Transport: RTP/AVP/TCP;unicast;interleaved=0-1"},
		{"PLAY", url, ""},
	} {
		r, err := c.Try(request.method, request.url, request.field, session)
		if err != nil {
			return 0
		}
		if r.Status != 200 {
			return r.Status
		}
		if r.Session() != "" {
			session = "Session: " + r.Session()
		}
	}
	c.Patience = pause
	for {
		if _, err := c.ReadFrame(); err != nil {
			return 0
		}
	}
}
