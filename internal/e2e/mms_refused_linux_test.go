package e2e

import (
	"net/netip"
	"slices"
	"testing"
	"time"

	"mediagate/internal/lab"
	"mediagate/internal/origin"
)

// TestMMSUDPRefused: where the policy refuses UDP, VLC's mmsu hears so at once,
// by the clock of a capture, and gives up; its mms plays over TCP.
func TestMMSUDPRefused(t *testing.T) {
	sample := lab.SampleASF(t)
	gw := mmsProgram(t, lab.Settings{NoUDP: true, Timeouts: unhurried()}, mmsOrigin(t, lab.Loopback(t), origin.Config{Speed: 4}, nil))
	addr := gw.Addr.Addr()
	d := lab.StartDissection(t, nil, "lo", "host "+addr.String())
	p := lab.PlayMMS(t, lab.VLC("mmsu"), mmsURL(addr, "sample.wmv"), nil)
	p.WaitExit(playLimit)
	if n := len(p.Written()); n > 0 {
		t.Errorf("%d bytes were written", n)
	}
	r := lab.WaitRecord(t, gw.Records, recordLimit, func(r lab.Record) bool { return true })
	if r.Transport == "udp" || r.FirstMedia != nil || r.End == "-T" || r.Why == "" {
		t.Errorf("record: %+v", r)
	}
	const connectFunnel, disconnectedFunnel = 0x02, 0x03
	var asked, told time.Duration
	d.Wait(recordLimit, "ConnectFunnel and ReportDisconnectedFunnel", func(frames []lab.Dissected) bool {
		for _, f := range frames {
			switch {
			case f.ToServer && slices.Contains(f.Commands, connectFunnel):
				asked = f.Time
			case !f.ToServer && slices.Contains(f.Commands, disconnectedFunnel):
				told = f.Time
			}
		}
		return asked > 0 && told > 0
	})
	d.End()
	within(t, "the refusal of UDP", told-asked, atOnce)
	for _, f := range d.Frames() {
		if f.Malformed || f.UDP {
			t.Errorf("frame: %+v", f)
		}
	}
	playsWhole(t, lab.PlayMMS(t, lab.VLC("mms"), mmsURL(addr, "sample.wmv"), nil), sample)
}

// TestMMSDissected: what the gateway writes to players is MMS for a dissector
// that we did not write, resends and packet pairs included.
func TestMMSDissected(t *testing.T) {
	sample := lab.SampleASF(t)
	// The fast engine's trains pass a loopback as they are, and a dissector sees one large datagram.
	gw := mmsProgram(t, lab.Settings{Engine: "plain"}, mmsOrigin(t, lab.Loopback(t), origin.Config{Speed: 4, DropEvery: 10}, nil))
	addr := gw.Addr.Addr()
	d := lab.StartDissection(t, nil, "lo", "host "+addr.String())
	for _, scheme := range []string{"mmsu", "mmst"} {
		start, udp := time.Now(), scheme == "mmsu"
		report := ownPlayer(t, scheme+"://"+addr.String()+"/sample.wmv", sample, udp)
		if from := []netip.AddrPort{netip.AddrPortFrom(addr, 5004)}; udp && !slices.Equal(report.MediaSources, from) {
			t.Errorf("media came from %v", report.MediaSources)
		}
		r := lab.WaitRecord(t, gw.Records, recordLimit, func(r lab.Record) bool { return !r.Start.Before(start.Truncate(time.Millisecond)) })
		if r.ClientLog == nil || (r.ResendRequests > 0) != udp || (r.Resent > 0) != udp || r.Lost > 0 || r.End != "-T" {
			t.Errorf("%s: record: %+v", scheme, r)
		}
	}
	p := lab.PlayMMS(t, lab.VLC("mmst"), mmsURL(addr, "sample.wmv"), nil)
	playsWhole(t, p, sample)
	d.Wait(recordLimit, "three whole sessions", func(frames []lab.Dissected) bool {
		closed := 0
		for _, f := range frames {
			if f.ToServer && slices.Contains(f.Commands, 0x0d) {
				closed++
			}
		}
		return closed == 3
	})
	d.End()
	judgeDissection(t, d.Frames(), addr, sample)
}
