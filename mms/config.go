package mms

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
	"mediagate/mms/mmswire"
	"mediagate/udprelay"
)

// DialFunc opens the origin connection of a session. client is the player's address, so that a transparent dialler can
// borrow it; to is the node. The connection belongs to the caller.
type DialFunc func(ctx context.Context, client, to netip.AddrPort) (net.Conn, error)

// Timeouts bounds each wait of a session. A zero field means the default.
type Timeouts struct {
	// FirstRequest is how long a connection may say nothing before its Connect. Default 10 s.
	FirstRequest time.Duration
	// Message is how long one message may take from its first byte to its last. Default 15 s.
	Message time.Duration
	// Connect bounds the TCP connection to one node. Default 3 s.
	Connect time.Duration
	// Response bounds the wait for an origin's answer. Default 10 s.
	Response time.Duration
	// Write bounds one write to a side that does not read. Default 10 s.
	Write time.Duration
	// Idle ends a conversation that has no file open and says nothing. Default 75 s. With a file open the origin's own
	// time-out counts ([MS-MMSP] 3.2.2: an hour).
	Idle time.Duration
}

// Config is what a Proxy needs. Pool and Relay are required; every other zero field means its default.
type Config struct {
	// VirtualServer is the configured name, for logs and records.
	VirtualServer string
	Pool          *balancer.Pool
	// Route chooses a pool by the host that the player names (without port, "" if it names none) and by the path of the
	// file ("" before it is known); nil: always Pool.
	Route func(host, path string) *balancer.Pool
	// ByPath chooses the node when the player opens a file, not when it connects: the gateway answers Connect, FunnelInfo
	// and ConnectFunnel itself and says them again to the node that it then chooses.
	ByPath bool
	Relay  *udprelay.Relay
	// NoUDP refuses UDP funnels at once, so that the player goes on to TCP.
	NoUDP bool
	// Limits bounds what is read of one message, of either side.
	Limits   mmswire.Limits
	Timeouts Timeouts
	// Connections is how many client connections are served at once; one more is refused with NS_E_TOO_MANY_SESS. Default
	// 20000.
	Connections int
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
	// Refused says who a player without a name is that is about to be told that it was refused: it may be at its next step
	// before this session has a record. It answers with an ID for Record.Viewer; nil: nobody wants to know.
	Refused func(client netip.Addr) (viewer string)
	// Book keeps traces and captures; nil: none.
	Book   *capture.Book
	Logger *zap.Logger
	// Pseudonym and Version name this gateway in VIA. Defaults "mediagate" and "1.0".
	Pseudonym, Version string
}

// Service is the name under which nodes keep their MMS port (balancer.Node.Ports).
const Service = "mms"

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
	if c.Pool == nil || c.Relay == nil {
		return c, errors.New("mms: new proxy: a pool and a relay are required")
	}
	t := &c.Timeouts
	orDuration(&t.FirstRequest, 10*time.Second)
	orDuration(&t.Message, 15*time.Second)
	orDuration(&t.Connect, 3*time.Second)
	orDuration(&t.Response, 10*time.Second)
	orDuration(&t.Write, 10*time.Second)
	orDuration(&t.Idle, 75*time.Second)
	if c.Connections <= 0 {
		c.Connections = 20000
	}
	if pool := c.Pool; c.Route == nil {
		c.Route = func(string, string) *balancer.Pool { return pool }
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
	if c.Met == nil {
		c.Met = func(string, string) {}
	}
	if c.Refused == nil {
		c.Refused = func(netip.Addr) string { return "" }
	}
	if c.Logger == nil {
		c.Logger = zap.NewNop()
	}
	orText(&c.Pseudonym, "mediagate")
	orText(&c.Version, "1.0")
	return c, nil
}

// deadAfter finds an origin that is gone without a word while nothing is sent to it: the media would just end.
var deadAfter = net.KeepAliveConfig{Enable: true, Idle: 15 * time.Second, Interval: 5 * time.Second, Count: 6}

func dialTCP(ctx context.Context, _, to netip.AddrPort) (net.Conn, error) {
	d := net.Dialer{KeepAliveConfig: deadAfter}
	return d.DialContext(ctx, "tcp", to.String())
}
