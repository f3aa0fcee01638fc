// Package origin is the embedded media server of `mediagate origin`, `mediagate demo` and the tests: a
// Windows-Media-like origin that plays ASF files over RTSP, MMS and HTTP ([MS-RTSP], [MS-MMSP] and [MS-WMSP], sections
// 3.2) and an ordinary one of H.264 and AAC.
//
// It owns its listeners, its UDP pair, its connections and sessions, and a goroutine for each; Close ends them all and
// waits. Run is New's other half: it serves until its context ends.
//
// It must not know the gateway: it speaks RTSP through gortsplib's message types, so that what it understands is not what
// our own rtspwire understands. For MMS there is no such other library: it shares mms/mmswire with the gateway, and other
// people's players see to it that the two do not only understand each other (ADR 0016). HTTP is net/http's for reading
// requests, and its own for the rest.
//
// It is tested by internal/player, by hand-written requests, and by ffmpeg, GStreamer, MPlayer and VLC where they are
// installed.
package origin
