package mms

import (
	"errors"
	"fmt"

	"mediagate/balancer"
	"mediagate/internal/sessionlog"
	"mediagate/mms/mmswire"
	"mediagate/udprelay"
)

// What the gateway refuses, and why. Wrapped with more words where there are any.
var (
	errBusy         = errors.New("mms: accept: too many connections")
	errDraining     = errors.New("mms: accept: the gateway is being shut down")
	errUnreachable  = errors.New("mms: connect to origin: no node can be reached")
	errOriginSilent = errors.New("mms: wait for origin: no answer in time")
	errOriginBroke  = errors.New("mms: read from origin: the connection broke")
	errLoop         = errors.New("mms: connect: the message has come through this gateway before")
	errNoUDP        = errors.New("mms: connect funnel: UDP is switched off")
	errFunnelPort   = errors.New("mms: connect funnel: no usable port")
	errFunnelHost   = errors.New("mms: connect funnel: the funnel names another host")
	errUnexpected   = errors.New("mms: read message: not expected now")
	errElsewhere    = errors.New("mms: follow redirect: not to a place that a player may know")
	errHops         = errors.New("mms: follow redirect: too many redirects")
)

// refusalError is an origin that answered with an error of its own.
type refusalError struct {
	mid mmswire.MID
	hr  uint32
}

func (e *refusalError) Error() string {
	return fmt.Sprintf("mms: ask origin: it answered %v with result 0x%08X", e.mid, e.hr)
}

// The results that the gateway gives itself, and no others ([MS-ERREF] 2.1.1; those of Windows Media, facility 0xC00D).
// What an origin answers passes.
const (
	hrCannotConnect   uint32 = 0xC00D0006 // NS_E_CANNOTCONNECT
	hrTooManySessions uint32 = 0xC00D000F // NS_E_TOO_MANY_SESS
	hrTimeout         uint32 = 0xC00D0013 // NS_E_TIMEOUT
	hrInternal        uint32 = 0xC00D0024 // NS_E_INTERNAL
	hrNoResource      uint32 = 0xC00D0028 // NS_E_NETWORK_RESOURCE_FAILURE
	hrConnectionLost  uint32 = 0xC00D0029 // NS_E_CONNECTION_FAILURE
	hrInvalidRequest  uint32 = 0xC00D002B // NS_E_INVALID_REQUEST
	hrBadControlData  uint32 = 0xC00D0032 // NS_E_BAD_CONTROL_DATA
	hrServerNotFound  uint32 = 0xC00D0035 // NS_E_SERVER_NOT_FOUND
	hrUDPDisabled     uint32 = 0xC00D00D1 // NS_E_UDP_DISABLED
	hrNoConnections   uint32 = 0xC00D151D // NS_E_NO_NEW_CONNECTIONS
	hrUnavailable     uint32 = 0xC00D2EE6 // NS_E_SERVER_UNAVAILABLE
	hrTooManyHops     uint32 = 0xC00D2F02 // NS_E_TOO_MANY_HOPS
	hrAccessDenied    uint32 = 0x80070005 // E_ACCESSDENIED
)

// verdict is what an error means to a player, and to the record.
type verdict struct {
	err error
	hr  uint32
	who byte // 0: the player's own fault
}

var verdicts = []verdict{
	{errBusy, hrTooManySessions, sessionlog.WhoResource},
	{errDraining, hrNoConnections, sessionlog.WhoGateway},
	{balancer.ErrNoNode, hrUnavailable, sessionlog.WhoNode},
	{errOriginSilent, hrTimeout, sessionlog.WhoOriginTimeout},
	{errUnreachable, hrCannotConnect, sessionlog.WhoNode},
	{errOriginBroke, hrConnectionLost, sessionlog.WhoOrigin},
	{errLoop, hrTooManyHops, sessionlog.WhoGateway},
	{errHops, hrTooManyHops, sessionlog.WhoGateway},
	{errElsewhere, hrServerNotFound, sessionlog.WhoGateway},
	{errNoUDP, hrUDPDisabled, sessionlog.WhoGateway},
	{udprelay.ErrPortsExhausted, hrNoResource, sessionlog.WhoResource},
	{udprelay.ErrOverloaded, hrTooManySessions, sessionlog.WhoResource},
	{errFunnelHost, hrAccessDenied, 0},
	{errFunnelPort, hrBadControlData, 0},
	{errUnexpected, hrInvalidRequest, 0},
	{mmswire.ErrTooLarge, hrBadControlData, 0},
}

// judged is the verdict on an error; of one that nothing is known about it is the gateway's own fault.
func judged(err error) verdict {
	var refused *refusalError
	if errors.As(err, &refused) {
		return verdict{err, refused.hr, sessionlog.WhoOrigin}
	}
	for _, v := range verdicts {
		if errors.Is(err, v.err) {
			return v
		}
	}
	var syntax *mmswire.SyntaxError
	if errors.As(err, &syntax) {
		return verdict{err, hrBadControlData, 0}
	}
	return verdict{err, hrInternal, sessionlog.WhoInternal}
}

// hresultOf is the only place where an error becomes a result that a player reads.
func hresultOf(err error) uint32 { return judged(err).hr }

// failed says that a result is an error (the highest bit, [MS-ERREF] 2.1).
func failed(hr uint32) bool { return hr&0x80000000 != 0 }
