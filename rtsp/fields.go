package rtsp

// action says what happens to a header field on its way through the gateway.
type action uint8

const (
	pass        action = iota // as it came, to the byte
	rewriteURL                // one URL: the authority is that of the side it goes to
	rewriteList               // RTP-Info, X-RTP-Info: the URLs and the transport parameters in a list
	rewriteID                 // Session: the ID that the side it goes to knows
	transport                 // Transport: setup.go
	terminate                 // ours on each side: CSeq numbers, the length of what we write
	add                       // written by the gateway, after what is there
	refuse                    // the gateway answers instead of forwarding
)

func (a action) String() string {
	return [...]string{"pass", "rewrite URL", "rewrite list", "rewrite ID", "transport", "terminate", "add", "refuse"}[a]
}

// fieldRule is one row of THE TABLE: what happens to a field in a request, in a response, and by which section.
type fieldRule struct {
	name     string
	request  action
	response action
	section  string
	why      string
}

// fieldTable is the one place that decides. A field that is not here passes; names are compared without case
// (RFC 2326, section 4.2). docs/protocol/rtsp.md is tested against it.
var fieldTable = []fieldRule{
	{"CSeq", terminate, terminate, "RFC 2326, section 12.17", "each side numbers its own requests; the answer carries the number the asker wrote"},
	{"Session", rewriteID, rewriteID, "RFC 2326, section 12.37", "IDs are unique only per node; the player gets ours, the origin its own"},
	{"Transport", transport, transport, "RFC 2326, section 12.39", "ports, channels, source and destination are those of each leg"},
	{"Content-Length", terminate, terminate, "RFC 2326, section 12.14", "written anew only when the body was edited"},
	{"Content-Base", rewriteURL, rewriteURL, "RFC 2326, section 12.11", "the player must come back to the gateway"},
	{"Content-Location", rewriteURL, rewriteURL, "RFC 2326, section 12.16", "base of relative control URLs when there is no Content-Base"},
	{"Location", rewriteURL, rewriteURL, "RFC 2326, section 12.25", "only if it names a node of the pool; a foreign one is the player's to follow"},
	{"RTP-Info", rewriteList, rewriteList, "RFC 2326, section 12.33; [MS-RTSP] 2.2.6.8", "stream URLs"},
	{"X-RTP-Info", rewriteList, rewriteList, "[MS-RTSP] 2.2.6.27", "stream URLs, and ports of the next playlist entry"},
	{"Via", add, pass, "RFC 2326, section 12.43; [MS-RTSP] 3.1.5.1", "a relaying proxy MUST add itself; our own name in it is a loop"},
	{"X-Proxy-Client-Agent", add, pass, "[MS-RTSP] 2.2.6.24, 3.1.5.1", "the player's name, unless an earlier proxy gave it"},
	{"X-Proxy-Client-Verb", add, pass, "[MS-RTSP] 2.2.6.25, 3.1.5.1", "the player's method, unless an earlier proxy gave it"},
	{"Proxy-Require", refuse, pass, "RFC 2326, section 12.27", "a feature the proxy does not have MUST be answered with 551"},
	{"Authorization", pass, pass, "RFC 2326, section 12.5", "credentials are between player and origin; a Digest keeps the request line the player signed"},
	{"WWW-Authenticate", pass, pass, "RFC 2326, section 12.44", "the challenge is the origin's"},
	{"Server", pass, pass, "RFC 2326, section 12.36", "players know Windows Media Services by it"},
	{"User-Agent", pass, pass, "RFC 2326, section 12.41", "origins choose their dialect by it"},
}
