package player_test

import (
	"context"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"mediagate/internal/asf"
	"mediagate/internal/lab"
	"mediagate/internal/origin"
	"mediagate/internal/player"
)

func TestMain(m *testing.M) { os.Exit(lab.Quiet(m)) }

// start runs an origin for the test, at an address of its own: its media port is one for all.
func start(t *testing.T, address string, cfg origin.Config) *origin.Server {
	t.Helper()
	cfg.Listen = netip.AddrPortFrom(netip.MustParseAddr(address), 0)
	s, err := origin.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	if err := s.Start(); err != nil {
		t.Fatal(err)
	}
	return s
}

// atFirst is an output that has something done once the first packet is in it.
type atFirst struct {
	once sync.Once
	do   func()
}

func (o *atFirst) Write(b []byte) (int, error) {
	o.once.Do(func() { go o.do() }) // it may wait for who writes
	return len(b), nil
}

func play(t *testing.T, o player.Options) *player.Report {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	r, err := player.Play(ctx, o)
	if err != nil {
		t.Fatalf("%v; steps: %s", err, strings.Join(r.Steps, "; "))
	}
	return r
}

// samplePackets is what a player must get of the bundled sample.
func samplePackets(t *testing.T) *asf.File {
	t.Helper()
	b, err := os.ReadFile("../origin/sample/sample.wmv")
	if err != nil {
		t.Fatal(err)
	}
	f, err := asf.Parse(b)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestPlay(t *testing.T) {
	want := uint64(len(samplePackets(t).Packets))
	users := map[string]string{"alice": "secret"}
	for _, c := range []struct {
		name, address string
		cfg           origin.Config
		opts          player.Options
		scheme, user  string
		transport     string
		packets       uint64
		lost, resent  bool
	}{
		{name: "udp", address: "127.0.0.172", scheme: "rtspu", opts: player.Options{PacketPair: true, Resend: true}, transport: "udp", packets: want},
		{name: "tcp", address: "127.0.0.173", scheme: "rtspt", opts: player.Options{PacketPair: true}, transport: "tcp", packets: want},
		{name: "auto", address: "127.0.0.174", scheme: "rtsp", opts: player.Options{ClientPort: 21000}, transport: "udp", packets: want},
		{
			name: "resends", address: "127.0.0.175", scheme: "rtsp", cfg: origin.Config{DropEvery: 7},
			opts: player.Options{Transport: "udp", Resend: true}, transport: "udp", packets: want, resent: true,
		},
		{
			name: "losses", address: "127.0.0.176", scheme: "rtsp", cfg: origin.Config{DropEvery: 7},
			opts: player.Options{Transport: "udp"}, transport: "udp", packets: want - want/7, lost: true,
		},
		{
			name: "credentials", address: "127.0.0.177", scheme: "rtsp", user: "alice:secret@",
			cfg:  origin.Config{Users: users, StrictURI: true},
			opts: player.Options{Transport: "tcp"}, transport: "tcp", packets: want,
		},
		{
			name: "playlist over udp", address: "127.0.0.178", scheme: "rtspu", cfg: origin.Config{Playlist: true},
			opts: player.Options{Resend: true}, transport: "udp", packets: 2 * want,
		},
		{
			name: "playlist over tcp", address: "127.0.0.179", scheme: "rtspt", cfg: origin.Config{Playlist: true},
			transport: "tcp", packets: 2 * want,
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			c.cfg.Speed = 8
			s := start(t, c.address, c.cfg)
			c.opts.URL = c.scheme + "://" + c.user + s.Addr().String() + "/sample.wmv"
			r := play(t, c.opts)
			if r.Transport != c.transport || r.Packets != c.packets || !r.EndOfStream || r.Streams != 2 ||
				(r.Lost > 0) != c.lost || (r.Resent > 0) != c.resent || r.Server != "WMServer/9.1.1.5001" {
				t.Errorf("report %+v", r)
			}
			if c.transport == "udp" {
				want := netip.AddrPortFrom(s.Addr().Addr(), origin.DefaultMediaPort)
				if len(r.MediaSources) != 1 || r.MediaSources[0] != want {
					t.Errorf("media from %v, want %v", r.MediaSources, want)
				}
			}
			if n := s.Snapshot().Sessions; n != 0 {
				t.Errorf("%d sessions left", n)
			}
		})
	}
}

func TestPlayRefused(t *testing.T) {
	s := start(t, "127.0.0.180", origin.Config{Users: map[string]string{"alice": "secret"}})
	for _, c := range []struct{ name, url string }{
		{"no credentials", "rtsp://" + s.Addr().String() + "/sample.wmv"},
		{"wrong password", "rtsp://alice:wrong@" + s.Addr().String() + "/sample.wmv"},
		{"no such file", "rtsp://alice:secret@" + s.Addr().String() + "/other.wmv"},
		{"no such scheme", "http://" + s.Addr().String() + "/sample.wmv"},
		{"nobody there", "rtsp://127.0.0.181:9/sample.wmv"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if r, err := player.Play(t.Context(), player.Options{URL: c.url}); err == nil || r == nil {
				t.Errorf("report %+v, error %v", r, err)
			}
		})
	}
}

func TestDurationAndCancel(t *testing.T) {
	s := start(t, "127.0.0.181", origin.Config{})
	r := play(t, player.Options{URL: s.URL("/sample.asf"), Duration: 500 * time.Millisecond})
	if r.EndOfStream || r.Packets == 0 {
		t.Errorf("report %+v", r)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	if _, err := player.Play(ctx, player.Options{URL: s.URL("/sample.asf"), Output: &atFirst{do: cancel}}); err == nil {
		t.Error("no error of an ended context")
	}
	if n := s.Snapshot().Sessions; n != 0 {
		t.Errorf("%d sessions left", n)
	}
}

// TestFile plays into a file and lets ffprobe count its frames.
func TestFile(t *testing.T) {
	sample := samplePackets(t)
	for _, c := range []struct {
		name, address, scheme string
		drop                  int
	}{{"udp", "127.0.0.170", "rtspu", 5}, {"tcp", "127.0.0.171", "rtspt", 0}} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := start(t, c.address, origin.Config{Speed: 8, DropEvery: c.drop})
			path := filepath.Join(t.TempDir(), "out.asf")
			file, err := os.Create(path)
			if err != nil {
				t.Fatal(err)
			}
			play(t, player.Options{URL: c.scheme + "://" + s.Addr().String() + "/sample.wmv", Output: file, Resend: true})
			if err := file.Close(); err != nil {
				t.Fatal(err)
			}
			b, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			f, err := asf.Parse(b)
			if err != nil || len(f.Packets) != len(sample.Packets) || f.PacketCount != sample.PacketCount {
				t.Fatalf("%d packets of %d, error %v", len(f.Packets), len(sample.Packets), err)
			}
			if _, err := exec.LookPath("ffprobe"); err != nil {
				t.Logf("frames not counted: %v", err)
				return
			}
			if got, want := frames(t, path), frames(t, "../origin/sample/sample.wmv"); got != want {
				t.Errorf("frames %q, want %q", got, want)
			}
		})
	}
}

// frames decodes a file and returns the number of frames of each stream.
func frames(t *testing.T, path string) string {
	t.Helper()
	out, err := exec.Command("ffprobe", "-v", "error", "-count_frames", "-show_entries", "stream=index,nb_read_frames",
		"-of", "csv", path).Output()
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}
