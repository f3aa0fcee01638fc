package rtsp

// state is where one RTSP session stands (RFC 2326, appendix A.2: the server's states, which a gateway shadows).
//
//	           SETUP            PLAY / RECORD
//	[none] ------------> ready ---------------> playing / recording
//	   ^                 ^  |                      |
//	   |     TEARDOWN    |  |        PAUSE         |
//	   +-----------------+--+----------------------+
type state uint8

const (
	stateNone state = iota // no SETUP has succeeded, or TEARDOWN has
	stateReady
	statePlaying
	stateRecording
)

func (s state) String() string {
	return [...]string{"none", "ready", "playing", "recording"}[s]
}

// phase is the second letter of the end state (sessionlog): what was going on.
func (s state) phase() byte {
	return [...]byte{'D', 'S', 'P', 'R'}[s]
}

// Methods of RFC 2326, section 10, and PLAY_NOTIFY of RFC 7826, section 13.5, which some servers send in RTSP/1.0 too.
const (
	methodOptions      = "OPTIONS"
	methodDescribe     = "DESCRIBE"
	methodAnnounce     = "ANNOUNCE"
	methodSetup        = "SETUP"
	methodPlay         = "PLAY"
	methodPause        = "PAUSE"
	methodRecord       = "RECORD"
	methodGetParameter = "GET_PARAMETER"
	methodSetParameter = "SET_PARAMETER"
	methodRedirect     = "REDIRECT"
	methodPlayNotify   = "PLAY_NOTIFY"
	methodTeardown     = "TEARDOWN"
)

// judge says whether a client's request may go to the origin, by method and by the state of the RTSP session it names
// (stateNone when it names none). nil: forward. What RFC 2326 leaves to the server is left to the origin: methods that
// nobody knows, SETUP in any state (a change of transport), PLAY while playing (queued, [MS-RTSP] 3.1.5.16.1).
func judge(method string, s state) error {
	switch method {
	case methodRedirect, methodPlayNotify:
		return errNotAllowed // RFC 2326, section 10.10: server to client only
	case methodPlay, methodRecord, methodPause:
		if s == stateNone {
			return errState // RFC 2326, appendix A.2
		}
	}
	return nil
}

// next is the state after the origin has answered method with status. Only success moves it (RFC 2326, appendix A.2),
// and a session that the origin does not know any more (454) is gone.
func next(s state, method string, status int) state {
	if status == 454 {
		return stateNone
	}
	if status < 200 || status > 299 {
		return s
	}
	switch method {
	case methodSetup:
		if s == stateNone {
			return stateReady
		}
	case methodPlay:
		return statePlaying
	case methodRecord:
		return stateRecording
	case methodPause:
		return stateReady
	}
	return s
}
