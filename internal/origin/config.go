package origin

import (
	"fmt"
	"net/netip"
	"time"

	"go.uber.org/zap"
)

// DefaultMediaPort is the RTP port of the one UDP pair of a Windows-Media-like origin; RTCP and resend requests go to
// the port above it, as Windows Media Services have it ([MS-RTSP] 4.4.2: server_port=5004-5005).
const DefaultMediaPort = 5004

// sessionTimeout is what Session fields say. RFC 2326, section 12.37: the default of the protocol too.
const sessionTimeout = 60 * time.Second

// What [MS-MMSP] 3.2.2 wants of the two timers.
const (
	pingEvery = 30 * time.Second
	idleTime  = time.Hour
)

// Config is what a Windows-Media-like origin is made of. With nothing but Listen it serves the bundled sample.
type Config struct {
	// Listen is the TCP address of the RTSP listener. Port 0 takes a free one. The UDP pair is bound at the same
	// address.
	Listen netip.AddrPort
	// Media is the first, even UDP port of the one pair of all clients; 0 is DefaultMediaPort.
	Media uint16
	// MMS is the TCP address of the MMS listener, and the UDP address of resend requests: the address of Listen, since
	// media leave from the one UDP pair. Port 0 takes a free one; the zero value is no MMS.
	MMS netip.AddrPort
	// HTTP is the TCP address of Windows Media over HTTP; any address will do. Port 0 takes a free one; the zero value is
	// no HTTP.
	HTTP netip.AddrPort
	// Pages are ordinary files of HTTP: paths like "/film.asx" and what is there. Those of Dir come after them.
	Pages map[string]string
	// Busy has HTTP requests answered with 503; see Server.SetBusy.
	Busy bool
	// BoundAuth has each HTTP connection asked for credentials that are bound to it, as those of NTLM are: who repeats the
	// challenge of its own connection ("Authorization: NTLM x" after "WWW-Authenticate: NTLM x") may use that one.
	BoundAuth bool
	// Dir is the folder whose .asf, .wma and .wmv files are served, and over HTTP some other kinds too; empty is the bundled sample, as /sample.wmv and
	// /sample.asf.
	Dir string
	// Users are names and passwords. If there are any, each request but OPTIONS needs Digest or Basic credentials, and
	// each file asked for over MMS Basic ones; over HTTP each request does.
	Users map[string]string
	// StrictURI refuses a Digest whose uri is not the request line's, byte for byte.
	StrictURI bool
	// Speed is how many times faster than real time packets are sent; 0 is 1.
	Speed float64
	// DropEvery keeps each n-th media packet back from UDP, so that a client has to ask for it; 0 drops none.
	DropEvery int
	// Playlist plays each file twice, as two entries of a server-side playlist: the end of the first is told with
	// "End-Of-Playlist-Entry: true", the second with an ANNOUNCE. [MS-RTSP] 2.2.7.1. Over MMS, a StreamChange tells it,
	// over HTTP a $C packet.
	Playlist bool
	// RefuseUDP refuses MMS funnels over UDP.
	RefuseUDP bool
	// Redirect are paths like "/film.wmv" and the URLs to which MMS and HTTP clients that ask for them are sent.
	Redirect map[string]string
	// Ping is how long an MMS control connection is quiet before a ping; 0 is 30 s.
	Ping time.Duration
	// Idle is how long an MMS client to which nothing is sent may ask for nothing; 0 is an hour.
	Idle time.Duration
	// Timeout is how long an RTSP session, or an HTTP one to which nothing is sent, may be silent; 0 is 60 s.
	Timeout time.Duration
	// Logger may be nil. The caller owns it.
	Logger *zap.Logger
}

// check fills in the defaults.
func (c *Config) check() error {
	if !c.Listen.Addr().IsValid() {
		return fmt.Errorf("origin: listen address %q: want an address and a port", c.Listen)
	}
	if c.Media == 0 {
		c.Media = DefaultMediaPort
	}
	if c.Media%2 != 0 {
		return fmt.Errorf("origin: media port %d: RTP takes an even port, RTCP the one above it", c.Media)
	}
	if c.Speed == 0 {
		c.Speed = 1
	}
	if c.Speed < 0 || c.DropEvery < 0 {
		return fmt.Errorf("origin: speed %v, drop every %d: want no negative number", c.Speed, c.DropEvery)
	}
	if c.MMS.IsValid() && c.MMS.Addr() != c.Listen.Addr() {
		return fmt.Errorf("origin: mms address %q: want the address of rtsp, %s", c.MMS, c.Listen.Addr())
	}
	if c.Ping == 0 {
		c.Ping = pingEvery
	}
	if c.Idle == 0 {
		c.Idle = idleTime
	}
	if c.Ping < 0 || c.Idle < 0 {
		return fmt.Errorf("origin: ping %v, idle %v: want no negative time", c.Ping, c.Idle)
	}
	if c.Timeout == 0 {
		c.Timeout = sessionTimeout
	}
	if c.Logger == nil {
		c.Logger = zap.NewNop()
	}
	return nil
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
