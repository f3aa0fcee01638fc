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

// startHTTP runs an origin for the test, with HTTP at a free port.
func startHTTP(t *testing.T, address string, cfg origin.Config) *origin.Server {
	t.Helper()
	cfg.HTTP = netip.AddrPortFrom(netip.MustParseAddr(address), 0)
	return start(t, address, cfg)
}

// TestPlayHTTPOrigin plays from the embedded origin and holds the file against the origin's, packet for packet.
func TestPlayHTTPOrigin(t *testing.T) {
	sample := samplePackets(t)
	want := uint64(len(sample.Packets))
	for _, c := range []struct {
		name, address, scheme, user string
		cfg                         origin.Config
		opts                        player.Options
		entries                     uint64
	}{
		{"plain", "127.0.0.120", "http", "", origin.Config{}, player.Options{}, 1},
		{"packet pair", "127.0.0.121", "mmsh", "", origin.Config{}, player.Options{PacketPair: true}, 1},
		{
			"credentials", "127.0.0.122", "http", "alice:secret@",
			origin.Config{Users: map[string]string{"alice": "secret"}}, player.Options{}, 1,
		},
		{"playlist", "127.0.0.123", "http", "", origin.Config{Playlist: true}, player.Options{}, 2},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			c.cfg.Speed = 8
			s := startHTTP(t, c.address, c.cfg)
			var file memory
			c.opts.URL = c.scheme + "://" + c.user + s.HTTPAddr().String() + "/sample.wmv"
			c.opts.Output = &file
			r := play(t, c.opts)
			if r.Transport != "http" || r.Packets != want*c.entries || r.Lost != 0 || !r.EndOfStream || r.Streams != 2 ||
				!strings.HasPrefix(r.Server, "Cougar/9.") || r.Session == "" || len(r.Local) == 0 {
				t.Errorf("report %+v", r)
			}
			noConnections(t, s)
			f, err := asf.Parse(file.b)
			if err != nil {
				t.Fatal(err)
			}
			if !slices.EqualFunc(f.Packets, sample.Packets, bytes.Equal) || f.PacketCount != want {
				t.Errorf("%d packets in the file, which says %d, are not those of the origin", len(f.Packets), f.PacketCount)
			}
			checkHTTPLog(t, s.Snapshot(), c.entries)
		})
	}
}

// checkHTTPLog holds what the origin was asked: one session, one GUID, a Log for each entry.
func checkHTTPLog(t *testing.T, l origin.Log, entries uint64) {
	t.Helper()
	guids, ids, kinds := map[string]bool{}, map[uint32]bool{}, map[string]uint64{}
	for _, q := range l.HTTP {
		guids[q.GUID] = true
		if q.Status == 401 {
			continue
		}
		kinds[q.Kind]++
		ids[q.AnsweredID] = true
		if q.Kind != "Describe" && q.ClientID == 0 {
			t.Errorf("%s without a client-id", q.Kind)
		}
	}
	if len(guids) != 1 || len(ids) != 1 || kinds["Describe"] != 1 || kinds["Play"] != 1 || kinds["Log"] != entries || l.ForeignClientIDs > 0 {
		t.Errorf("requests %v, GUIDs %v, client-ids %v, foreign %d", kinds, guids, ids, l.ForeignClientIDs)
	}
}

// TestStopHTTP ends before the end: by the duration, by the caller, by the origin.
func TestStopHTTP(t *testing.T) {
	s := startHTTP(t, "127.0.0.124", origin.Config{})
	r := play(t, player.Options{URL: s.HTTPURL("/sample.asf"), Duration: 500 * time.Millisecond, Start: 2 * time.Second})
	if steps := strings.Join(r.Steps, "; "); r.EndOfStream || r.Packets == 0 || !strings.Contains(steps, "logged") {
		t.Errorf("report %+v", r)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	if _, err := player.Play(ctx, player.Options{URL: s.HTTPURL("/sample.asf"), Output: &atFirst{do: cancel}}); err == nil {
		t.Error("no error of an ended context")
	}
	noConnections(t, s)
	stop := &atFirst{do: func() { _ = s.Close() }}
	if r, err := player.Play(t.Context(), player.Options{URL: s.HTTPURL("/sample.asf"), Output: stop}); err == nil || r.Packets == 0 || r.EndOfStream {
		t.Errorf("the origin is gone: report %+v, error %v", r, err)
	}
}

// TestSeekHTTP begins in the middle of the file.
func TestSeekHTTP(t *testing.T) {
	s := startHTTP(t, "127.0.0.125", origin.Config{Speed: 8})
	all, some := play(t, player.Options{URL: s.HTTPURL("/sample.wmv")}), play(t, player.Options{URL: s.HTTPURL("/sample.wmv"), Start: 2 * time.Second})
	if some.Packets == 0 || some.Packets >= all.Packets || some.Lost > 0 || !some.EndOfStream {
		t.Errorf("%d packets of %d, %d lost", some.Packets, all.Packets, some.Lost)
	}
}
