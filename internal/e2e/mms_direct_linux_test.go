package e2e

import (
	"bytes"
	"net/netip"
	"slices"
	"testing"

	"mediagate/internal/asf"
	"mediagate/internal/lab"
	"mediagate/internal/origin"
	"mediagate/internal/player"
)

// Commands of a whole session in order, as low halves of their MIDs: what a
// player sends (FunnelInfo, StreamSwitch and CloseFile are not every player's)
// and what an origin answers.
var (
	mmsSent     = []uint16{0x01, 0x02, 0x05, 0x15, 0x07}
	mmsAnswered = []uint16{0x01, 0x02, 0x06, 0x11, 0x05, 0x1e}
)

// TestMMSPlayersDirect plays from the embedded origin with no gateway between:
// players and a dissector that we did not write agree that what it sends is
// MMS, so that gateway and origin cannot share a mistake. What the players
// write is the file, packet for packet.
func TestMMSPlayersDirect(t *testing.T) {
	addr, sample, kinds := lab.Loopback(t), lab.SampleASF(t), lab.MMSPlayers()
	d := lab.StartDissection(t, nil, "lo", "host "+addr.String())
	mmsOrigin(t, addr, origin.Config{}, sample, filesOf(kinds)...)
	plays := startAll(t, kinds, addr, nil)
	for _, p := range plays {
		t.Run(p.Kind.Name, func(t *testing.T) { playsWhole(t, p, sample) })
	}
	whole := func(frames []lab.Dissected) bool {
		n := 0
		for _, s := range mmsStreams(frames) {
			if inOrder(s.sent, mmsSent) && inOrder(s.answered, mmsAnswered) {
				n++
			}
		}
		return n >= len(kinds)
	}
	d.Wait(recordLimit, "a whole session of each player", whole)
	d.End()
	judgeDissection(t, d.Frames(), addr, sample)
}

// TestMMSSeekDirect: libmms asks for another position while packets are coming,
// with no StopPlaying before, and writes the rest of the file from there.
func TestMMSSeekDirect(t *testing.T) {
	sample := lab.SampleASF(t)
	from := mmsOrigin(t, lab.Loopback(t), origin.Config{Speed: 4}, nil)
	seeks(t, from.Addr.Addr(), sample)
}

// seeks plays from the second second on, which libmms takes for 5.1: it adds
// the file's preroll of 3.1 s.
func seeks(t *testing.T, server netip.Addr, sample []byte) {
	t.Helper()
	p := lab.PlayMMS(t, lab.LibMMS("mmst", "-s", "2"), "mms://"+server.String()+"/sample.wmv", nil)
	got := p.WaitEnd(sample, playLimit)
	first := lab.FirstPacket(got, sample)
	if first < 40 || first > 120 {
		t.Fatalf("the first packet after the header is number %d of 157", first)
	}
	if diff := lab.DiffASF(got, sample, first); diff != "" {
		t.Errorf("after a seek: %s", diff)
	}
}

// TestMMSOwnPlayerDirect: what only the built-in player does here (packet
// pairs, resend requests, a log) is MMS for the dissector too.
func TestMMSOwnPlayerDirect(t *testing.T) {
	addr, sample := lab.Loopback(t), lab.SampleASF(t)
	d := lab.StartDissection(t, nil, "lo", "host "+addr.String())
	mmsOrigin(t, addr, origin.Config{Speed: 4, DropEvery: 10}, nil)
	for _, scheme := range []string{"mmsu", "mmst"} {
		ownPlayer(t, scheme+"://"+addr.String()+"/sample.wmv", sample, scheme == "mmsu")
	}
	d.Wait(recordLimit, "resend requests and both sessions", func(frames []lab.Dissected) bool {
		resend, closed := 0, 0
		for _, f := range frames {
			resend += f.Resend
			if f.ToServer && slices.Contains(f.Commands, 0x0d) {
				closed++
			}
		}
		return resend >= 15 && closed == 2
	})
	d.End()
	judgeDissection(t, d.Frames(), addr, sample)
}

// ownPlayer plays a whole file with the built-in player and compares what it
// writes with the file.
func ownPlayer(t *testing.T, url string, file []byte, resent bool) *player.Report {
	t.Helper()
	var got bytes.Buffer
	report, err := player.Play(t.Context(), player.Options{URL: url, Resend: true, PacketPair: true, Output: &got})
	if err != nil {
		t.Fatalf("play %s: %v: %+v", url, err, report)
	}
	if report.Lost != 0 || !report.EndOfStream || (report.Resent > 0) != resent {
		t.Errorf("play %s: %+v", url, report)
	}
	// A buffer cannot be sought in: the header says broadcast, not how many packets.
	if diff := lab.DiffPackets(got.Bytes(), file, 0); diff != "" {
		t.Errorf("play %s: %s", url, diff)
	}
	return report
}

// mmsStream is one MMS connection as the dissector saw it.
type mmsStream struct {
	sent, answered []uint16
	data           int
}

// mmsStreams sorts frames by their TCP connection; those of UDP are under "".
func mmsStreams(frames []lab.Dissected) map[string]*mmsStream {
	all := map[string]*mmsStream{}
	for _, f := range frames {
		s := all[f.Stream]
		if s == nil {
			s = &mmsStream{}
			all[f.Stream] = s
		}
		if f.ToServer {
			s.sent = append(s.sent, f.Commands...)
		} else {
			s.answered = append(s.answered, f.Commands...)
		}
		s.data += f.Data
	}
	return all
}

// inOrder says whether all of want are in got, in this order.
func inOrder(got, want []uint16) bool {
	for _, w := range want {
		at := slices.Index(got, w)
		if at < 0 {
			return false
		}
		got = got[at+1:]
	}
	return true
}

// judgeDissection: nothing is malformed, each session has its commands, media
// over UDP came from the one port, and there every packet of the file was seen
// as Data. Over TCP the dissector takes only Data with AFFlags 0 for such: it
// reads the byte as a flag, and ASF data have a number there ([MS-MMSP] 2.2.2).
func judgeDissection(t *testing.T, frames []lab.Dissected, server netip.Addr, file []byte) {
	t.Helper()
	parsed, err := asf.Parse(file)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range frames {
		if f.Malformed {
			t.Errorf("malformed: %+v", f)
		}
		if f.UDP && f.From.Addr() == server && f.From.Port() != 5004 {
			t.Errorf("media from %v", f.From)
		}
	}
	streams := mmsStreams(frames)
	if udp := streams[""]; udp == nil || udp.data < len(parsed.Packets) {
		t.Errorf("data over udp: %+v, want %d packets", udp, len(parsed.Packets))
	}
	delete(streams, "")
	for name, s := range streams {
		if !inOrder(s.sent, mmsSent) || !inOrder(s.answered, mmsAnswered) {
			t.Errorf("stream %s: commands %x, answers %x", name, s.sent, s.answered)
		}
	}
}
