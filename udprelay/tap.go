package udprelay

import (
	"bytes"
	"net/netip"
	"time"
)

// Tap is shown each datagram that came for a flow, by the goroutine that passes it on: it must not wait, keeps nothing of
// b and was, and is called for several sockets at a time.
//
// origin says which side the datagram came from: from is its sender, local our end. If it goes on, it does from out to
// to, and why is ""; else out and to are invalid and why is the name of a DropReason. b is what goes on, and was what had
// come if that is another: a resend request with the ID of the other side. What the kernel refuses to send after that is
// counted in Stats only.
type Tap interface {
	Datagram(at time.Time, origin bool, from, local, out, to netip.AddrPort, b, was []byte, why string)
}

// show shows the tap what was decided on a datagram.
func (f *Flow) show(s *socket, from, to netip.AddrPort, b []byte, reason DropReason, now time.Time) {
	local := s.conn.LocalAddrPort()
	if reason != DropNone {
		f.tap.Datagram(now, s.side == Origin, from, local, netip.AddrPort{}, netip.AddrPort{}, b, nil, reason.String())
		return
	}
	var was []byte
	if f.mms != nil && s.side == Client {
		if way := f.mms.way.Load(); way != nil && way.client != way.origin {
			was = bytes.Clone(b) // requests are few: the limit sees to it
			putMMSClientID(was, way.client)
		}
	}
	f.tap.Datagram(now, s.side == Origin, from, local, f.legs[s.side.other()].sock[s.k].conn.LocalAddrPort(), to, b, was, "")
}
