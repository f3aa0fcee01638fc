package httpfallback

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
)

// DialFunc opens one origin connection. client is the player's address, so that a transparent dialler can borrow it; to
// is the node. The connection belongs to the caller.
type DialFunc func(ctx context.Context, client, to netip.AddrPort) (net.Conn, error)

// Timeouts bounds each wait of a session. A zero field means the default.
type Timeouts struct {
	// FirstRequest is how long a connection may say nothing before its first request. Default 10 s.
	FirstRequest time.Duration
	// Message is how long one request may take from its first byte to its last. Default 15 s.
	Message time.Duration
	// Connect bounds the TCP connection to one node. Default 3 s.
	Connect time.Duration
	// Response bounds the wait for the head of an origin's response. Default 10 s. The body may take for ever: a pause,
	// or a live source that is silent.
	Response time.Duration
	// Write bounds one write to a player that does not read. Default 10 s.
	Write time.Duration
	// Idle closes a connection on which no request is under way. Default 75 s, above the 60 s in which a player keeps a
	// paused session alive ([MS-WMSP] 3.1.2).
	Idle time.Duration
}

// Limits bounds what is read of one request. A zero field means its default.
type Limits struct {
	// Header is the most bytes of a request line with its fields. Default 256 KiB.
	Header int
	// Body is the most bytes of a request's body. Default 4 MiB.
	Body int64
}

// Sighting is what is known of a player when it is first seen.
type Sighting struct {
	Client netip.Addr
	GUID   string // as the player wrote it (xClientGUID of Pragma), "" if it did not
	URL    string // as the player asked for it
}

// Viewer is who the player of a sighting is.
type Viewer struct {
	ID   string // for Record.Viewer
	Node string // name of the node that its sessions had before (balancer.Key.Prefer), "" if none
}

// Config is what a Proxy needs. Pool is required; every other zero field means its default.
type Config struct {
	// VirtualServer is the configured name, for logs and records.
	VirtualServer string
	Pool          *balancer.Pool
	// Route chooses a pool by the host that the player names (without port and brackets) and by the path; nil, or nil as
	// its answer: Pool. It is asked for each request.
	Route func(host, path string) *balancer.Pool
	// Affinity is how long a player is remembered after its last request, so that the next meets the same node.
	// Default 5 min.
	Affinity time.Duration
	// Linger is how long a session goes on without a request under way: the pause between a player's connections. It
	// ends the record, not the affinity. Default 15 s.
	Linger time.Duration
	// Announce returns the URLs of an announcement GET /announce/PATH.asx, in the order in which a player is to try them,
	// with this gateway's own addresses; host is the Host of the request as the player wrote it, path begins with '/' and
	// has no ".asx". nil as its answer: 404. nil: such a request goes to the origin like every other.
	Announce func(host, path string) []string
	Limits   Limits
	Timeouts Timeouts
	// Connections is how many client connections are served at once; one more gets 503. Default 20000.
	Connections int
	// Dial opens origin connections; nil dials TCP.
	Dial DialFunc
	// Record receives the session record when a session ends; it must not block. nil: none are made.
	Record func(*sessionlog.Record)
	// Interim is how often a session that goes on has a record too, with Record.Interim. 0: never.
	Interim time.Duration
	// Viewer says who a player is, once per session before its first node is chosen; nil: nobody is known.
	Viewer func(Sighting) Viewer
	// Book keeps traces and captures; nil: none.
	Book   *capture.Book
	Logger *zap.Logger
	// Pseudonym and Version name this gateway in Via. Defaults "mediagate" and "1.0".
	Pseudonym, Version string
}

// Service is the name under which nodes keep their HTTP port (balancer.Node.Ports).
const Service = "http"

func orDuration(v *time.Duration, def time.Duration) {
	if *v <= 0 {
		*v = def
	}
}

func orText(v *string, def string) {
	if *v == "" {
		*v = def
	}
}

func (c Config) withDefaults() (Config, error) {
	if c.Pool == nil {
		return c, errors.New("httpfallback: new proxy: a pool is required")
	}
	t := &c.Timeouts
	orDuration(&t.FirstRequest, 10*time.Second)
	orDuration(&t.Message, 15*time.Second)
	orDuration(&t.Connect, 3*time.Second)
	orDuration(&t.Response, 10*time.Second)
	orDuration(&t.Write, 10*time.Second)
	orDuration(&t.Idle, 75*time.Second)
	orDuration(&c.Affinity, 5*time.Minute)
	orDuration(&c.Linger, 15*time.Second)
	if c.Limits.Header <= 0 {
		c.Limits.Header = 256 << 10
	}
	if c.Limits.Body <= 0 {
		c.Limits.Body = 4 << 20
	}
	if c.Connections <= 0 {
		c.Connections = 20000
	}
	if c.Dial == nil {
		c.Dial = dialTCP
	}
	if c.Record == nil {
		c.Record = func(*sessionlog.Record) {}
	}
	if c.Viewer == nil {
		c.Viewer = func(Sighting) Viewer { return Viewer{} }
	}
	if c.Logger == nil {
		c.Logger = zap.NewNop()
	}
	orText(&c.Pseudonym, "mediagate")
	orText(&c.Version, "1.0")
	return c, nil
}

// deadAfter finds a side that is gone without a word while nothing is sent to it.
var deadAfter = net.KeepAliveConfig{Enable: true, Idle: 15 * time.Second, Interval: 5 * time.Second, Count: 6}

func dialTCP(ctx context.Context, _, to netip.AddrPort) (net.Conn, error) {
	d := net.Dialer{KeepAliveConfig: deadAfter}
	return d.DialContext(ctx, "tcp", to.String())
}
