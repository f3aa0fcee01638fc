package lab

import (
	"os"
	"testing"
	"time"
)

func TestMain(m *testing.M) { os.Exit(Main(m)) }

// TestPlayers proves the bed: each player decodes from each origin without a
// gateway between them.
func TestPlayers(t *testing.T) {
	Need(t, "ffmpeg", "gst-launch-1.0", "mplayer", "/usr/bin/python3")
	gst := StartGstOrigin(t, GstOptions{Addr: Loopback(t)})
	sample := StartSampleOrigin(t, Loopback(t), "")
	origins := []struct{ name, url string }{
		{"gstreamer", gst.URL()},
		{"gortsplib", sample.URL()},
	}
	for _, origin := range origins {
		for _, kind := range Players() {
			t.Run(origin.name+"/"+kind.Name, func(t *testing.T) {
				p := Play(t, kind, origin.url, nil)
				p.WaitFrames(25, 25, 30*time.Second)
				p.End()
			})
		}
	}
}

// TestCredentials: both origins refuse without the password and play with it.
func TestCredentials(t *testing.T) {
	Need(t, "ffmpeg", "/usr/bin/python3")
	for _, way := range []string{"basic", "digest"} {
		gst := StartGstOrigin(t, GstOptions{Addr: Loopback(t), Auth: way})
		sample := StartSampleOrigin(t, Loopback(t), way)
		for _, origin := range []struct{ name, url string }{
			{"gstreamer", gst.URL()},
			{"gortsplib", sample.URL()},
		} {
			t.Run(way+"/"+origin.name, func(t *testing.T) {
				p := Play(t, FFmpeg("tcp"), WithCredentials(origin.url), nil)
				p.WaitFrames(10, 0, 30*time.Second)
				p.End()
				refused := Play(t, FFmpeg("tcp"), origin.url, nil)
				if code := refused.WaitExit(20 * time.Second); code == 0 {
					t.Error("played without credentials")
				}
			})
		}
	}
}

// TestPublish: a stream published by FFmpeg to each origin is taken, and read
// back from the one that serves it.
func TestPublish(t *testing.T) {
	Need(t, "ffmpeg", "/usr/bin/python3")
	for _, lower := range []string{"udp", "tcp"} {
		t.Run("gortsplib/"+lower, func(t *testing.T) {
			o := StartOrigin(t, Loopback(t), "")
			pub := Publish(t, URL(o.Addr, "live"), lower, nil)
			o.WaitPublished(t, "live", 20*time.Second)
			p := Play(t, FFmpeg("tcp"), URL(o.Addr, "live"), nil)
			p.WaitFrames(25, 25, 30*time.Second)
			p.End()
			EndPublish(pub)
		})
	}
}

// TestPublishGStreamer: GStreamer's server takes a stream over both transports.
func TestPublishGStreamer(t *testing.T) {
	Need(t, "ffmpeg", "/usr/bin/python3")
	for _, lower := range []string{"udp", "tcp"} {
		t.Run(lower, func(t *testing.T) {
			o := StartGstOrigin(t, GstOptions{Addr: Loopback(t), Record: true})
			pub := Publish(t, o.URL(), lower, nil)
			if !Eventually(20*time.Second, func() bool { return o.Recorded() >= 20 }) {
				t.Errorf("%d frames taken\n%s", o.Recorded(), pub.Output())
			}
			EndPublish(pub)
		})
	}
}

// TestScriptOrigin: a scripted origin ends where its script says.
func TestScriptOrigin(t *testing.T) {
	Leak(t)
	o := StartScriptOrigin(t, Loopback(t), Script{At: "PLAY", After: true, Ending: EndClose})
	c := Dial(t, o.Addr)
	url := URL(o.Addr, "a")
	if r := c.Do("DESCRIBE", url); r.Status != 200 || len(r.Body) == 0 {
		t.Fatalf("DESCRIBE: %d, %d bytes of body", r.Status, len(r.Body))
	}
	if r := c.Do("SETUP", url+"/track1", "Transport: RTP/AVP/TCP;unicast;interleaved=0-1"); r.Session() != "4711" {
		t.Fatalf("SETUP: %d, session %q", r.Status, r.Session())
	}
	c.Do("PLAY", url, "Session: 4711")
	if payload, err := c.ReadFrame(); err != nil || len(payload) != 112 {
		t.Fatalf("frame: %d bytes, %v", len(payload), err)
	}
	c.WaitClose(5 * time.Second)
}
