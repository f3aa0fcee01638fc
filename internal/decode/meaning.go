package decode

import (
	"fmt"
	"strings"
)

// statusMeanings say what a status of RTSP or HTTP means to somebody who looks for a fault. RFC 2326, section 11; RFC
// 9110, section 15.
var statusMeanings = map[int]string{
	301: "the content has moved to Location", 302: "the server sends the player elsewhere, see Location",
	305: "the server wants the player to use a proxy",
	400: "the server did not understand the request",
	401: "a user name and password are wanted, or those given were wrong",
	403: "the server does not allow it: address, path or rights",
	404: "there is no such content on the server",
	405: "the server does not know this method here",
	407: "the proxy wants a user name and password",
	408: "the client was too slow", 410: "the content is gone for good",
	415: "the server does not have the content in a form that the player takes",
	416: "there is no such place in the content",
	451: "the server does not know a parameter", 453: "the server has no bandwidth or no place left for another player",
	454: "the session is not known: it timed out, or the server was started anew, or this is another server",
	455: "not allowed in the state in which the session is",
	456: "a field that does not go with this content", 457: "there is no such place in the content",
	459: "the operation is for a single stream and the URL names all", 460: "the operation is for all streams and the URL names one",
	461: "the server does not offer this transport: players go on with the next, such as TCP",
	462: "the server cannot reach the client's address",
	500: "the server failed", 501: "the server does not know this method", 502: "the gateway had a bad answer from its server",
	503: "the server, or the gateway's pool, has no place or no server that works",
	504: "the gateway's server did not answer in time", 505: "another version of the protocol is wanted",
	508: "the request has come through this gateway before", 551: "the server does not have an option that Require names",
}

// meaningOf is the meaning of an answer that is no success, "" for others. 401 is the usual answer to a request without
// credentials.
func meaningOf(status int, method string) string {
	if status == 461 && method != "SETUP" && method != "" {
		return "the server does not offer this transport"
	}
	return statusMeanings[status]
}

// result is an HRESULT that servers of Windows Media send.
type result struct{ name, meaning string }

// results are those of [MS-ERREF] 2.1 that are met in MMS and Windows Media HTTP. Facility 0x0D is Windows Media.
var results = map[uint32]result{
	0x00000000: {"S_OK", ""},
	0x00000001: {"S_FALSE", "more follows"},
	0x000D0000: {"NS_S_CALLPENDING", "in work"},
	0x80004005: {"E_FAIL", "the server failed and does not say how"},
	0x80070005: {"E_ACCESSDENIED", "the server does not allow it: credentials, address or rights"},
	0x80070002: {"ERROR_FILE_NOT_FOUND", "there is no such file on the server"},
	0x80070057: {"E_INVALIDARG", "a value that the server does not take"},
	0x8007000E: {"E_OUTOFMEMORY", "the server has no memory left"},
	0xC00D0005: {"NS_E_NOCONNECTION", "there is no connection"},
	0xC00D0006: {"NS_E_CANNOTCONNECT", "the server cannot be reached"},
	0xC00D000F: {"NS_E_TOO_MANY_SESS", "the server has as many sessions as it may have"},
	0xC00D0013: {"NS_E_TIMEOUT", "something did not come in time"},
	0xC00D001A: {"NS_E_FILE_NOT_FOUND", "there is no such content on the server"},
	0xC00D0024: {"NS_E_INTERNAL", "the server failed"},
	0xC00D0028: {"NS_E_NETWORK_RESOURCE_FAILURE", "the network, or the ports of the server, are used up"},
	0xC00D0029: {"NS_E_CONNECTION_FAILURE", "the connection broke"},
	0xC00D002B: {"NS_E_INVALID_REQUEST", "not allowed now"},
	0xC00D0032: {"NS_E_BAD_CONTROL_DATA", "a message that the server did not understand"},
	0xC00D0035: {"NS_E_SERVER_NOT_FOUND", "there is no such server"},
	0xC00D00D1: {"NS_E_UDP_DISABLED", "the server sends nothing over UDP: players go on with TCP"},
	0xC00D151D: {"NS_E_NO_NEW_CONNECTIONS", "the server takes no new connections: it is shutting down"},
	0xC00D2EE6: {"NS_E_SERVER_UNAVAILABLE", "no server is there for it"},
	0xC00D2EFB: {"NS_E_SERVER_ACCESSDENIED", "the server does not allow it"},
	0xC00D2F02: {"NS_E_TOO_MANY_HOPS", "sent elsewhere too often, or a loop"},
}

// failed says that a result is an error: its highest bit ([MS-ERREF] 2.1).
func failed(hr uint32) bool { return hr&0x80000000 != 0 }

// resultText names a result, and says what it means.
func resultText(hr uint32) string {
	text := fmt.Sprintf("0x%08X", hr)
	r, ok := results[hr]
	if !ok {
		return text
	}
	return strings.TrimSuffix(text+" "+r.name+": "+r.meaning, ": ")
}
