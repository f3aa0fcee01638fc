package lab

import (
	"net/netip"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// startLimit is how long a program may take until it listens; GStreamer scans
// its plugins at the first start on a machine, which takes many seconds.
const startLimit = 60 * time.Second

// Credentials of the origins that ask for them.
const (
	User     = "user"
	Password = "secret"
)

// GstOptions says how GStreamer's RTSP server is to serve.
type GstOptions struct {
	Addr   netip.Addr // where it listens
	Port   uint16     // 0: any
	Auth   string     // "", "basic" or "digest", with User and Password
	Record bool       // accept a published stream instead of playing one
	Host   *Host      // namespace to run in
}

// GstOrigin is a running GStreamer RTSP server: an origin that we did not
// write. Its Digest check takes the uri that the client states.
type GstOrigin struct {
	*Proc
	Addr     netip.AddrPort
	recorded atomic.Int64
}

// StartGstOrigin runs the server; its stream is at URL().
func StartGstOrigin(t testing.TB, o GstOptions) *GstOrigin {
	t.Helper()
	Need(t, "/usr/bin/python3")
	args := []string{Testdata(t, "lab", "gst-rtsp-server.py"), "--address", o.Addr.String(),
		"--port", strconv.Itoa(int(o.Port)), "--user", User, "--password", Password}
	if o.Auth != "" {
		args = append(args, "--auth", o.Auth)
	}
	if o.Record {
		args = append(args, "--record")
	}
	ready := make(chan uint16, 1)
	origin := &GstOrigin{}
	origin.Proc = Start(t, Command{Path: "/usr/bin/python3", Args: args, Host: o.Host, Stdout: func(line string) {
		word, text, _ := strings.Cut(line, " ")
		n, _ := strconv.ParseUint(text, 10, 16)
		switch word {
		case "READY":
			ready <- uint16(n)
		case "RECORDED":
			origin.recorded.Store(int64(n))
		}
	}})
	select {
	case port := <-ready:
		origin.Addr = netip.AddrPortFrom(o.Addr, port)
	case <-origin.Done():
		t.Fatalf("lab: GStreamer RTSP server ended (are gir1.2-gst-rtsp-server-1.0 and its plugins installed?)\n%s", origin.Output())
	case <-time.After(startLimit):
		t.Fatalf("lab: GStreamer RTSP server is not ready\n%s", origin.Output())
	}
	return origin
}

// Recorded is the number of video frames, in steps of ten, that the latest
// publisher sent to a server with Record.
func (o *GstOrigin) Recorded() int { return int(o.recorded.Load()) }

// Path is the path of the stream without its leading slash.
func (*GstOrigin) Path() string { return "test" }

// URL is the stream's own address, without a gateway.
func (o *GstOrigin) URL() string { return URL(o.Addr, o.Path()) }
