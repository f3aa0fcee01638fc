package lab

import (
	"net/netip"
	"strings"
)

// URL is the address of a path (without its leading slash) at a gateway or an
// origin.
func URL(at netip.AddrPort, path string) string { return "rtsp://" + at.String() + "/" + path }

// WithCredentials puts User and Password into a URL, as one gives them to
// FFmpeg.
func WithCredentials(url string) string {
	return strings.Replace(url, "://", "://"+User+":"+Password+"@", 1)
}
