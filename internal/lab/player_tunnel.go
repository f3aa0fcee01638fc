package lab

import "strings"

// tunnelledIn makes a player's record what that of RTSP tunnelled in HTTP is.
func tunnelledIn(kind PlayerKind, name string) PlayerKind {
	kind.Name, kind.Transport = name, "tunnelled"
	return kind
}

// FFmpegTunnel is ffmpeg(1) with RTSP tunnelled in HTTP at the port of the URL:
// HTTP/1.1, each request base64 by itself with its padding.
func FFmpegTunnel() PlayerKind { return tunnelledIn(FFmpeg("http"), "ffmpeg/tunnel") }

// InTunnel makes a GStreamer over "tcp" go through HTTP/1.0, which it does for
// rtsph:// at the port of the URL.
func InTunnel(gstreamer PlayerKind) PlayerKind {
	plain := gstreamer.args
	gstreamer.args = func(url string) []string { return plain("rtsph" + strings.TrimPrefix(url, "rtsp")) }
	return tunnelledIn(gstreamer, "gstreamer/tunnel")
}

// TunnelPlayers lists the players that tunnel, for streams of H.264 and AAC.
func TunnelPlayers() []PlayerKind { return []PlayerKind{FFmpegTunnel(), InTunnel(GStreamer("tcp"))} }
