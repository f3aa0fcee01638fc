package player_test

import (
	"bytes"
	"context"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"mediagate/internal/asf"
	"mediagate/internal/origin"
	"mediagate/internal/player"
)

// startMMS runs an origin for the test, with MMS at a free port.
func startMMS(t *testing.T, address string, cfg origin.Config) *origin.Server {
	t.Helper()
	cfg.MMS = netip.AddrPortFrom(netip.MustParseAddr(address), 0)
	return start(t, address, cfg)
}

// held is how many connections of MMS and HTTP an origin has.
func held(s *origin.Server) int {
	l := s.Snapshot()
	return l.Connections + l.HTTPConnections
}

// noConnections waits until the origin has let its connections go, which it does after it has closed them.
func noConnections(t *testing.T, s *origin.Server) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(20 * time.Second); held(s) > 0; <-tick.C {
		if time.Now().After(deadline) {
			t.Errorf("%d connections left", held(s))
			return
		}
	}
}

// TestPlayMMSOrigin plays from the embedded origin and holds the file against the origin's, packet for packet.
func TestPlayMMSOrigin(t *testing.T) {
	sample := samplePackets(t)
	want := uint64(len(sample.Packets))
	for _, c := range []struct {
		name, address, scheme, user string
		cfg                         origin.Config
		transport                   string
		entries                     uint64
		resent                      bool
	}{
		{"udp", "127.0.0.120", "mmsu", "", origin.Config{}, "udp", 1, false},
		{"tcp", "127.0.0.121", "mmst", "", origin.Config{}, "tcp", 1, false},
		{"udp or tcp", "127.0.0.122", "mms", "", origin.Config{}, "udp", 1, false},
		{"udp refused", "127.0.0.123", "mms", "", origin.Config{RefuseUDP: true}, "tcp", 1, false},
		{"resends", "127.0.0.124", "mmsu", "", origin.Config{DropEvery: 5}, "udp", 1, true},
		{
			"credentials", "127.0.0.125", "mmsu", "alice:secret@",
			origin.Config{Users: map[string]string{"alice": "secret"}}, "udp", 1, false,
		},
		{"playlist over udp", "127.0.0.126", "mmsu", "", origin.Config{Playlist: true, DropEvery: 7}, "udp", 2, true},
		{"playlist over tcp", "127.0.0.127", "mmst", "", origin.Config{Playlist: true}, "tcp", 2, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if c.cfg.Speed == 0 {
				c.cfg.Speed = 8
			}
			s := startMMS(t, c.address, c.cfg)
			var file memory
			r := play(t, player.Options{
				URL:    c.scheme + "://" + c.user + s.MMSAddr().String() + "/sample.wmv",
				Output: &file, Resend: true, PacketPair: true,
			})
			if r.Transport != c.transport || r.Packets != want*c.entries || r.Lost != 0 || !r.EndOfStream || r.Streams != 2 ||
				(r.Resent > 0) != c.resent || r.Server != "9.1.1.5001" {
				t.Errorf("report %+v", r)
			}
			if from := netip.AddrPortFrom(s.Addr().Addr(), origin.DefaultMediaPort); c.transport == "udp" &&
				(len(r.MediaSources) != 1 || r.MediaSources[0] != from) {
				t.Errorf("media from %v", r.MediaSources)
			}
			noConnections(t, s)
			f, err := asf.Parse(file.b)
			if err != nil {
				t.Fatal(err)
			}
			if !slices.EqualFunc(f.Packets, sample.Packets, bytes.Equal) || f.PacketCount != want {
				t.Errorf("%d packets in the file, which says %d, are not those of the origin", len(f.Packets), f.PacketCount)
			}
		})
	}
}

// TestStopMMS ends before the end: by the duration, by the caller, by the origin.
func TestStopMMS(t *testing.T) {
	for _, c := range []struct{ scheme, address string }{{"mmsu", "127.0.0.128"}, {"mmst", "127.0.0.129"}} {
		t.Run(c.scheme, func(t *testing.T) {
			t.Parallel()
			s := startMMS(t, c.address, origin.Config{})
			u := c.scheme + "://" + s.MMSAddr().String() + "/sample.asf"
			r := play(t, player.Options{URL: u, Duration: 500 * time.Millisecond, Start: 2 * time.Second})
			if steps := strings.Join(r.Steps, "; "); r.EndOfStream || r.Packets == 0 || !strings.HasSuffix(steps, "closed the file") {
				t.Errorf("report %+v", r)
			}
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			if _, err := player.Play(ctx, player.Options{URL: u, Output: &atFirst{do: cancel}}); err == nil {
				t.Error("no error of an ended context")
			}
			noConnections(t, s)
			stop := &atFirst{do: func() { _ = s.Close() }}
			if r, err := player.Play(t.Context(), player.Options{URL: u, Output: stop}); err == nil || r.Packets == 0 || r.EndOfStream {
				t.Errorf("the origin is gone: report %+v, error %v", r, err)
			}
		})
	}
}

func TestRedirectMMSOrigin(t *testing.T) {
	to := startMMS(t, "127.0.0.126", origin.Config{Speed: 50})
	s := startMMS(t, "127.0.0.127", origin.Config{Redirect: map[string]string{"/film.wmv": to.MMSURL("/sample.wmv")}})
	r := play(t, player.Options{URL: "mms://" + s.MMSAddr().String() + "/film.wmv"})
	if !r.EndOfStream || len(r.MediaSources) != 1 || r.MediaSources[0].Addr() != to.Addr().Addr() {
		t.Errorf("report %+v", r)
	}
}
