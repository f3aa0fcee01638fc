package decode

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write the golden files anew")

// captures are the files of testdata/pcap by their names without endings.
func captures(t testing.TB) map[string]string {
	t.Helper()
	paths, err := filepath.Glob("../../testdata/pcap/*.gz")
	if err != nil || len(paths) < 20 {
		t.Fatalf("captures: %d found, %v", len(paths), err)
	}
	out := map[string]string{}
	for _, p := range paths {
		name, _, _ := strings.Cut(filepath.Base(p), ".")
		out[name] = p
	}
	return out
}

func readCapture(t testing.TB, path string) *Report {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	r, err := Read(f, Limits{})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("%v; -update writes it", err)
	}
	if d := cmp.Diff(string(want), string(got)); d != "" {
		t.Errorf("%s differs (-want +got):\n%s", name, d)
	}
}

func TestGolden(t *testing.T) {
	for name, path := range captures(t) {
		t.Run(name, func(t *testing.T) {
			var text bytes.Buffer
			if err := readCapture(t, path).WriteText(&text, TextOptions{}); err != nil {
				t.Fatal(err)
			}
			golden(t, name+".txt", text.Bytes())
		})
	}
}

func TestGoldenJSON(t *testing.T) {
	for _, name := range []string{"rtsp-nat-ffmpeg-gst", "mmsu-vlc-gateway"} {
		t.Run(name, func(t *testing.T) {
			var doc bytes.Buffer
			if err := readCapture(t, captures(t)[name]).WriteJSON(&doc); err != nil {
				t.Fatal(err)
			}
			golden(t, name+".json", doc.Bytes())
		})
	}
}

func TestBriefAndOnly(t *testing.T) {
	var text bytes.Buffer
	if err := readCapture(t, captures(t)["mmsu-blocked-vlc-gateway"]).WriteText(&text, TextOptions{Brief: true, Only: 2}); err != nil {
		t.Fatal(err)
	}
	golden(t, "brief.txt", text.Bytes())
}

// TestVerdicts holds each staged fault to the code that must be found in it, and what plays to none above a note.
func TestVerdicts(t *testing.T) {
	for name, want := range map[string][]string{
		"mmsh-ffmpeg-gateway":            nil,
		"mmsh-ffmpeg-vlc":                nil,
		"mmst-mplayer-gateway":           nil,
		"mmst-vlc-gateway":               nil,
		"mmsu-vlc-gateway":               nil,
		"mmsu-loss-play-gateway":         nil, // lost and sent again
		"rtsp-udp-ffmpeg-gst":            nil,
		"rtsp-udp-gst-gst":               nil,
		"rtsp-tcp-gst-gst":               nil,
		"rtsph-gst-gst":                  nil,
		"rtsp-digest-ffmpeg-gst":         nil,
		"mmsu-blocked-vlc-gateway":       {"no-media"},
		"mmst-404-ffmpeg-gateway":        {"refused"},
		"rtsp-404-ffmpeg-gst":            {"refused"},
		"rtsp-blocked-ffmpeg-gst":        {"no-media"},
		"rtsp-rejected-ffmpeg-gst":       {"icmp"},
		"rtsp-loss-ffmpeg-gst":           {"lost-between"},
		"rtsp-legs-ffmpeg-gateway":       {"lost-between", "lost"},
		"rtsp-nat-ffmpeg-gst":            {"icmp", "nat-client"},
		"rtsp-wrong-port-ffmpeg-gst":     {"unnegotiated-port"},
		"rtsp-wrong-password-ffmpeg-gst": {"credentials"},
		"rtsp-refused-ffmpeg":            {"connect-refused"},
		"rtsp-server-dies-ffmpeg-gst":    {"no-goodbye"},
		"rtsp-player-dies-ffmpeg-gst":    nil,
	} {
		t.Run(name, func(t *testing.T) {
			path, ok := captures(t)[name]
			if !ok {
				t.Fatal("no such capture")
			}
			var got []string
			for _, f := range readCapture(t, path).Findings {
				if f.Level != levelNote && !slices.Contains(got, f.Code) {
					got = append(got, f.Code)
				}
			}
			if d := cmp.Diff(want, got); d != "" {
				t.Errorf("codes of findings (-want +got):\n%s", d)
			}
		})
	}
}

// TestSecrets looks for what must not be printed: passwords, and the signatures that are made of them.
func TestSecrets(t *testing.T) {
	for _, name := range []string{"rtsp-digest-ffmpeg-gst", "rtsp-wrong-password-ffmpeg-gst"} {
		var doc bytes.Buffer
		r := readCapture(t, captures(t)[name])
		if err := r.WriteJSON(&doc); err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(doc.String(), `Digest username=\"user\"`) || !strings.Contains(doc.String(), "response=***") {
			t.Errorf("%s: the user of the Digest is not shown, or its response is not hidden", name)
		}
		for _, secret := range []string{"user:secret", "user:wrong"} {
			if strings.Contains(doc.String(), secret) {
				t.Errorf("%s: shows %q", name, secret)
			}
		}
	}
}
