package mms

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"

	"mediagate/mms/mmswire"
)

// check holds what a "=" line says against the world.
func (w *world) check(what string) error {
	synctest.Wait()
	kind, rest, _ := strings.Cut(what, " ")
	switch kind {
	case "flow":
		return w.checkFlow(rest)
	case "resend":
		return w.checkResend(rest)
	case "end":
		return w.checkEnd(rest)
	case "client":
		return w.client().is(rest)
	}
	got, origin := "", w.origin()
	switch {
	case kind == "flows":
		got = fmt.Sprint(w.relay.InUse())
	case (kind == "origin" || kind == "node") && origin == nil:
		return errors.New("there is no origin connection")
	case kind == "origin":
		return origin.is(rest)
	case kind == "node":
		got = origin.gateway.remote.String()
	default:
		return w.checkRecord(kind, rest)
	}
	if got != rest {
		return fmt.Errorf("%s is %s, want %s", kind, got, rest)
	}
	return nil
}

// checkRecord: "tried wms1 wms2", "url mms://...", "transport udp": what the record of the ended session says.
func (w *world) checkRecord(kind, want string) error {
	if w.ended == nil {
		return fmt.Errorf("no such check %q, or no session has ended", kind)
	}
	got, r := "", w.ended
	switch kind {
	case "tried":
		got = strings.Join(r.NodesTried, " ")
	case "url":
		got = r.URL
	case "agent":
		got = r.UserAgent
	case "transport":
		got = r.Transport
	case "drops":
		got = fmt.Sprint(r.Drops)
	case "media":
		got = fmt.Sprintf("%d of %d bytes, resend requests %d", r.ToClient.Packets, r.ToClient.Bytes, r.ResendRequests)
	case "log":
		got = "none"
		if l := r.ClientLog; l != nil {
			got = fmt.Sprintf("%s %s %s: %d received, %d lost, %d recovered", l.PlayerVersion, l.HostExe, l.Transport, l.PacketsReceived, l.PacketsLost, l.PacketsRecovered)
		}
	default:
		return fmt.Errorf("no such check %q", kind)
	}
	if got != want {
		return fmt.Errorf("the record has %s %s, want %s", kind, got, want)
	}
	return nil
}

// checkFlow: "origin 198.51.100.1:5004 > 20000 | 5004 > client 7000": a Data packet from there to our port leaves here to
// there; "... | nowhere": it does not.
func (w *world) checkFlow(rest string) error {
	var from string
	var in, out, to uint16
	var lost bool
	if head, ok := strings.CutSuffix(rest, " | nowhere"); ok {
		lost, rest = true, head+" | 0 > client 0"
	}
	if _, err := fmt.Sscanf(rest, "origin %s > %d | %d > client %d", &from, &in, &out, &to); err != nil {
		return fmt.Errorf("flow %q: %w", rest, err)
	}
	packet := mmswire.AppendData(nil, mmswire.Data{LocationID: uint32(in), PlayIncarnation: 4, Payload: []byte(from)})
	want := fmt.Sprintf("%d > %s", out, netip.AddrPortFrom(w.player.Addr(), to))
	if lost {
		want = ""
	}
	err := w.udp.deliver(in, netip.MustParseAddrPort(from), packet)
	if err != nil && !lost {
		return err
	}
	synctest.Wait()
	if got := w.udp.sent(packet); got != want {
		return fmt.Errorf("packet from %s to our %d left as %q, want %q", from, in, got, want)
	}
	return nil
}

// checkResend: "client 7000 > 1755 id 7 | 20000 > 198.51.100.1:1755 id 9": a request to resend packets, from the player's
// port to ours, reaches the origin with the identifier that the origin gave; "... | nowhere": it does not.
func (w *world) checkResend(rest string) error {
	var from, in, out uint16
	var id, as uint32
	var to string
	var lost bool
	if head, ok := strings.CutSuffix(rest, " | nowhere"); ok {
		lost, rest = true, head+" | 0 > - id 0"
	}
	if _, err := fmt.Sscanf(rest, "client %d > %d id %v | %d > %s id %v", &from, &in, &id, &out, &to, &as); err != nil {
		return fmt.Errorf("resend %q: %w", rest, err)
	}
	ask := func(id uint32) []byte {
		return mmswire.AppendResend(nil, mmswire.ResendRequest{ClientID: id, SourceID: 1, Packets: []uint32{3, 4}})
	}
	err := w.udp.deliver(in, netip.AddrPortFrom(w.player.Addr(), from), ask(id))
	if err != nil && !lost {
		return err
	}
	synctest.Wait()
	want := fmt.Sprintf("%d > %s", out, to)
	if lost {
		want, as = "", id
	}
	if got := w.udp.sent(ask(as)); got != want {
		return fmt.Errorf("resend request left as %q, want %q", got, want)
	}
	return nil
}

// checkEnd: "-T the player closed the file": the oldest session that ended, its end state and words of its why.
func (w *world) checkEnd(rest string) error {
	want, why, _ := strings.Cut(rest, " ")
	select {
	case r := <-w.records:
		w.ended = r
		if r.End.String() != want || !strings.Contains(r.Why, why) {
			return fmt.Errorf("the session ended %s %q, want %s with %q", r.End, r.Why, want, why)
		}
		return nil
	default:
		return errors.New("no session has ended")
	}
}

// is: "is closed", "is open", "gets nothing".
func (e *end2) is(rest string) error {
	closed := e.closed()
	switch {
	case rest == "is closed" && !closed:
		return errors.New("the connection is open")
	case rest == "is open" && closed:
		return errors.New("the connection is closed")
	case rest == "gets nothing" && len(e.got) > 0:
		return fmt.Errorf("received %s", <-e.got)
	case rest != "is closed" && rest != "is open" && rest != "gets nothing":
		return fmt.Errorf("no such check %q", rest)
	}
	return nil
}

// nothingLeft holds after the end of everything: no conversation, no client ID, no port, no lease.
func (w *world) nothingLeft(t *testing.T) {
	t.Helper()
	if n := w.proxy.Sessions(); n != 0 {
		t.Errorf("%d conversations are left", n)
	}
	if n := len(w.proxy.clientIDs); n != 0 {
		t.Errorf("%d client IDs are left", n)
	}
	for _, n := range w.pool.Snapshot() {
		if n.Sessions != 0 {
			t.Errorf("node %s: %d leases are left", n.Node.Name, n.Sessions)
		}
	}
	w.relay.Close()
	if n := w.relay.InUse(); n != 0 {
		t.Errorf("%d flows are left", n)
	}
	_ = w.origin()
	for _, e := range append(w.clients, w.origins...) {
		if err := e.gateway.wrote(); err != nil {
			t.Errorf("the gateway wrote: %v", err)
		}
	}
}

// dataOf is a Data packet of the stream that usual StartPlaying asks for.
func dataOf(n int) []byte {
	return mmswire.AppendData(nil, mmswire.Data{LocationID: uint32(n), PlayIncarnation: 4, AFFlags: uint8(n), Payload: []byte("media")})
}
