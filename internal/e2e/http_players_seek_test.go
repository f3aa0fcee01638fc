package e2e

import (
	"net/netip"
	"slices"
	"strings"
	"testing"

	"mediagate/internal/lab"
	"mediagate/internal/origin"
)

// TestHTTPPlayersSeek: players that begin elsewhere, or want one stream only, ask
// again on connections of their own, without a client-id. All requests of one
// player meet the same of two nodes, and what it writes is the file from there.
//
// MPlayer has no row: with -ss it reads on from the beginning.
func TestHTTPPlayersSeek(t *testing.T) {
	libmms, ffmpeg := lab.LibMMSH("-s", "2"), lab.FFmpegMMSH("-ss", "5")
	audio, show := lab.VLCHTTP("mmsh", "--no-video"), lab.VLCShow("mmsh", "--start-time", "5", "--run-time", "2")
	kinds, sample := []lab.MMSKind{libmms, ffmpeg, audio, show}, lab.SampleASF(t)
	first, one := webOrigin(t, "one", origin.Config{Speed: 8}, sample, filesOf(kinds)...)
	second, two := webOrigin(t, "two", origin.Config{Speed: 8}, sample, filesOf(kinds)...)
	gw := webProgram(t, lab.Services{Policy: "round-robin"}, one, two)
	play := func(kind lab.MMSKind, at netip.Addr) []byte {
		p := lab.PlayMMS(t, kind, mmsURL(at, fileOf(kind)), nil)
		p.WaitExit(playLimit)
		return p.Written()
	}
	got := play(libmms, gw.Addr.Addr())
	if from := lab.FirstPacket(got, sample); from < 40 || from > 120 {
		t.Errorf("libmms: the first packet after the header is number %d of 157", from)
	} else if diff := lab.DiffASF(got, sample, from); diff != "" {
		t.Errorf("libmms: after a seek: %s", diff)
	}
	// After a seek FFmpeg leaves out the last frame of each stream, without a gateway too.
	if diff := lab.DiffTail(play(ffmpeg, gw.Addr.Addr()), lab.Frames(t, sample), 80, 1); diff != "" {
		t.Errorf("ffmpeg: after a seek: %s", diff)
	}
	if gated, direct := play(audio, gw.Addr.Addr()), play(audio, one.Addr); !slices.Equal(gated, direct) || len(direct) < 50<<10 {
		t.Errorf("vlc, audio alone: %d bytes, without a gateway %d", len(gated), len(direct))
	}
	play(show, gw.Addr.Addr())
	records := gw.FinalRecords(t)
	seen := [2][]origin.HTTPRequest{first.Snapshot().HTTP, second.Snapshot().HTTP}
	for _, tc := range []struct {
		kind     lab.MMSKind
		requests int    // of all its sessions
		said     string // in one of them, of the other place or the other streams
	}{
		{libmms, 4, "stream-time=5100,"}, // it adds the preroll of 3.1 s
		{ffmpeg, 4, "stream-time=5000"},
		{audio, 2, "ffff:1:2 ffff:2:0"},
		{show, 3, "stream-offset=0:1"},
	} {
		t.Run(tc.kind.Name, func(t *testing.T) {
			var asks [2][]origin.HTTPRequest
			for i := range seen {
				asks[i] = slices.DeleteFunc(slices.Clone(seen[i]), func(r origin.HTTPRequest) bool {
					return !strings.HasPrefix(r.Host, gw.Addr.Addr().String()) || !strings.HasSuffix(r.URL, "/"+fileOf(tc.kind))
				})
			}
			judgeSeek(t, records, asks, tc.kind, tc.requests, tc.said)
		})
	}
}

// judgeSeek: one node got all requests, one of which said where or what to play,
// and the records name it. FFmpeg begins its second connection before it has
// closed the first: that is a second session.
func judgeSeek(t *testing.T, records []lab.Record, asks [2][]origin.HTTPRequest, kind lab.MMSKind, want int, said string) {
	t.Helper()
	all, node := asks[0], "one"
	if len(all) == 0 {
		all, node = asks[1], "two"
	}
	if len(asks[0])+len(asks[1]) != want || len(all) != want {
		t.Errorf("the nodes got %d and %d requests, want %d and none", len(asks[0]), len(asks[1]), want)
	}
	if !slices.ContainsFunc(all, func(r origin.HTTPRequest) bool {
		return strings.Contains(strings.Join(r.Header["Pragma"], ",")+",", said)
	}) {
		t.Errorf("no request says %q: %+v", said, all)
	}
	n := 0
	for _, r := range records {
		if !asked(fileOf(kind))(r) {
			continue
		}
		// libmms leaves its first stream before much of it can have come.
		if n += int(r.Requests); !slices.Equal(r.NodesTried, []string{node}) || !slices.Contains([]string{"-T", "CP", "CD"}, r.End) {
			t.Errorf("record: %+v", r)
		}
	}
	if n != want {
		t.Errorf("records of %d requests, want %d", n, want)
	}
}
