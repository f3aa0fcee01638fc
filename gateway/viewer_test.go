package gateway

import (
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"mediagate/internal/sessionlog"
)

// TestViewersAtOnce: two players of one address that give no GUID and play one clip at the same time are spread; one that
// goes on to another protocol, or comes again, is not.
func TestViewersAtOnce(t *testing.T) {
	const url = "rtsp://gw/a.wmv"
	a := netip.MustParseAddr("192.0.2.7")
	v := newViewers(time.Minute)
	id, node := v.sight("rtsp", a, "", url)
	if id == "" || node != "" {
		t.Fatalf("first: %q at %q", id, node)
	}
	v.met(id, "one")
	if _, node := v.sight("rtsp", a, "", url); node != "" {
		t.Errorf("another at the same time is led to %q", node)
	}
	if _, node := v.sight("mms", a, "", url); node != "one" {
		t.Errorf("the next step is led to %q", node)
	}
	for range 2 {
		v.ended(&sessionlog.Record{Viewer: id, Protocol: "rtsp", URL: url, Node: "one"})
	}
	if again, node := v.sight("rtsp", a, "", url); again != id || node != "one" {
		t.Errorf("again: %q at %q", again, node)
	}
	const guid = "{3C9A4F30-1111-4222-8333-944455566677}" // one player with two windows
	one, _ := v.sight("rtsp", a, guid, url)
	v.met(one, "two")
	if two, node := v.sight("rtsp", a, guid, url); two != one || node != "two" {
		t.Errorf("with a GUID: %q at %q", two, node)
	}
}

// TestNamelessStep: who is refused before it tells its name is the same viewer on the next step, for a short time.
func TestNamelessStep(t *testing.T) {
	v := newViewers(time.Minute)
	now := time.Unix(1e9, 0)
	v.now = func() time.Time { return now }
	addr := netip.MustParseAddr("203.0.113.9")
	refused := func(id string, requests uint64) *sessionlog.Record {
		r := &sessionlog.Record{ID: id, Protocol: "mms", URL: "mms://gw/", Requests: requests, Client: netip.AddrPortFrom(addr, 1),
			Start: sessionlog.Stamp{Time: now}, End: sessionlog.EndState{Who: 'N', Phase: 'D'}, Why: "no usable node"}
		if id, node := v.sight("mms", addr, "{0xbabac001}", "mms://gw/"); id != "" || node != "" {
			t.Errorf("%q at %q before it tells", id, node)
		}
		v.ended(r)
		now = now.Add(time.Second)
		return r
	}
	if silent := refused("s0", 0); silent.Viewer != "" {
		t.Errorf("who asked for nothing is viewer %q", silent.Viewer)
	}
	first, second := refused("s1", 1), refused("s2", 1)
	if first.Viewer == "" || second.Viewer != first.Viewer || len(second.Ladder) != 1 {
		t.Errorf("viewers %q and %q, ladder %v", first.Viewer, second.Viewer, second.Ladder)
	}
	id, _ := v.sight("http", addr, "", "http://gw/a.wmv")
	third := &sessionlog.Record{ID: "s3", Viewer: id, Protocol: "http", URL: "http://gw/a.wmv", Client: first.Client, Start: sessionlog.Stamp{Time: now}}
	v.ended(third)
	var steps []string
	for _, s := range third.Ladder {
		steps = append(steps, s.Session)
	}
	if diff := cmp.Diff([]string{"s1", "s2"}, steps); diff != "" || id != first.Viewer {
		t.Errorf("viewer %q, steps (-want +got):\n%s", id, diff)
	}
	late := refused("s4", 1)
	now = now.Add(namelessFor)
	if id, _ := v.sight("http", addr, "", "http://gw/b.wmv"); late.Viewer == "" || id == late.Viewer {
		t.Errorf("viewer %q after a while, was %q", id, late.Viewer)
	}
}

// TestRefusedFirst: a player is at its next step before the session that was refused has ended; its record comes after the next step has
// begun, and is a step of the same viewer all the same.
func TestRefusedFirst(t *testing.T) {
	now := time.Date(2026, 11, 24, 0, 0, 0, 0, time.UTC)
	v := newViewers(time.Minute)
	v.now = func() time.Time { return now }
	addr := netip.MustParseAddr("192.0.2.1")
	begun := now
	first := v.refused(addr)
	now = now.Add(time.Millisecond)
	id, _ := v.sight("http", addr, "", "http://gw/a.wmv")
	if id != first {
		t.Errorf("viewer %q, then %q", first, id)
	}
	v.ended(&sessionlog.Record{ID: "s1", Viewer: first, Protocol: "mms", URL: "mms://gw/", Requests: 1, Client: netip.AddrPortFrom(addr, 1),
		Start: sessionlog.Stamp{Time: begun}, End: sessionlog.EndState{Who: 'N', Phase: 'D'}})
	if again, _ := v.sight("rtsp", netip.MustParseAddr("192.0.2.2"), "", "rtsp://gw/a.wmv"); again == first {
		t.Error("another address is the same viewer")
	}
	if all := v.list(); len(all) != 2 || all[0].ID != first || all[0].Sessions != 1 || len(all[0].Steps) != 1 || all[0].Steps[0].Session != "s1" {
		t.Errorf("viewers %+v", all)
	}
	next := &sessionlog.Record{ID: "s2", Viewer: id, Protocol: "http", URL: "http://gw/a.wmv", Client: netip.AddrPortFrom(addr, 2), Start: sessionlog.Stamp{Time: now}}
	v.ended(next)
	if len(next.Ladder) != 1 || next.Ladder[0].Session != "s1" {
		t.Errorf("ladder %v", next.Ladder)
	}
}
