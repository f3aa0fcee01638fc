package lab

import (
	"strings"
	"syscall"
	"testing"
)

// Publish starts an FFmpeg that sends the sample to url in real time, over
// "udp" or "tcp", until Stop or the end of the test. The sample's own packets
// are sent (-c copy): publishing costs next to no time of the machine.
func Publish(t testing.TB, url, lower string, host *Host) *Proc {
	t.Helper()
	sample := Sample(t)
	args := strings.Fields("-nostdin -hide_banner -loglevel info -re -stream_loop -1")
	args = append(args, "-i", sample, "-c", "copy", "-f", "rtsp", "-rtsp_transport", lower, url)
	return Start(t, Command{Path: "ffmpeg", Args: args, Host: host})
}

// EndPublish asks a publisher to end in order, with TEARDOWN, and waits.
func EndPublish(p *Proc) { p.Stop(syscall.SIGINT) }
