package admin

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"strings"
	"time"

	"go.uber.org/zap"

	"mediagate/internal/sessionlog"
)

// Gateway is what is looked at and ordered. Its methods are safe for concurrent use.
type Gateway interface {
	// Sessions are the records of the sessions that run, as they are now, oldest first.
	Sessions(ctx context.Context) []*sessionlog.Record
	// Session is one of them, nil if there is none of that ID.
	Session(ctx context.Context, id string) *sessionlog.Record
	// Kill ends a session with the goodbye of its protocol; by is for its record. False: there is none of that ID.
	Kill(id, by string) bool
	Nodes() []Node
	// Drain orders a node to take no new sessions (on), or to take them again.
	Drain(pool, node string, on bool) error
	// Viewers are those of late, the longest silent one first.
	Viewers() []Viewer
	// Configuration is what the program runs with, as its file has it, every default filled in.
	Configuration() ([]byte, error)
	// Pinholes are all media ports that are open, by address.
	Pinholes() []Pinhole
	Relay() Relay
	// Ready tells what lacks for new sessions to be served; nil: nothing.
	Ready() error
	// Trace, TraceText and Capture: their errors are ErrUnknown, ErrFull or ErrNowhere where it is one of these.
	Trace(id string, on bool) error
	TraceText(id string) ([]byte, error)
	Capture(ctx context.Context, id string, opt CaptureOptions, w io.Writer) error
}

// Errors of Gateway that have a status of their own.
var (
	ErrUnknown = errors.New("there is none of this name")    // 404
	ErrFull    = errors.New("as many run as may")            // 503
	ErrNowhere = errors.New("no place for it is configured") // 409
)

// CaptureOptions bound a capture; a zero field means the default.
type CaptureOptions struct {
	Packets  uint64
	Bytes    int64
	Duration time.Duration
	Snaplen  int // bytes of a packet
}

// Node is one node of a pool.
type Node struct {
	Pool     string             `json:"pool"`
	Name     string             `json:"name"`
	Address  netip.Addr         `json:"address"`
	Draining bool               `json:"draining"`
	Sessions int                `json:"sessions"` // now
	Acquired uint64             `json:"acquired"` // since the start
	Services map[string]Service `json:"services"` // by protocol
}

// Service is what is known of one service of a node.
type Service struct {
	Health   string    `json:"health"`   // unknown, up or down
	Usable   bool      `json:"usable"`   // new sessions may go there now
	Passive  bool      `json:"passive"`  // down because a session could not connect
	Reason   string    `json:"reason"`   // why it is down
	Since    time.Time `json:"since"`    // of the state; the zero time: from the start
	Failures uint64    `json:"failures"` // connects that failed
}

// Config is what a Server needs.
type Config struct {
	Gateway Gateway
	Version string
	Metrics http.Handler // of GET /metrics
	Level   zap.AtomicLevel
	Token   string // that requests have to bring (RFC 6750); "": none
	Logger  *zap.Logger
}

// Server answers requests on one listener.
type Server struct {
	cfg  Config
	http *http.Server
}

// Limits of one request.
const (
	headWithin = 5 * time.Second  // the head of a request
	bodyWithin = 10 * time.Second // all of it
	idleWithin = time.Minute
	maxHead    = 16 << 10         // bytes
	answerIn   = 10 * time.Second // for an answer that is no stream
)

// New returns a server that does not listen yet.
func New(cfg Config) *Server {
	s := &Server{cfg: cfg}
	s.http = &http.Server{
		Handler: s.guard(s.routes()), ReadHeaderTimeout: headWithin, ReadTimeout: bodyWithin, IdleTimeout: idleWithin,
		MaxHeaderBytes: maxHead, ErrorLog: zap.NewStdLog(cfg.Logger),
	}
	return s
}

// Listen binds an address: "127.0.0.1:9554", or "unix:PATH", which only its owner and group may open. A socket that a
// program left at PATH when it was killed is replaced; one that somebody answers on is an error.
func Listen(address string) (net.Listener, error) {
	path, isUnix := strings.CutPrefix(address, "unix:")
	if !isUnix {
		l, err := net.Listen("tcp", address)
		if err != nil {
			return nil, fmt.Errorf("admin: listen: %w", err)
		}
		return l, nil
	}
	if info, err := os.Lstat(path); err == nil && info.Mode()&os.ModeSocket != 0 {
		if c, err := net.DialTimeout("unix", path, time.Second); err == nil {
			_ = c.Close() // it was only asked whether somebody is there
			return nil, fmt.Errorf("admin: listen at %s: another program serves there", path)
		}
		_ = os.Remove(path) // what is wrong shows below
	}
	l, err := net.Listen("unix", path)
	if err != nil {
		return nil, fmt.Errorf("admin: listen: %w", err)
	}
	if err := os.Chmod(path, 0o660); err != nil {
		return nil, errors.Join(fmt.Errorf("admin: listen: %w", err), l.Close())
	}
	return l, nil
}

// Serve answers until Close, and returns nil then.
func (s *Server) Serve(l net.Listener) error {
	if err := s.http.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("admin: serve: %w", err)
	}
	return nil
}

// Close ends all requests now, captures too.
func (s *Server) Close() error { return s.http.Close() }
