package origin

import (
	"net/netip"

	"go.uber.org/zap"
)

// DefaultMediaPort is the RTP port of the one UDP pair of a Windows-Media-like origin; RTCP and resend requests go to
// the port above it. [MS-RTSP] 2.1: Windows Media Services send from 5004 and listen on 5005.
const DefaultMediaPort = 5004

// Config is what a Windows-Media-like origin is made of. The zero value but for Listen serves the bundled sample.
type Config struct {
	// Listen is the TCP address of the RTSP listener. Port 0 takes a free one. The UDP pair is bound at the same
	// address.
	Listen netip.AddrPort
	// Media is the first, even UDP port of the one pair of all clients; 0 is DefaultMediaPort.
	Media uint16
	// Dir is the folder whose .asf, .wma and .wmv files are served; empty is the bundled sample, as /sample.wmv and
	// /sample.asf.
	Dir string
	// Users are names and passwords. If there are any, each request needs Digest or Basic credentials.
	Users map[string]string
	// StrictURI refuses a Digest whose uri is not the request line's, byte for byte.
	StrictURI bool
	// Speed is how many times faster than real time packets are sent; 0 is 1.
	Speed float64
	// DropEvery keeps each n-th media packet back from UDP, so that a client has to ask for it; 0 drops none.
	DropEvery int
	// Playlist plays each file twice, as two entries of a server-side playlist: the end of the first is told with
	// "End-Of-Playlist-Entry: true" and an ANNOUNCE. [MS-RTSP] 2.2.7.1.
	Playlist bool
	// Logger may be nil. The caller owns it.
	Logger *zap.Logger
}

// OrdinaryConfig is what an ordinary H.264 and AAC origin is made of.
type OrdinaryConfig struct {
	// Listen is the TCP address of the RTSP listener. Port 0 takes a free one.
	Listen netip.AddrPort
	// UDPPorts is the first, even port of the server's UDP pair, bound at the address of Listen; 0 serves TCP only.
	UDPPorts uint16
	// Users are names and passwords, as in Config.
	Users map[string]string
	// Publish lets clients ANNOUNCE and RECORD at any path but /sample, and readers read what they publish.
	Publish bool
	// Logger may be nil. The caller owns it.
	Logger *zap.Logger
}
