package httpfallback

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"

	"mediagate/balancer"
	"mediagate/internal/sessionlog"
)

// What the gateway refuses, and why. Wrapped with more words where there are any.
var (
	errBusy        = errors.New("httpfallback: accept: too many connections")
	errDraining    = errors.New("httpfallback: accept: the gateway is being shut down")
	errConnect     = errors.New("httpfallback: read request: CONNECT is not for a gateway")
	errThirdParty  = errors.New("httpfallback: read request: the target names another host")
	errVersion     = errors.New("httpfallback: read request: not HTTP/1")
	errCoding      = errors.New("httpfallback: read request: a body without Content-Length")
	errBodyLarge   = errors.New("httpfallback: read request: the body is too large")
	errBodyRoom    = errors.New("httpfallback: read request: too many large bodies at once")
	errBodySlow    = errors.New("httpfallback: read request: the body did not come")
	errLoop        = errors.New("httpfallback: read request: it has come through this gateway before")
	errUnreachable = errors.New("httpfallback: connect to origin: the node cannot be reached")
	errSilent      = errors.New("httpfallback: wait for origin: no answer in time")
	errBroke       = errors.New("httpfallback: read from origin: the connection broke before an answer")
	errElsewhere   = errors.New("httpfallback: follow redirect: not to a place that a player may know")
	errSwitched    = errors.New("httpfallback: read from origin: it switched protocols unasked")
)

// verdict is what an error means to a player, and to the record.
type verdict struct {
	err    error
	status int
	who    byte
}

var verdicts = []verdict{
	{errBusy, http.StatusServiceUnavailable, sessionlog.WhoResource},
	{errDraining, http.StatusServiceUnavailable, sessionlog.WhoGateway},
	{errConnect, http.StatusMethodNotAllowed, sessionlog.WhoGateway},
	{errThirdParty, http.StatusMisdirectedRequest, sessionlog.WhoGateway},
	{errVersion, http.StatusHTTPVersionNotSupported, sessionlog.WhoGateway},
	{errCoding, http.StatusLengthRequired, sessionlog.WhoGateway},
	{errBodyLarge, http.StatusRequestEntityTooLarge, sessionlog.WhoResource},
	{errBodyRoom, http.StatusServiceUnavailable, sessionlog.WhoResource},
	{errBodySlow, http.StatusRequestTimeout, sessionlog.WhoClientTimeout},
	{errLoop, http.StatusLoopDetected, sessionlog.WhoGateway},
	{balancer.ErrNoNode, http.StatusServiceUnavailable, sessionlog.WhoNode},
	{errSilent, http.StatusGatewayTimeout, sessionlog.WhoOriginTimeout},
	{errUnreachable, http.StatusBadGateway, sessionlog.WhoNode},
	{errElsewhere, http.StatusBadGateway, sessionlog.WhoGateway},
	{errSwitched, http.StatusBadGateway, sessionlog.WhoOrigin},
	{context.Canceled, http.StatusBadGateway, sessionlog.WhoClient},
	{errBroke, http.StatusBadGateway, sessionlog.WhoOrigin},
}

// judged is the verdict on an error; of one that nothing is known about it is the gateway's own fault.
func judged(err error) verdict {
	for _, v := range verdicts {
		if errors.Is(err, v.err) {
			return v
		}
	}
	return verdict{err, http.StatusInternalServerError, sessionlog.WhoInternal}
}

// dialError is a connection to a node that did not come about.
type dialError struct{ err error }

func (e *dialError) Error() string { return errUnreachable.Error() + ": " + e.err.Error() }
func (e *dialError) Unwrap() []error {
	return []error{errUnreachable, e.err}
}

// originError gives what a round trip returned its name.
func originError(err error) error {
	var dial *dialError
	var timeout net.Error
	switch {
	case errors.As(err, &dial), errors.Is(err, context.Canceled), errors.Is(err, errElsewhere):
		return err
	case errors.As(err, &timeout) && timeout.Timeout():
		return fmt.Errorf("%w: %w", errSilent, err)
	}
	return fmt.Errorf("%w: %w", errBroke, err)
}
