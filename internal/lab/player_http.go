package lab

import "testing"

// HTTPPlayers lists every player of Windows Media over HTTP ([MS-WMSP]).
func HTTPPlayers() []MMSKind {
	return []MMSKind{FFmpegMMSH(), VLCHTTP("mmsh"), MPlayerHTTP("mmsh"), LibMMSH()}
}

// overHTTP makes a player's record what that of HTTP is.
func overHTTP(kind MMSKind) MMSKind {
	kind.Transport = "http"
	return kind
}

// FFmpegMMSH is ffmpeg(1) with mmsh://, which notices the end of a stream, other
// than with mmst://. Options are those of the input, such as -ss.
func FFmpegMMSH(options ...string) MMSKind {
	kind := overHTTP(FFmpegMMS())
	kind.Name, kind.Scheme = "ffmpeg/mmsh", "mmsh"
	plain := kind.command
	kind.command = func(t testing.TB, url, file string) (string, []string) {
		path, args := plain(t, url, file)
		return path, append(append([]string(nil), options...), args...)
	}
	return kind
}

// VLCHTTP is vlc(1) with "mmsh" or "http", where it first asks as an ordinary
// client. Options are VLC's, such as --no-video.
func VLCHTTP(scheme string, options ...string) MMSKind {
	kind := overHTTP(VLC(scheme))
	plain := kind.command
	kind.command = func(t testing.TB, url, file string) (string, []string) {
		path, args := plain(t, url, file)
		last := len(args) - 2 // the URL and vlc://quit
		return path, append(append(append([]string(nil), args[:last]...), options...), args[last:]...)
	}
	return kind
}

// VLCShow is vlc(1) that plays as if somebody watched, on no screen, and writes
// nothing: for what needs a demuxer, such as --start-time.
func VLCShow(scheme string, options ...string) MMSKind {
	kind := VLCHTTP(scheme)
	kind.Name += "/show"
	kind.command = func(_ testing.TB, url, _ string) (string, []string) {
		args := append([]string{"-I", "dummy", "--no-color", "--vout", "dummy", "--aout", "dummy"}, options...)
		return asNobody("vlc", append(args, url, "vlc://quit"))
	}
	return kind
}

// MPlayerHTTP is mplayer(1) with "mmsh" or "http", where it first asks as itself.
func MPlayerHTTP(scheme string) MMSKind { return overHTTP(MPlayerMMS(scheme)) }

// MPlayerList is mplayer(1) that reads a playlist, such as an ASX file, and
// writes down what it receives of its entries.
func MPlayerList() MMSKind {
	kind := MPlayerHTTP("http")
	kind.Name = "mplayer/playlist"
	plain := kind.command
	kind.command = func(t testing.TB, url, file string) (string, []string) {
		path, args := plain(t, url, file)
		return path, append(args[:len(args)-1:len(args)-1], "-playlist", url)
	}
	return kind
}

// LibMMSH is libmms over HTTP; options are those of testdata/lab/mmsdump.c.
func LibMMSH(options ...string) MMSKind {
	return overHTTP(LibMMS("mmsh", append([]string{"-x"}, options...)...))
}
