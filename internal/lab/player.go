package lab

import (
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// PlayerKind is one way of one player; see docs/testing-players.md for what
// each needs.
type PlayerKind struct {
	Name      string         // "ffmpeg/udp"
	Transport string         // as the session record names it: "udp" or "interleaved"
	Audio     bool           // decoded audio is counted too
	End       syscall.Signal // asks for an orderly end with TEARDOWN

	program string
	args    func(url string) []string
	stdout  func(p *Player) func(line string)
}

// Players lists every player and transport of the interop tests, for streams
// of H.264 and AAC.
func Players() []PlayerKind {
	return []PlayerKind{
		FFmpeg("udp"), FFmpeg("tcp"), GStreamer("udp"), GStreamer("tcp"), MPlayer(),
	}
}

// transportName maps a player's word for a transport to the record's.
func transportName(lower string) string {
	if lower == "tcp" {
		return "interleaved"
	}
	return lower
}

// FFmpeg is ffmpeg(1) over "udp", "tcp" or "any", which is UDP and, if that is
// refused or brings nothing for three seconds, TCP. It decodes both streams and prints
// one line for each decoded frame (framecrc), so nothing is guessed from a
// status line. FFmpeg probes before it decodes: -analyzeduration bounds that.
func FFmpeg(lower string) PlayerKind {
	return PlayerKind{
		Name: "ffmpeg/" + lower, Transport: transportName(lower), Audio: true, End: syscall.SIGINT,
		program: "ffmpeg",
		args: func(url string) []string {
			args := []string{"-nostdin", "-hide_banner", "-loglevel", "info", "-analyzeduration", "1000000"}
			if lower != "any" {
				args = append(args, "-rtsp_transport", lower)
			} else {
				args = append(args, "-timeout", "3000000") // µs without media; else it waits for ever
			}
			return append(args, "-i", url, "-f", "framecrc", "-flush_packets", "1", "-")
		},
		stdout: framecrcLines,
	}
}

// GStreamer is gst-launch-1.0 with rtspsrc over "udp", "tcp" or "udp+tcp", which
// is TCP when UDP brings nothing for five seconds, decoding H.264
// and AAC into two sinks that tell of each buffer.
func GStreamer(lower string) PlayerKind {
	return PlayerKind{
		Name: "gstreamer/" + lower, Transport: transportName(lower), Audio: true, End: syscall.SIGINT,
		program: "gst-launch-1.0",
		args: func(url string) []string {
			return strings.Fields("-v rtspsrc name=src latency=200 protocols=" + lower + " location=" + url +
				" src. ! application/x-rtp,media=video ! rtph264depay ! avdec_h264 ! fakesink name=video silent=false sync=false" +
				" src. ! application/x-rtp,media=audio ! rtpmp4gdepay ! avdec_aac ! fakesink name=audio silent=false sync=false")
		},
		stdout: sinkLines,
	}
}

// InTLS is a GStreamer that does not ask who has signed a certificate.
func InTLS(gstreamer PlayerKind) PlayerKind {
	plain := gstreamer.args
	gstreamer.args = func(url string) []string {
		args := plain(url)
		i := slices.Index(args, "rtspsrc")
		return slices.Insert(args, i+1, "tls-validation-flags=0")
	}
	return gstreamer
}

// Patient is a player of UDP, and perhaps TCP, that waits so long for media before it does something else.
func Patient(kind PlayerKind, wait time.Duration) PlayerKind {
	plain, text := kind.args, strconv.FormatInt(wait.Microseconds(), 10)
	kind.args = func(url string) []string {
		args := plain(url)
		if i := slices.Index(args, "-timeout"); i >= 0 { // FFmpeg
			args[i+1] = text
			return args
		}
		return slices.Insert(args, slices.Index(args, "rtspsrc")+1, "timeout="+text)
	}
	return kind
}

// GStreamerASF is gst-launch-1.0 over "udp" or "tcp" for x-asf-pf of an origin
// that it takes for Windows Media Services. All streams come in one RTP flow:
// the default jitter buffer would wait for the other (players.md).
func GStreamerASF(lower string) PlayerKind {
	kind := GStreamer(lower)
	kind.args = func(url string) []string {
		return strings.Fields("-v rtspsrc latency=200 buffer-mode=slave protocols=" + lower + " location=" + url +
			" ! rtpasfdepay ! decodebin name=d" +
			" d. ! video/x-raw ! fakesink name=video silent=false sync=false" +
			" d. ! audio/x-raw ! fakesink name=audio silent=false sync=false")
	}
	return kind
}

// MPlayer is mplayer(1) over UDP, its default. Its status line has no number
// of frames, but at message level 8 its clock writes a line for each frame that
// it shows. Audio is not counted: this MPlayer cannot decode the AAC of
// GStreamer's server, without a gateway either.
func MPlayer() PlayerKind {
	return PlayerKind{
		Name: "mplayer/udp", Transport: "udp", End: syscall.SIGINT,
		program: "mplayer",
		args: func(url string) []string {
			return []string{"-noconfig", "all", "-nolirc", "-noconsolecontrols", "-msglevel", "avsync=8",
				"-vo", "null", "-ao", "null", url}
		},
		stdout: clockLines,
	}
}

// Player is a running player.
type Player struct {
	*Proc
	Kind PlayerKind

	t       testing.TB
	mu      sync.Mutex
	video   int           // decoded video frames
	audio   int           // decoded audio buffers
	changed chan struct{} // capacity 1: a count changed; a full channel already says so
}

// Play starts a player on url, in a namespace if host is not nil.
func Play(t testing.TB, kind PlayerKind, url string, host *Host) *Player {
	t.Helper()
	Need(t, kind.program)
	p := &Player{Kind: kind, t: t, changed: make(chan struct{}, 1)}
	// MPlayer writes a folder of settings into HOME.
	home := "HOME=" + t.TempDir()
	p.Proc = Start(t, Command{Path: kind.program, Args: kind.args(url), Env: []string{home}, Host: host, Stdout: kind.stdout(p)})
	return p
}

// Frames gives what was decoded so far.
func (p *Player) Frames() (video, audio int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.video, p.audio
}

// WaitFrames waits until as many video frames, and for a kind that counts
// audio as many audio buffers, were decoded. It fails the test with the
// player's output when the time is over or the player ended before.
func (p *Player) WaitFrames(video, audio int, within time.Duration) {
	p.t.Helper()
	if !p.Kind.Audio {
		audio = 0
	}
	deadline := time.NewTimer(within)
	defer deadline.Stop()
	for {
		gotVideo, gotAudio := p.Frames()
		if gotVideo >= video && gotAudio >= audio {
			return
		}
		select {
		case <-p.changed:
		case <-p.Done():
			if v, a := p.Frames(); v < video || a < audio {
				p.t.Fatalf("lab: %s ended with %d video and %d audio frames, want %d and %d\n%s",
					p.Kind.Name, v, a, video, audio, p.Output())
			}
			return
		case <-deadline.C:
			p.t.Fatalf("lab: %s has %d video and %d audio frames after %v, want %d and %d\n%s",
				p.Kind.Name, gotVideo, gotAudio, within, video, audio, p.Output())
		}
	}
}

// WaitMore waits for as many more frames of each kind: when they have come, so has what was sent the same way before them.
func (p *Player) WaitMore(n int, within time.Duration) {
	p.t.Helper()
	video, audio := p.Frames()
	p.WaitFrames(video+n, audio+n, within)
}

// End asks the player to end in order, with TEARDOWN, and waits for it.
func (p *Player) End() { p.Stop(p.Kind.End) }

// count sets or adds to the counters and wakes a waiter.
func (p *Player) count(f func()) {
	p.mu.Lock()
	f()
	p.mu.Unlock()
	select {
	case p.changed <- struct{}{}:
	default:
	}
}

// framecrcLines counts lines like "0, 12, 12, 1, 31104, 0x1bcfa2ff"; stream 0
// is video, stream 1 audio (FFmpeg orders its output so).
func framecrcLines(p *Player) func(string) {
	return func(line string) {
		switch {
		case strings.HasPrefix(line, "0,"):
			p.count(func() { p.video++ })
		case strings.HasPrefix(line, "1,"):
			p.count(func() { p.audio++ })
		}
	}
}

// sinkLines counts what the sinks named video and audio say of each buffer.
func sinkLines(p *Player) func(string) {
	return func(line string) {
		if !strings.Contains(line, "last-message = chain") {
			return
		}
		switch {
		case strings.Contains(line, "GstFakeSink:video:"):
			p.count(func() { p.video++ })
		case strings.Contains(line, "GstFakeSink:audio:"):
			p.count(func() { p.audio++ })
		}
	}
}

// clockLines counts lines like "*** ftime=0.040 ***".
func clockLines(p *Player) func(string) {
	return func(line string) {
		if strings.HasPrefix(line, "*** ftime=") {
			p.count(func() { p.video++ })
		}
	}
}
