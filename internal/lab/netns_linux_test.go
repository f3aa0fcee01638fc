package lab

import (
	"net/netip"
	"testing"
	"time"
)

// TestNetnsTopology proves the three hosts: a player decodes over the joined
// link, a capture sees its media, and nothing goes past the gateway.
func TestNetnsTopology(t *testing.T) {
	top := NewTopology(t)
	Need(t, "/usr/bin/python3", "ffmpeg", "tshark")
	// The gateway host itself plays: it has a link to the origin.
	origin := StartGstOrigin(t, GstOptions{Addr: top.OriginAddr, Host: top.Origin})
	capture := StartCapture(t, top.Gateway, OriginLink, "udp")
	p := Play(t, FFmpeg("udp"), origin.URL(), top.Gateway)
	p.WaitFrames(10, 10, 30*time.Second)
	p.End()
	if n := len(capture.End()); n < 20 {
		t.Errorf("captured %d datagrams of the player", n)
	}
	arrived := StartCapture(t, top.Origin, HostLink, "udp port 9999")
	left := StartCapture(t, top.Client, HostLink, "udp port 9999")
	top.Client.SendUDP(netip.AddrPortFrom(top.OriginAddr, 9999))
	Eventually(5*time.Second, func() bool { return len(left.Packets()) >= 5 })
	if n := len(left.End()); n != 5 {
		t.Errorf("the client sent %d datagrams, want 5", n)
	}
	if got := arrived.End(); len(got) != 0 {
		t.Errorf("%d datagrams went past the gateway: %v", len(got), got)
	}
	if got := top.Gateway.Sockets(); len(got) != 0 {
		t.Errorf("sockets open on the gateway: %v", got)
	}
}
