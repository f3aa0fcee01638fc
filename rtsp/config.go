package rtsp

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"time"

	"go.uber.org/zap"

	"mediagate/balancer"
	"mediagate/internal/capture"
	"mediagate/internal/sessionlog"
	"mediagate/rtsp/rtspwire"
	"mediagate/udprelay"
)

// DialFunc opens the origin connection of a session. client is the player's address, so that a transparent dialler can
// borrow it; to is the node. The connection belongs to the caller.
type DialFunc func(ctx context.Context, client, to netip.AddrPort) (net.Conn, error)

// Timeouts bounds each wait of a session. A zero field means the default.
type Timeouts struct {
	// FirstRequest is how long a connection may say nothing before its first request. Default 10 s: a player speaks at
	// once, a scanner does not.
	FirstRequest time.Duration
	// Message is how long one message may take from its first byte to its last. Default 15 s: a line a second is an
	// attack (slow loris), a lossy mobile link is done within seconds.
	Message time.Duration
	// Connect bounds the TCP connection to one node. Default 3 s, so that the next node is tried before the player gives up.
	Connect time.Duration
	// Response bounds the wait for an origin's answer, and for a player's answer to an origin's request. Default 10 s.
	Response time.Duration
	// Write bounds one write to a side that does not read. Default 10 s.
	Write time.Duration
	// Idle ends a conversation that has no RTSP session and says nothing. Default 75 s, above the 60 s that
	// RFC 2326, section 12.37 gives a session.
	Idle time.Duration
}

// Config is what a Proxy needs. Pool and Relay are required; every other zero field means its default.
type Config struct {
	// VirtualServer is the configured name, for logs and records.
	VirtualServer string
	Pool          *balancer.Pool
	// Route chooses a pool by the host of the URL (without port and brackets, "" if it names none) and by its path, as
	// the player wrote them; nil, or nil as its answer: Pool. It is asked once in a session, by its first request that
	// goes to an origin.
	Route func(host, path string) *balancer.Pool
	Relay *udprelay.Relay
	// NoUDP answers 461 to a SETUP that offers nothing but UDP, so that the player goes on to interleaved media.
	NoUDP bool
	// Limits bounds what is read of one message, of either side.
	Limits   Limits
	Timeouts Timeouts
	// Connections is how many client connections are served at once; one more gets 503. Default 20000.
	Connections int
	// Pipeline is how many requests of a client wait behind the one in hand; then reading stops. Default 32.
	Pipeline int
	// SyntaxErrors is how many malformed messages end a connection. Default 3.
	SyntaxErrors int
	// Dial opens origin connections; nil dials TCP.
	Dial DialFunc
	// Transparent tells whether an origin sees players' own addresses: a flow then has the player's port on the origin's
	// side, where its connection has the player's address. nil: none does.
	Transparent func(origin netip.Addr) bool
	// Record receives the session record when a session ends; it must not block. nil: none are made.
	Record func(*sessionlog.Record)
	// Interim is how often a session that goes on has a record too, with Record.Interim. 0: never.
	Interim time.Duration
	// Viewer says who a player is, before the session's first node is chosen, and again with later requests as long as
	// its answer has no ID; nil: nobody is known. It must not block.
	Viewer func(Sighting) Viewer
	// Met is told the node that a viewer's session has reached, so that a session beside it finds the same; nil: nobody
	// wants to know.
	Met func(viewer, node string)
	// Book keeps traces and captures; nil: none.
	Book   *capture.Book
	Logger *zap.Logger
	// Pseudonym names this gateway in Via. Default "mediagate".
	Pseudonym string
}

// Service is the name under which nodes keep their RTSP port (balancer.Node.Ports).
const Service = "rtsp"

// Limits bounds what is read of one message; a zero field means its default (rtspwire).
type Limits = rtspwire.Limits

func orDuration(v *time.Duration, def time.Duration) {
	if *v <= 0 {
		*v = def
	}
}

func orInt(v *int, def int) {
	if *v <= 0 {
		*v = def
	}
}

func (c Config) withDefaults() (Config, error) {
	if c.Pool == nil || c.Relay == nil {
		return c, errors.New("rtsp: new proxy: a pool and a relay are required")
	}
	t := &c.Timeouts
	orDuration(&t.FirstRequest, 10*time.Second)
	orDuration(&t.Message, 15*time.Second)
	orDuration(&t.Connect, 3*time.Second)
	orDuration(&t.Response, 10*time.Second)
	orDuration(&t.Write, 10*time.Second)
	orDuration(&t.Idle, 75*time.Second)
	orInt(&c.Connections, 20000)
	orInt(&c.Pipeline, 32)
	orInt(&c.SyntaxErrors, 3)
	if c.Dial == nil {
		c.Dial = dialTCP
	}
	if c.Record == nil {
		c.Record = func(*sessionlog.Record) {}
	}
	if c.Viewer == nil {
		c.Viewer = func(Sighting) Viewer { return Viewer{} }
	}
	if c.Met == nil {
		c.Met = func(string, string) {}
	}
	if c.Logger == nil {
		c.Logger = zap.NewNop()
	}
	if c.Pseudonym == "" {
		c.Pseudonym = "mediagate"
	}
	return c, nil
}

func dialTCP(ctx context.Context, _, to netip.AddrPort) (net.Conn, error) {
	var d net.Dialer
	return d.DialContext(ctx, "tcp", to.String())
}
