package gateway

import (
	"net/url"
	"slices"
	"strings"
)

// commonGUIDs are sent by every copy of a player, in lower case. Observed: ffmpeg and MPlayer over MMS, both and libmms
// over HTTP, RealPlayer and those who play it. VLC's is no GUID at all.
var commonGUIDs = []string{
	"7e667f5d-a661-495e-a512-f55686dda178",
	"33715801-bab3-9d85-24e9-03b90328270a",
	"c77e7400-738a-11d2-9add-0020af0a3278",
	"00000000-0000-0000-0000-000000000000",
}

// anonymous is how the GUID begins that Windows Media Player makes up when it may not tell who it is ([MS-RTSP]
// appendix B, note 21): the rest may change with every session.
const anonymous = "3300ad50-2c39-46c0-ae0a-"

func isAnonymous(guid string) bool { return strings.HasPrefix(guid, anonymous) }

// plainGUID is a GUID in the form in which they are compared, "" if it tells nobody apart.
func plainGUID(guid string) string {
	guid = strings.ToLower(strings.TrimSuffix(strings.TrimPrefix(strings.TrimSpace(guid), "{"), "}"))
	if len(guid) != 36 || slices.Contains(commonGUIDs, guid) {
		return ""
	}
	for i, c := range []byte(guid) {
		isHex := '0' <= c && c <= '9' || 'a' <= c && c <= 'f'
		if isDash := i == 8 || i == 13 || i == 18 || i == 23; isDash != (c == '-') || !isDash && !isHex {
			return ""
		}
	}
	return guid
}

// maxClip bounds the path by which a viewer is known.
const maxClip = 512

// clipOf is the path of a URL in the form in which clips are compared: as the policy hash-url does, and with
// percent-encoding undone, since some players decode a path for one protocol and not for another. "": there is none.
func clipOf(text string) string {
	path := text
	if _, rest, ok := strings.Cut(text, "://"); ok {
		path = ""
		if i := strings.IndexAny(rest, "/?#"); i >= 0 {
			path = rest[i:]
		}
	}
	if i := strings.IndexAny(path, "?#"); i >= 0 {
		path = path[:i]
	}
	if plain, err := url.PathUnescape(path); err == nil {
		path = plain
	}
	path = strings.ToLower(strings.Trim(path, "/"))
	if path == "*" {
		return "" // OPTIONS of the whole server
	}
	return strings.Clone(path[:min(len(path), maxClip)])
}
