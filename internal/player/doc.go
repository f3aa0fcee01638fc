// Package player is the built-in player of `mediagate play`, `mediagate demo` and the tests. It speaks RTSP as Windows
// Media Player does ([MS-RTSP], section 3.1), over UDP, interleaved and tunnelled in HTTP, MMS ([MS-MMSP], section 3.1)
// over UDP and TCP, and Windows Media over HTTP ([MS-WMSP], section 3.1), and climbs down from one to the next; it writes
// what it got as an ASF file, and of ordinary origins it counts the RTP packets.
//
// Play owns its TCP connections, its UDP sockets and a goroutine for each that is read, and ends them all before it
// returns.
//
// It must not know the gateway: it imports nothing of ours but internal/asf and mms/mmswire, and speaks RTSP through
// gortsplib's message types.
//
// It is tested against internal/origin, over MMS, HTTP and in tunnels against servers that follow a script too, and its
// files against ffprobe where that is installed.
package player
