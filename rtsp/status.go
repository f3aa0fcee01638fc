package rtsp

import (
	"errors"

	"mediagate/balancer"
	"mediagate/rtsp/rtspwire"
	"mediagate/udprelay"
)

// What the gateway itself may find wrong with a request. Each has its row in statusTable.
var (
	errMissingCSeq     = errors.New("rtsp: read request: no CSeq")
	errBadURL          = errors.New("rtsp: read request: URL is neither absolute, nor a path, nor *")
	errVersion         = errors.New("rtsp: read request: not RTSP/1.0")
	errNotAllowed      = errors.New("rtsp: read request: a method that only servers send")
	errNoSession       = errors.New("rtsp: find session: unknown session ID")
	errState           = errors.New("rtsp: judge request: not valid in this state")
	errNoTransport     = errors.New("rtsp: choose transport: none that this gateway can relay")
	errMulticast       = errors.New("rtsp: choose transport: multicast is not relayed")
	errTooManyMedia    = errors.New("rtsp: choose transport: too many streams in one conversation")
	errThirdParty      = errors.New("rtsp: choose transport: destination is not the client")
	errProxyRequire    = errors.New("rtsp: read request: Proxy-Require names a feature this gateway does not have")
	errLoop            = errors.New("rtsp: read request: this request has already passed through this gateway")
	errBusy            = errors.New("rtsp: accept connection: limit of connections reached")
	errDraining        = errors.New("rtsp: accept connection: gateway is draining")
	errOriginRefused   = errors.New("rtsp: dial origin: no node could be reached")
	errOriginBroke     = errors.New("rtsp: read origin: connection or answer is broken")
	errOriginSilent    = errors.New("rtsp: read origin: no answer in time")
	errNoTunnel        = errors.New("rtsp: open tunnel: this is not the GET or POST of a tunnel")
	errTunnelCookie    = errors.New("rtsp: open tunnel: one x-sessioncookie of 1 to 128 bytes is needed")
	errTunnelCoding    = errors.New("rtsp: open tunnel: a transfer coding other than chunked in a POST")
	errTunnelUsed      = errors.New("rtsp: open tunnel: the cookie is in use")
	errTunnelElsewhere = errors.New("rtsp: open tunnel: the GET with this cookie came from another address")
	errTunnelAlone     = errors.New("rtsp: open tunnel: no GET with this cookie came in time")
	errTunnelsFull     = errors.New("rtsp: open tunnel: too many tunnels wait for their other half")
	errDetached        = errors.New("rtsp: forward request: the player is not connected")
)

// statusTable is the only place where an error becomes a status code. The first row that matches counts. Codes and
// their meaning: RFC 2326, section 11.3 and section 7.1.1.
var statusTable = []struct {
	err    error
	status int
}{
	{errMissingCSeq, 400},
	{errBadURL, 400},
	{errNoTunnel, 400},
	{errTunnelCookie, 400},
	{errTunnelCoding, 400},
	{errThirdParty, 403},
	{errTunnelUsed, 403},
	{errTunnelElsewhere, 403},
	{errNotAllowed, 405},
	{errTunnelAlone, 408},
	{errNoSession, 454},
	{errState, 455},
	{errNoTransport, 461},
	{errMulticast, 461},
	// 461 rather than 503: a player that cannot have UDP goes on to interleaved at once (players.md), see ADR 0012.
	{udprelay.ErrPortsExhausted, 461},
	{errProxyRequire, 551},
	{errLoop, 502},
	{errOriginBroke, 502},
	{balancer.ErrNoNode, 503},
	{errBusy, 503},
	{errTunnelsFull, 503},
	{udprelay.ErrOverloaded, 453}, // before those that play suffer
	{errTooManyMedia, 453},        // section 11.3.4: it asks for more than there is for one
	{errDraining, 503},
	{udprelay.ErrClosed, 503},
	{errDetached, 503},
	{errOriginRefused, 503},
	{errOriginSilent, 504},
	{errVersion, 505},
}

// statusOf says which status answers err; 500 for what has no row, which is a fault of ours.
func statusOf(err error) int {
	for _, row := range statusTable {
		if errors.Is(err, row.err) {
			return row.status
		}
	}
	var large *rtspwire.TooLargeError
	if errors.As(err, &large) {
		// RFC 2326, section 7.1.1: 414 for a URL, that is, the line it stands in; 413 for everything else.
		if large.What == "line" {
			return 414
		}
		return 413
	}
	var syntax *rtspwire.SyntaxError
	if errors.As(err, &syntax) {
		return 400
	}
	return 500
}

// reasonPhrases are those of RFC 2326, section 7.1.1, for the codes that this gateway itself sends.
var reasonPhrases = map[int]string{
	200: "OK",
	400: "Bad Request",
	403: "Forbidden",
	405: "Method Not Allowed",
	408: "Request Time-out",
	413: "Request Entity Too Large",
	414: "Request-URI Too Large",
	453: "Not Enough Bandwidth",
	454: "Session Not Found",
	455: "Method Not Valid in This State",
	461: "Unsupported transport",
	500: "Internal Server Error",
	502: "Bad Gateway",
	503: "Service Unavailable",
	504: "Gateway Time-out",
	505: "RTSP Version not supported",
	551: "Option not supported",
}

// answer builds a reply of the gateway's own. cseq is the client's, as it wrote it; empty leaves the field out.
func answer(status int, cseq string) *rtspwire.Response {
	r := rtspwire.NewResponse(status, reasonPhrases[status])
	if cseq != "" {
		r.Header.Add("CSeq", cseq)
	}
	if status == 405 || status == 455 {
		// RFC 2326, section 12.4: Allow MUST be present in a 405; section 11.3.6 asks for it in a 455.
		r.Header.Add("Allow", allowed)
	}
	return r
}

// allowed lists what a client may send (RFC 2326, section 10, column "direction").
const allowed = "OPTIONS, DESCRIBE, ANNOUNCE, SETUP, PLAY, PAUSE, RECORD, GET_PARAMETER, SET_PARAMETER, TEARDOWN"
