package udprelay

import (
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// seen is what a tap was shown.
type seen struct {
	Origin               bool
	From, Local, Out, To string
	First, Was           byte
	Why                  string
}

type recorder struct{ all []seen }

func (r *recorder) Datagram(_ time.Time, origin bool, from, local, out, to netip.AddrPort, b, was []byte, why string) {
	s := seen{Origin: origin, From: from.String(), Local: local.String(), Out: out.String(), To: to.String(), First: b[0], Why: why}
	if was != nil {
		s.Was = was[0]
	}
	r.all = append(r.all, s)
}

// TestTap shows each datagram once, with the way that it takes or the reason that it takes none.
func TestTap(t *testing.T) {
	h := newHosts()
	r := newRelay(t, Config{Linger: -1, Listen: listenNull})
	tap := &recorder{}
	spec := h.spec()
	spec.Tap = tap
	f := reserve(t, r, spec)
	connect(t, f, Client, Peer{Addr: h.client, RTP: 30000, RTCP: 30001})
	connect(t, f, Origin, Peer{Addr: h.origin, RTP: 40000, RTCP: 40001})
	client, origin := netip.AddrPortFrom(h.client, 30000), netip.AddrPortFrom(h.origin, 40000)
	c, o := f.legs[Client].sock[rtp], f.legs[Origin].sock[rtp]
	o.handle(packet(1, 0), false, origin)
	o.handle([]byte{1}, false, origin)
	o.handle(packet(2, 0), true, origin)
	c.handle(bare(), false, client)
	ours, theirs := c.conn.LocalAddrPort().String(), o.conn.LocalAddrPort().String()
	const none = "invalid AddrPort"
	want := []seen{
		{Origin: true, From: origin.String(), Local: theirs, Out: ours, To: client.String(), First: 0x80},
		{Origin: true, From: origin.String(), Local: theirs, Out: none, To: none, First: 1, Why: "not-rtp"},
		{Origin: true, From: origin.String(), Local: theirs, Out: none, To: none, First: 0x80, Why: "too-long"},
		{From: client.String(), Local: ours, Out: theirs, To: origin.String(), First: 0x80},
	}
	if diff := cmp.Diff(want, tap.all); diff != "" {
		t.Errorf("the tap was shown (-want +got):\n%s", diff)
	}
}

// TestTapSeesBothIDs: of a resend request, both what came and what goes on.
func TestTapSeesBothIDs(t *testing.T) {
	h := newHosts()
	r := newRelay(t, Config{Linger: -1, Listen: listenNull})
	tap := &recorder{}
	spec := h.spec()
	spec.Protocol, spec.Tap = MMS, tap
	f := reserve(t, r, spec)
	connect(t, f, Client, Peer{Addr: h.client, RTP: vlcPort})
	connect(t, f, Origin, Peer{Addr: h.origin, RTP: 5004})
	f.SetResend(7, 70, netip.AddrPortFrom(h.origin, 1755))
	request := ask(7, 1, 2)
	came := append([]byte(nil), request...)
	f.legs[Client].sock[rtp].handle(request, false, netip.AddrPortFrom(h.client, vlcPort))
	if len(tap.all) != 1 || tap.all[0].Why != "" || mmsClientID(came) != 7 || mmsClientID(request) != 70 {
		t.Fatalf("shown: %+v", tap.all)
	}
	if tap.all[0].Was != came[0] || tap.all[0].First != request[0] {
		t.Errorf("shown: %+v, want first bytes %d and %d", tap.all[0], came[0], request[0])
	}
}
