package e2e

import (
	"fmt"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"mediagate/internal/lab"
)

func TestMain(m *testing.M) { os.Exit(lab.Main(m)) }

// Waits of the tests. They are bounds, not expectations: the machine is shared.
const (
	playLimit = 30 * time.Second // until a player has decoded what it should
	// until a session's record is written: over HTTP that is 15 seconds after the last of what a player asked (docs/sessionlog.md)
	recordLimit = 45 * time.Second
	mediaPause  = time.Second // without a frame: no more will come
)

// program runs the program at a loopback address of its own in front of nodes.
func program(t *testing.T, s lab.Settings, nodes ...lab.Node) *lab.Gateway {
	t.Helper()
	s.Listen = lab.FreePort(t, lab.Loopback(t))
	s.Nodes = nodes
	return lab.StartGateway(t, s, nil)
}

// node names an origin.
func node(name string, at netip.AddrPort) lab.Node { return lab.Node{Name: name, Addr: at} }

// since picks the records with media of sessions that began after a moment:
// MPlayer makes a session without media before its real one.
func since(start time.Time) func(lab.Record) bool {
	return func(r lab.Record) bool { return r.FirstMedia != nil && r.Start.After(start) }
}

// wanted is what a record must say of a session that went well.
type wanted struct {
	transport string // "udp" or "interleaved"
	mode      string // "play" or "record"
	node      string
	end       string // two letters
	lost      uint64 // at most
}

// judge compares a record with what is wanted of it.
func judge(t *testing.T, r lab.Record, w wanted) {
	t.Helper()
	var faults []string
	check := func(ok bool, format string, args ...any) {
		if !ok {
			faults = append(faults, fmt.Sprintf(format, args...))
		}
	}
	in, out := r.FromOrigin, r.ToClient
	if w.mode == "record" {
		in, out = r.FromClient, r.ToOrigin
	}
	check(r.V == 1 && r.ID != "" && r.Protocol == "rtsp", "v %d, id %q, protocol %q", r.V, r.ID, r.Protocol)
	check(r.Transport == w.transport, "transport %q, want %q", r.Transport, w.transport)
	check(r.Mode == w.mode, "mode %q, want %q", r.Mode, w.mode)
	check(r.Node == w.node, "node %q, want %q", r.Node, w.node)
	check(r.End == w.end, "end %q, want %q", r.End, w.end)
	check(r.Lost <= w.lost, "%d lost, want at most %d", r.Lost, w.lost)
	check(in.Packets > 20 && in.Bytes > 20*12, "media in %+v", in)
	slack := uint64(5)
	if w.transport != "udp" {
		slack = 64 + 5 // frames that came together are one write, and the player may be gone by then
	}
	check(out.Packets+slack >= in.Packets && out.Packets <= in.Packets, "media out %+v of %+v", out, in)
	check(r.FirstMedia != nil && *r.FirstMedia >= 0 && *r.FirstMedia < 15, "first media %v", r.FirstMedia)
	check(r.Requests >= 4 && r.Duration > 0, "%d requests in %v s", r.Requests, r.Duration)
	check(!strings.Contains(r.URL, lab.Password), "the URL %q has the password", r.URL)
	if len(faults) > 0 {
		t.Errorf("record: %s\n%+v", strings.Join(faults, "; "), r)
	}
}
