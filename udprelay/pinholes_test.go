package udprelay

import (
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// sawPinholes is what Pinholes tells, without times.
func sawPinholes(t *testing.T, r *Relay, since time.Time) []Pinhole {
	t.Helper()
	all := r.Pinholes()
	for i := range all {
		if o := all[i].Opened; o.Before(since) || o.After(time.Now()) {
			t.Errorf("%v was opened at %v", all[i].Local, o)
		}
		all[i].Opened, all[i].LastSeen = time.Time{}, time.Time{}
	}
	return all
}

func comparePorts(a, b netip.AddrPort) bool { return a == b }

func TestPinholesOfFlows(t *testing.T) {
	since, h := time.Now(), newHosts()
	r := newRelay(t, Config{Linger: time.Hour})
	spec := h.spec()
	spec.Owner = "a"
	f := reserve(t, r, spec)
	client, attacker := newEnd(t, h.client, 0), newEnd(t, h.attacker, 0)
	connect(t, f, Client, Peer{Addr: h.client, RTP: client.addr().Port(), RTCP: 9})
	attacker.send(rtpPort(f.ClientPair()), packet(1, 1))
	wantDrops(t, f, DropUnknownSource, 1)
	refused := map[DropReason]uint64{DropUnknownSource: 1}
	want := []Pinhole{
		{Local: rtpPort(f.ClientPair()), Carries: "rtp", Owner: "a", Peer: client.addr(), Refused: refused},
		{Local: rtcpPort(f.ClientPair()), Carries: "rtcp", Owner: "a", Peer: netip.AddrPortFrom(h.client, 9), Refused: refused},
		{Local: rtpPort(f.OriginPair()), Side: Origin, Carries: "rtp", Owner: "a", Refused: refused},
		{Local: rtcpPort(f.OriginPair()), Side: Origin, Carries: "rtcp", Owner: "a", Refused: refused},
	}
	if diff := cmp.Diff(want, sawPinholes(t, r, since), cmp.Comparer(comparePorts)); diff != "" {
		t.Errorf("open (-want +got):\n%s", diff)
	}
	if seen := r.Pinholes()[0].LastSeen; !seen.IsZero() {
		t.Errorf("a stranger's packet counts as seen at %v", seen)
	}
	f.Close()
	for i := range want {
		want[i].Closed = true
	}
	if diff := cmp.Diff(want, sawPinholes(t, r, since), cmp.Comparer(comparePorts)); diff != "" {
		t.Errorf("lingering (-want +got):\n%s", diff)
	}
	if err := r.Close(); err != nil || len(r.Pinholes()) != 0 {
		t.Errorf("after Close: %v, %v", r.Pinholes(), err)
	}
}

func TestPinholesSeePackets(t *testing.T) {
	since, h := time.Now(), newHosts()
	r := newRelay(t, Config{})
	f := reserve(t, r, h.spec())
	client, origin := newEnd(t, h.client, 0), newEnd(t, h.origin, 0)
	connect(t, f, Client, Peer{Addr: h.client, RTP: client.addr().Port()})
	connect(t, f, Origin, Peer{Addr: h.origin, RTP: origin.addr().Port()})
	origin.send(rtpPort(f.OriginPair()), packet(1, 1))
	client.want(rtpPort(f.ClientPair()), packet(1, 1))
	for _, p := range r.Pinholes() {
		if got := !p.LastSeen.IsZero(); got != (p.Side == Origin) || got && p.LastSeen.Before(since) {
			t.Errorf("%v %v: last seen %v", p.Side, p.Local, p.LastSeen)
		}
	}
}

func TestPinholesShared(t *testing.T) {
	since, h := time.Now(), newHosts()
	r := newRelay(t, Config{ClientPorts: PortRange{5004, 5005}})
	spec := h.spec()
	spec.Protocol, spec.Owner, spec.Resend = MMS, "m", netip.AddrPortFrom(h.toClient, 1755)
	f := reserve(t, r, spec)
	want := []Pinhole{
		{Local: spec.Resend, Carries: "resend", Shared: true, Refused: map[DropReason]uint64{}},
		{Local: netip.AddrPortFrom(h.toClient, 5004), Carries: "rtp", Shared: true, Refused: map[DropReason]uint64{}},
		{Local: netip.AddrPortFrom(h.toClient, 5005), Carries: "rtcp", Shared: true, Refused: map[DropReason]uint64{}},
		{Local: rtpPort(f.OriginPair()), Side: Origin, Carries: "mms", Owner: "m", Refused: map[DropReason]uint64{}},
	}
	if diff := cmp.Diff(want, sawPinholes(t, r, since), cmp.Comparer(comparePorts)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
