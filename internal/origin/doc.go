// Package origin is the embedded media server of `mediagate origin`, `mediagate demo` and the tests: a
// Windows-Media-like RTSP origin that plays ASF files ([MS-RTSP], section 3.2) and an ordinary one of H.264 and AAC.
//
// It owns its listener, its UDP pair, its connections and sessions, and a goroutine for each; Close ends them all and
// waits. Run is New's other half: it serves until its context ends.
//
// It must not know the gateway: it imports nothing of ours but internal/asf, and speaks RTSP through gortsplib's
// message types, so that what it understands is not what our own rtspwire understands.
//
// It is tested by internal/player, by hand-written requests, and by ffmpeg and GStreamer where they are installed.
package origin
