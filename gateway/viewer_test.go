package gateway

import (
	"net/netip"
	"testing"
	"time"

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
